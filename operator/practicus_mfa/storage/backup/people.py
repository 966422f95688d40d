"""What of a backup's users, factors and recovery codes may come back as it was, where there are users now.

* Nobody gets more than they have now: a role or a group that was taken away, or a disabled user, stays so,
  unless whoever restores says otherwise. A user who is gone is asked about as one who has neither.
* No code works twice: what an authenticator has shown up to now is used up, and a recovery code that is gone
  from its factor stays gone.

Into a database without users everything comes back but the codes of the past.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime
from itertools import groupby
from typing import Any, Final, TypeVar

from sqlalchemy import Connection, select

from practicus_mfa.storage.backup.merge import (
    Row,
    by_id,
    is_same,
    kept_rows,
    rows_there,
    side_by_side,
)
from practicus_mfa.storage.backup.read import Backup
from practicus_mfa.storage.engine import database_now
from practicus_mfa.storage.schema import factors, groups, memberships, recovery_codes, users

ROLES: Final = ("is_staff", "is_superuser")
RIGHTS: Final = ("is_active", *ROLES)
"""The columns of a user that a restore might raise."""

GROUPS: Final = "groups"
"""What the names of a user's groups are called beside the columns."""

_USUAL_PERIOD: Final = 30

Value = TypeVar("Value")

Pair = tuple[Row | None, Row | None]


def pairs_of_users(before: Connection, backup: Backup) -> Iterator[Pair]:
    """Yield the users of the backup and of the database, those of one id together, each with its groups."""
    there = rows_there(before, users, users.c.id, users.c.created_at, *(users.c[name] for name in RIGHTS))
    return side_by_side(
        _with_groups(kept_rows(backup, users), kept_rows(backup, memberships), _names(backup)),
        _with_groups(there, rows_there(before, memberships), _names_there(before)),
        by_id,
    )


def _with_groups(people: Iterable[Row], members: Iterable[Row], names: Mapping[int, str]) -> Iterator[Row]:
    of_user = groupby(members, lambda row: int(row["user_id"]))
    found = _in_order((user, {names.get(row["group_id"]) for row in rows}) for user, rows in of_user)
    for one in people:
        yield {**one, GROUPS: frozenset(found(by_id(one)) or ()) - {None}}


def _names(backup: Backup) -> Mapping[int, str]:
    # A group's number is not the same in every database, its name is what rules and applications go by.
    return {by_id(row): str(row["name"]) for row in kept_rows(backup, groups)}


def _names_there(before: Connection) -> Mapping[int, str]:
    return {row.id: row.name for row in before.execute(select(groups.c.id, groups.c.name))}


def pairs_of_factors(before: Connection, backup: Backup) -> Iterator[Pair]:
    """Yield the factors of the backup and of the database, those of one id together."""
    there = rows_there(before, factors, factors.c.id, factors.c.created_at, factors.c.last_step)
    return side_by_side(kept_rows(backup, factors), there, by_id)


def pairs_of_codes(before: Connection, backup: Backup) -> Iterator[Pair]:
    """Yield the recovery codes of the backup and of the database, equal ones of one factor together."""
    there = rows_there(before, recovery_codes)
    return side_by_side(kept_rows(backup, recovery_codes), there, _place_of_code)


def raised(kept: Row, there: Row | None) -> tuple[str, ...]:
    """Return which rights a user of a backup has there and not in the database: columns' names."""
    if there is None or not is_same(kept, there):
        return tuple(name for name in ROLES if kept.get(name))
    return tuple(name for name in RIGHTS if kept.get(name) and not there[name])


def groups_raised(kept: Row, there: Row | None) -> frozenset[str]:
    """Return which groups a user of a backup is in there and not in the database."""
    return frozenset(
        kept[GROUPS] - there[GROUPS] if there is not None and is_same(kept, there) else kept[GROUPS]
    )


def is_gone(before: Connection, backup: Backup) -> Callable[[Row, Row | None], bool]:
    """Return what tells whether a recovery code of the backup is used or replaced: its factor lacks it.

    It is to be asked about codes in the order of :func:`pairs_of_codes`.
    """
    pairs = pairs_of_factors(before, backup)
    has_factor = _in_order((by_id(kept), True) for kept, there in pairs if kept and is_same(kept, there))
    return lambda kept, there: there is None and has_factor(kept["factor_id"]) is not None


def users_returning(
    before: Connection, backup: Backup, *, raise_rights: bool
) -> Iterator[tuple[dict[str, Any], bool]]:
    """Yield the users as they come back, and of each whether rights were left out.

    Args:
        before: A transaction that sees the database as it was.
        backup: The file.
        raise_rights: Rights of the backup hold, also where they are higher than those of now.
    """
    asked = not raise_rights and _is_anybody_there(before)
    for kept, there in pairs_of_users(before, backup):
        if kept is not None:
            higher = raised(kept, there) if asked else ()
            row = {name: value for name, value in kept.items() if name != GROUPS}
            less = bool(higher) or (asked and bool(groups_raised(kept, there)))
            yield {**row, **dict.fromkeys(higher, False)}, less


def memberships_returning(
    before: Connection, backup: Backup, *, raise_rights: bool
) -> Iterator[dict[str, Any]]:
    """Yield who comes back into which group; the arguments are those of :func:`users_returning`."""
    names, pairs = _names(backup), pairs_of_users(before, backup)
    lost = _in_order((by_id(kept), groups_raised(kept, there)) for kept, there in pairs if kept is not None)
    asked = not raise_rights and _is_anybody_there(before)
    for row in kept_rows(backup, memberships):
        if not (asked and names.get(row["group_id"]) in (lost(row["user_id"]) or ())):
            yield row


def _is_anybody_there(before: Connection) -> bool:
    return before.execute(select(users.c.id).limit(1)).first() is not None


def factors_returning(before: Connection, backup: Backup) -> Iterator[dict[str, Any]]:
    """Yield the factors as they come back: every code up to the present one is used up."""
    now = database_now(before)
    for kept, there in pairs_of_factors(before, backup):
        if kept is not None:
            used = there["last_step"] if there is not None and is_same(kept, there) else -1
            yield {**kept, "last_step": max(kept.get("last_step", -1), used, _present_step(kept, now))}


def codes_returning(before: Connection, backup: Backup) -> Iterator[tuple[dict[str, Any], bool]]:
    """Yield the backup's recovery codes, and of each whether it is gone by now and has to stay so."""
    gone = is_gone(before, backup)
    for kept, there in pairs_of_codes(before, backup):
        if kept is not None:
            yield dict(kept), gone(kept, there)


def _present_step(factor: Row, now: datetime) -> int:
    # As crypto.totp has it; a device that is behind has not shown today's step yet, which does no harm.
    period, drift = int(factor.get("period", _USUAL_PERIOD)), int(factor.get("drift", 0))
    return int(now.timestamp()) // max(1, period) + max(0, drift)


def _place_of_code(row: Row) -> tuple[int, bytes]:
    return int(row["factor_id"]), bytes(row["code_hash"])


def _in_order(found: Iterable[tuple[int, Value]]) -> Callable[[int], Value | None]:
    """Return what gives the value of an id, ``None`` where there is none; ids ascend as the questions do."""
    left = iter(found)
    here: tuple[int, Value] | None = next(left, None)

    def value(wanted: int) -> Value | None:
        nonlocal here
        while here is not None and here[0] < wanted:
            here = next(left, None)
        return here[1] if here is not None and here[0] == wanted else None

    return value
