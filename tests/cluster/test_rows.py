"""Rows that no key opens: they are named, left as they are, and hold up neither a rotation nor its end."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from practicus_mfa.clock import utc_now
from practicus_mfa.crypto.keys import FernetKey, generate_key
from practicus_mfa.crypto.tokens import seal
from practicus_mfa.login.administer import remove_mfa
from practicus_mfa.storage import users
from tests.support.cluster.steps import (
    NAMES,
    await_message,
    await_rotated,
    begin,
    change,
    rotate,
    token,
)
from tests.support.installation import secret_of
from tests.support.waiting import until

if TYPE_CHECKING:
    from tests.support.cluster.operating import ClusterInstallation

A, B, C = generate_key(), generate_key(), generate_key()
SOUND = NAMES[4:]


@pytest.fixture
def installation(served: ClusterInstallation) -> ClusterInstallation:
    """Users under the key A."""
    begin(served, A)
    return served


def _seal(installation: ClusterInstallation, name: str, key: FernetKey) -> str:
    with installation.database() as db, db.read() as connection:
        owner = users.get(connection, name).id
    return seal(secret_of(name), owner=owner, key=key, now=int(utc_now().timestamp()))


def test_damaged_and_swapped_tokens_are_counted_and_left_alone(installation: ClusterInstallation) -> None:
    good = token(installation, "user-0")
    flipped = good[:40] + ("A" if good[40] != "A" else "B") + good[41:]
    change(installation, "user-0", token=flipped)
    change(installation, "user-1", token=good[:-20])
    change(installation, "user-2", token="not base64 at all, but a remark of somebody")
    change(installation, "user-3", token=token(installation, "user-4"))
    damaged = {name: token(installation, name) for name in NAMES[:4]}

    rotate(installation, B, A)
    installation.await_reason("DataUpToDate", "CorruptRows")
    installation.await_reason("OldKeyRetirable", "Safe")
    installation.await_reason("Stalled", "CorruptRows")

    assert installation.conditions()["Ready"] == ("False", "CorruptRows")
    assert installation.message("DataUpToDate").startswith("4 rows are damaged or moved from another user")
    assert installation.status()["users"]["corrupt"] == 4
    assert {name: token(installation, name) for name in NAMES[:4]} == damaged
    installation.check_secrets(SOUND, B)
    assert installation.events().count("CorruptRowsFound") == 1

    # The next rotation is not held up either.
    rotate(installation, C, B)
    until(lambda: installation.status()["activeKeyID"] == C.id, "the next key")
    installation.await_reason("OldKeyRetirable", "Safe")
    installation.check_secrets(SOUND, C)

    with installation.database() as db:
        for name in NAMES[:4]:
            remove_mfa(db, name, actor="test")
    await_rotated(installation, C)


def test_rows_of_a_third_key_are_healed_by_it_without_a_promotion(installation: ClusterInstallation) -> None:
    change(installation, "user-0", token=_seal(installation, "user-0", C), key_id=None)
    installation.await_reason("Stalled", "UnknownKey")
    assert installation.conditions()["Ready"] == ("False", "UnknownKey")
    assert installation.status()["users"]["unknown"] == 1
    assert "UnknownKeyFound" in installation.events()

    rotate(installation, B, A)
    until(lambda: installation.status()["activeKeyID"] == B.id, "the promotion")
    installation.await_reason("OldKeyRetirable", "Safe")
    installation.await_reason("DataUpToDate", "UnknownKey")
    installation.check_secrets(SOUND, B)

    # B writes already: the key C only joins for reading, and the rows that no key opened are tried again.
    rotate(installation, B, C)
    await_rotated(installation, B)
    installation.check_secrets(NAMES, B)
    assert installation.events().count("KeyPromoted") == 1


def test_tokens_cleared_by_hand_mean_that_mfa_is_not_set_up(installation: ClusterInstallation) -> None:
    change(installation, "user-0", token=None)
    change(installation, "user-1", token="")
    rotate(installation, B, A)
    await_rotated(installation, B)
    assert installation.status()["users"]["enrolled"] == len(NAMES) - 2
    await_message(installation, "DataUpToDate", "All 10 rows are under the active key.")
    installation.check_secrets(NAMES[2:], B)
