"""What a restore would overwrite: the backup beside the database, counted, before anything is done."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from sqlalchemy import select

from practicus_mfa.storage import versions
from practicus_mfa.storage.backup.audit import is_there
from practicus_mfa.storage.backup.manifest import Manifest
from practicus_mfa.storage.backup.merge import Row, by_id, is_same, kept_rows, rows_there, side_by_side
from practicus_mfa.storage.backup.people import (
    Pair,
    groups_raised,
    is_gone,
    pairs_of_codes,
    pairs_of_factors,
    pairs_of_users,
    raised,
)
from practicus_mfa.storage.backup.read import check, opened
from practicus_mfa.storage.engine import Database
from practicus_mfa.storage.schema import audit, factors, recovery_codes, users

NAMED: Final = 20
"""Users whose rights would be raised who are named; of the others only the number is told."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Counted:
    """Rows of one table, by where they are."""

    both: int
    backup: int
    database: int


@dataclass(frozen=True, slots=True)
class Raised:
    """A user who has *rights* (``is_superuser`` …) or *groups* in the backup, and not in the database."""

    username: str
    rights: tuple[str, ...]
    groups: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """A backup beside a database.

    Attributes:
        manifest: What the backup holds.
        users: Users, by whether both have them.
        factors: Their factors.
        audit: Lines of the audit.
        raised: How many users have rights in the backup that they do not have now; 0 where nobody is there.
        raised_users: The first of them.
        codes_gone: Recovery codes of the backup that were used or replaced since.
    """

    manifest: Manifest
    users: Counted
    factors: Counted
    audit: Counted
    raised: int
    raised_users: tuple[Raised, ...]
    codes_gone: int


def has_users(db: Database) -> bool:
    """Whether there is anything that a restore would overwrite.

    Raises:
        UsageError: *db* is at another step than this program.
        UnreachableError: *db* can't be used at the moment.
    """
    versions.check(db)
    with db.read() as connection:
        return connection.execute(select(users.c.id).limit(1)).first() is not None


def compare(db: Database, path: Path) -> Comparison:
    """Compare the backup at *path* with *db*; both are only read.

    Raises:
        DamagedBackupError: The file was cut short or edited.
        UsageError: The file is no backup, or *db* is at another step.
        UnreachableError: *db* can't be used at the moment.
    """
    versions.check(db)
    with opened(path) as backup, db.read(snapshot=True) as connection:
        # These parts are checked as they are walked.
        check(backup, but=(users, factors, recovery_codes, audit))
        raised_users = _Raising()
        people = _counted(raised_users.of(pairs_of_users(connection, backup)), is_same)
        gone = is_gone(connection, backup)
        lines = side_by_side(kept_rows(backup, audit), rows_there(connection, audit), by_id)
        # Into a database without users all come back as they were.
        somebody = bool(people.both or people.database)
        return Comparison(
            manifest=backup.manifest,
            users=people,
            factors=_counted(pairs_of_factors(connection, backup), is_same),
            audit=_counted(lines, is_there),
            raised=raised_users.count if somebody else 0,
            raised_users=tuple(raised_users.first) if somebody else (),
            codes_gone=sum(
                kept is not None and gone(kept, there) for kept, there in pairs_of_codes(connection, backup)
            ),
        )


class _Raising:
    """Counts users whose rights a restore would raise, and remembers the first of them."""

    def __init__(self) -> None:
        self.count = 0
        self.first: list[Raised] = []

    def of(self, pairs: Iterable[Pair]) -> Iterator[Pair]:
        """Pass *pairs* of users on."""
        for kept, there in pairs:
            if kept is not None:
                rights, groups = raised(kept, there), sorted(groups_raised(kept, there))
                self._note(Raised(str(kept.get("username")), rights, tuple(groups)))
            yield kept, there

    def _note(self, one: Raised) -> None:
        if one.rights or one.groups:
            self.count += 1
            if len(self.first) < NAMED:
                self.first.append(one)


def _counted(pairs: Iterable[Pair], same: Callable[[Row | None, Row | None], bool]) -> Counted:
    both = backup = database = 0
    for kept, there in pairs:
        if same(kept, there):
            both += 1
        else:
            # Two of one id that are not the same are one here and one there.
            backup += kept is not None
            database += there is not None
    return Counted(both=both, backup=backup, database=database)
