"""Whether a replica is ready, and why not."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from typing import cast

import pytest

from practicus_mfa.core.login.rules import LoginRules
from practicus_mfa.core.policy import MfaRules
from practicus_mfa.errors import NotReadyError
from practicus_mfa.login.keyring_reader import KeyringReader, Standing
from practicus_mfa.login.policy_reader import DatabaseSeen, PolicyReader
from practicus_mfa.web.health import Health, Readiness

HELD = Standing(holds=True, held_once=True, away=False)
ANSWERS = DatabaseSeen(reached=True, fault="")


@dataclass
class Seen:
    """What both readers have seen."""

    lease: Standing = HELD
    seen: DatabaseSeen = ANSWERS
    in_force: LoginRules | None = field(default_factory=LoginRules)

    def standing(self) -> Standing:
        return self.lease

    def rules(self) -> LoginRules:
        if self.in_force is None:
            raise NotReadyError("None.", remedy="-")
        return self.in_force

    def readiness(self) -> Readiness:
        return Health(cast("KeyringReader", self), cast("PolicyReader", self)).readiness()


OFF = LoginRules(mfa=MfaRules(enabled=False))


def test_all_well_it_is_ready() -> None:
    assert Seen().readiness() == Readiness()
    assert Seen().readiness().text == "ready\n"


@pytest.mark.parametrize(
    ("seen", "reason"),
    [
        (Seen(seen=DatabaseSeen(), in_force=None), "the database can't be used: it was not asked yet"),
        (
            Seen(seen=DatabaseSeen(reached=True, fault="", policy_fault="no policy"), in_force=None),
            "no policy",
        ),
        (
            Seen(seen=DatabaseSeen(reached=True, fault="", skew=timedelta(seconds=3.5))),
            "this machine's clock and the database's are 3.5 s apart: set them by NTP",
        ),
        (
            Seen(lease=Standing(holds=False, held_once=False, away=False, keyring_fault="cut short")),
            "the keyring can't be read: cut short",
        ),
        (
            Seen(lease=Standing(holds=False, held_once=True, away=False, refusal="key a writes")),
            "no lease is held: key a writes",
        ),
        (
            Seen(lease=Standing(holds=False, held_once=False, away=True)),
            "no lease is held: it was not given yet",
        ),
    ],
)
def test_what_keeps_it_from_being_ready(seen: Seen, reason: str) -> None:
    readiness = seen.readiness()
    assert reason in readiness.reasons
    assert readiness.text.startswith("not ready\n- ")


@pytest.mark.parametrize(
    "seen",
    [
        Seen(seen=DatabaseSeen(reached=True, fault="The database is away.")),
        Seen(
            seen=DatabaseSeen(reached=True, fault="The database is away."),
            lease=Standing(holds=False, held_once=True, away=True),
        ),
        Seen(seen=DatabaseSeen(reached=True, fault="", policy_fault="mfa.mandatory: text")),
        Seen(lease=Standing(holds=True, held_once=True, away=False, keyring_fault="cut short")),
        Seen(
            lease=Standing(holds=False, held_once=False, away=False, keyring_fault="there is no file"),
            in_force=OFF,
        ),
        Seen(lease=Standing(holds=False, held_once=False, away=False, refusal="no"), in_force=OFF),
        Seen(seen=DatabaseSeen(reached=True, fault="", skew=timedelta(seconds=3))),
    ],
    ids=["away", "away-lease", "policy-kept", "keyring-held", "off-no-keyring", "off-refused", "skew-small"],
)
def test_what_a_person_should_know_and_does_not_count(seen: Seen) -> None:
    readiness = seen.readiness()
    assert readiness.ready
    assert bool(readiness.notes) is (seen.seen.skew == timedelta())
