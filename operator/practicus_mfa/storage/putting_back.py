"""Putting factors back that ``recover`` took: under the fence of live keys, with every shown code used up."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, insert, select
from sqlalchemy.exc import IntegrityError

from practicus_mfa.core.keyring import KeyId
from practicus_mfa.storage import recovery_codes as codes
from practicus_mfa.storage.engine import database_now
from practicus_mfa.storage.recovery_archive import Kept
from practicus_mfa.storage.schema import factors, live_keys, recovery_codes


@dataclass(frozen=True, slots=True, kw_only=True)
class PutBack:
    """What is there again.

    Attributes:
        factors: How many factors.
        codes: How many recovery codes.
        keys: The keys that they were under, as far as that was known.
        absent_keys: Those of the keys that are not live any more.
    """

    factors: int
    codes: int
    keys: frozenset[KeyId]
    absent_keys: frozenset[KeyId]


def put_back(connection: Connection, kept: Kept) -> PutBack:
    """Give a user the factors again that were taken, each with its recovery codes.

    They get new ids, which passes that are under way come to. A key that is no longer live is not named as
    theirs: the database would refuse it. Such a factor counts as not tried yet, so that it is tried.

    Args:
        connection: A transaction of who writes tokens, which has locked the user.
        kept: What was taken.

    Raises:
        ValueError: It is not what was taken; the message says why without a value of it.
    """
    live = _live_keys(connection)
    now = database_now(connection)
    back, given, keys = 0, 0, set[KeyId]()
    hashes = _hashes_by_factor(kept)
    for row in kept.of(factors):
        if not row.get("token"):
            continue  # cleared by hand: no factor, and none of its codes count
        key = row.get("key_id")
        if key is not None:
            keys.add(KeyId(key))
        values = {
            **{name: value for name, value in row.items() if name != "id"},
            "user_id": kept.user_id,
            "key_id": key if key in live else None,
            "fault": None,
            "last_step": _used_up(row, now),
        }
        new_id = connection.execute(insert(factors).values(values).returning(factors.c.id)).scalar_one()
        back += 1
        if its_codes := hashes.get(row.get("id"), ()):
            try:
                codes.replace(connection, new_id, its_codes)
            except IntegrityError:
                msg = "a recovery code is there twice"
                raise ValueError(msg) from None  # the cause may quote it
            given += len(its_codes)
    return PutBack(factors=back, codes=given, keys=frozenset(keys), absent_keys=frozenset(keys - live))


def _live_keys(connection: Connection) -> frozenset[str]:
    # FOR KEY SHARE, as a foreign key locks: a retirement that is under way is waited for, a later one waits.
    locked = select(live_keys.c.key_id).order_by(live_keys.c.key_id)
    return frozenset(connection.execute(locked.with_for_update(read=True, key_share=True)).scalars())


def _hashes_by_factor(kept: Kept) -> Mapping[int | None, Sequence[bytes]]:
    found: dict[int | None, list[bytes]] = {}
    for row in kept.of(recovery_codes):
        if "code_hash" not in row:
            msg = "a recovery code is missing"
            raise ValueError(msg)
        found.setdefault(row.get("factor_id"), []).append(row["code_hash"])
    return found


def _used_up(row: Mapping[str, Any], now: datetime) -> int:
    """Return the last time step whose code counts as used: that of now at least, by the device's clock."""
    period, drift, before = (
        int(row.get(name, usual)) for name, usual in (("period", 30), ("drift", 0), ("last_step", -1))
    )
    if period < 1:
        msg = "the value of period is not a number of seconds"
        raise ValueError(msg)
    return max(int(now.timestamp()) // period + drift, before)
