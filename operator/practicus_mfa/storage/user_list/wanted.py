"""Which users are wanted: conditions that are met together, as SQL and as plain values to be kept.

A condition on factors names its key as a value, which was read before: PostgreSQL knows how many rows have
that key, and can't know it of one that a query within the query would give.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, Final, Self

from sqlalchemy import ColumnElement, Connection, Select, and_, func, not_, or_, select

from practicus_mfa.errors import UsageError
from practicus_mfa.storage.counts import read_counts
from practicus_mfa.storage.expiry import unexpired
from practicus_mfa.storage.factors import HAS_TOKEN
from practicus_mfa.storage.schema import attempts, factors, users
from practicus_mfa.storage.types import database_instant
from practicus_mfa.storage.user_list.hints import counted_key
from practicus_mfa.storage.user_list.search import has_words
from practicus_mfa.storage.users import is_enrolled

FEW: Final = 5
"""Less than one in so many users are few: it is quicker to find all of them than to meet them on the way."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """Which users to list: those that meet every condition given.

    Attributes:
        on_rolling_key: MFA that is not under the key that counts, and can be migrated.
        without_mfa: No MFA at all.
        administrators: Staff or superuser.
        inactive: May not log in.
        undecryptable: MFA that no known key opens.
        stopped: No code is taken at the moment, after too many wrong ones.
        search: Words; each is the beginning of a word of the user name, e-mail address or name, without
            regard to case. No word at all is no condition.
    """

    on_rolling_key: bool = False
    without_mfa: bool = False
    administrators: bool = False
    inactive: bool = False
    undecryptable: bool = False
    stopped: bool = False
    search: str = ""

    def to_json(self) -> dict[str, bool | str]:
        """Return the conditions as plain values, by their names."""
        return asdict(self)

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Self:
        """Return what :meth:`to_json` gave; conditions that are missing are not asked for.

        Raises:
            UsageError: A name or a value means nothing here: leaving it out would choose too many users.
        """
        kinds = {field.name: str if field.name == "search" else bool for field in fields(cls)}
        for name, value in values.items():
            if name not in kinds or not isinstance(value, kinds[name]):
                raise UsageError(
                    f"The selection of users has a condition that is not known here: {name!r}.",
                    remedy="Use the release of practicus-mfa that wrote it, or choose the users anew.",
                )
        return cls(**values)


def conditions(
    connection: Connection, wanted: Wanted, *, one_page: bool = False
) -> list[ColumnElement[bool]]:
    """Return what a row of ``mfa_users`` must meet, as things are now.

    Args:
        connection: A transaction.
        wanted: Which users.
        one_page: Only the first ones in an order are asked for, and the next ones perhaps never.
    """
    found: list[ColumnElement[bool]] = []
    if wanted.on_rolling_key:
        found.append(_on_rolling_key(connection, one_page=one_page))
    if wanted.without_mfa:
        found.append(_without_mfa(connection, one_page=one_page))
    if wanted.administrators:
        found.append(or_(users.c.is_staff, users.c.is_superuser))
    if wanted.inactive:
        found.append(not_(users.c.is_active))
    if wanted.undecryptable:
        found.append(is_enrolled(factors.c.fault.is_not(None)))
    if wanted.stopped:
        found.append(users.c.id.in_(select(attempts.c.user_id).where(codes_stopped())))
    if (words := has_words(connection, wanted.search)) is not None:
        found.append(words)
    return found


def _on_rolling_key(connection: Connection, *, one_page: bool) -> ColumnElement[bool]:
    key = counted_key(connection)
    rolling: list[ColumnElement[bool]] = [factors.c.fault.is_(None)]
    if key is not None:  # without a key that counts nothing is under it
        rolling.append(or_(factors.c.key_id.is_(None), factors.c.key_id != key))
    if one_page and connection.dialect.name == "postgresql":
        rows = read_counts(connection)
        tried = sum(rows.by_key.values())
        few = tried + rows.untried - rows.under(key)
        if few * FEW < tried:
            return _of_these(select(factors.c.user_id).where(HAS_TOKEN, *rolling), "rolling")
    return is_enrolled(*rolling)


def _without_mfa(connection: Connection, *, one_page: bool) -> ColumnElement[bool]:
    without = not_(is_enrolled())
    if one_page and connection.dialect.name == "postgresql":
        total = connection.execute(select(func.count()).select_from(users)).scalar_one()
        rows = read_counts(connection)
        enrolled = sum(rows.by_key.values()) + rows.untried + rows.unknown + rows.corrupt
        if (total - enrolled) * FEW < total:
            return _of_these(select(users.c.id).where(without), "without_mfa")
    return without


def _of_these(ids: Select[tuple[int]], name: str) -> ColumnElement[bool]:
    """Return the condition that a user is one of few, who are found before anything else.

    PostgreSQL goes by its statistics, which after a rotation tell of rows that are no longer so: it would go
    through all users in order, look at the factors of each, and hope to find a page soon. How many there are
    is known exactly here, from the counts that the triggers keep.
    """
    few = ids.cte(name).prefix_with("MATERIALIZED")
    return users.c.id.in_(select(*few.c))


def codes_stopped() -> ColumnElement[bool]:
    """Return the condition that a counter stops the codes of the user that it names, at this moment."""
    now = database_instant()
    return and_(
        attempts.c.user_id.is_not(None),
        or_(attempts.c.forever, attempts.c.stopped_until > now),
        or_(attempts.c.expires_at.is_(None), unexpired(attempts)),
    )
