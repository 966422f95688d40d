"""Users of each sort, made together for a test of what administrators do to many at once."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from sqlalchemy import func, select, update

from practicus_mfa.clock import utc_now
from practicus_mfa.core.login.throttle import Counter
from practicus_mfa.crypto.keys import parse_key
from practicus_mfa.login import throttling
from practicus_mfa.login.enrol import Secret, add_factors
from practicus_mfa.storage import accounts, attempts, schema, users
from practicus_mfa.storage.engine import database_now
from practicus_mfa.storage.users import NewUser
from tests.support.installation import secret_of
from tests.support.login_people import Person

if TYPE_CHECKING:
    from practicus_mfa.core.keyring import KeyId
    from tests.support.login_people import LoginPeople

MOVING: Final = "moving"
"""MFA under the rolling key."""
THERE: Final = "there"
"""MFA under the active key, codes stopped, logged in somewhere."""
BROKEN: Final = "broken"
"""MFA that no key opens; disabled."""
BARE: Final = "bare"
"""No MFA. There can be many of these, the others are one each."""


@dataclass(frozen=True)
class Crew:
    """Users whom a search for *word* finds, and nobody else.

    Attributes:
        word: What all their names begin with.
        names: Their user names, in the order of the list.
    """

    people: LoginPeople
    word: str
    names: tuple[str, ...]

    def one(self, sort: str) -> str:
        """The user name of the first of a sort."""
        return next(name for name in self.names if sort in name)

    def with_mfa(self) -> set[str]:
        """Who has MFA."""
        return set(self._factors())

    def under(self, key: KeyId) -> set[str]:
        """Whose MFA is under *key*."""
        return {name for name, key_id in self._factors().items() if key_id == key}

    def _factors(self) -> dict[str, str | None]:
        rows = select(schema.users.c.username, schema.factors.c.key_id).join(
            schema.factors, schema.factors.c.user_id == schema.users.c.id
        )
        with self.people.db.read() as connection:
            found = connection.execute(rows.where(schema.users.c.username.in_(self.names)))
            return {row.username: row.key_id for row in found}

    def active(self) -> set[str]:
        """Who may log in."""
        rows = select(schema.users.c.username).where(schema.users.c.is_active)
        with self.people.db.read() as connection:
            found = connection.execute(rows.where(schema.users.c.username.in_(self.names)))
            return set(found.scalars())

    def stopped(self) -> int:
        """How many counters of wrong codes there are."""
        return self._of(schema.attempts.c.user_id)

    def sessions(self) -> int:
        """How many sessions there are."""
        return self._of(schema.sessions.c.user_id)

    def _of(self, column: object) -> int:
        rows = (
            select(func.count())
            .select_from(schema.users)
            .join(column.table, column == schema.users.c.id)  # type: ignore[attr-defined]
            .where(schema.users.c.username.in_(self.names))
        )
        with self.people.db.read() as connection:
            return int(connection.execute(rows).scalar_one())


def crew(people: LoginPeople, word: str, *, bare: int = 1, moving: int = 1) -> Crew:
    """Make one user of each sort, or more.

    Args:
        people: Of a site whose keyring has a rolling key and an active one that writes.
        word: A word that nobody's name begins with.
        bare: How many without MFA.
        moving: How many under the rolling key.
    """
    names = {
        sort: [f"{word}-{sort}-{number:04}" for number in range(1, many + 1)]
        for sort, many in ((BARE, bare), (BROKEN, 1), (MOVING, moving), (THERE, 1))
    }
    ordered = tuple(name for group in names.values() for name in group)
    rolling, active = keys(people)
    held = people.site.installation.keyring()[1]
    with people.db.write() as connection:
        made = users.create_many(
            connection, [NewUser(username=name, name=f"{word.title()} {name[-4:]}") for name in ordered]
        )
        for key, sorts in ((rolling, (MOVING,)), (active, (THERE, BROKEN))):
            # Past the one writer: rows under a key that writes no more are what a rotation leaves behind.
            secrets = [
                Secret(user_id=made[name], secret=secret_of(name)) for sort in sorts for name in names[sort]
            ]
            add_factors(connection, key, secrets, held, utc_now)
        broken, there = (made[names[sort][0]] for sort in (BROKEN, THERE))
        factors = update(schema.factors).where(schema.factors.c.user_id == broken)
        # No writer leaves such a row: it is what a damaged disk or a lost key does.
        connection.execute(factors.values(token="x" * 164, key_id=None, fault="unknown"))
        users.set_active(connection, broken, active=False)
        stopped = accounts.account(connection, there)
        assert stopped is not None
        until = database_now(connection) + timedelta(days=1)
        attempts.save(
            connection,
            throttling.code_key(stopped, None),
            Counter(failures=9, stopped_until=until),
            expires_at=until,
        )
    people.add_session(Person(names[THERE][0]), user_agent="", address="203.0.113.7")
    return Crew(people, word, ordered)


def keys(people: LoginPeople) -> tuple[KeyId, KeyId]:
    """The rolling and the active key of the site."""
    return parse_key(people.site.rolling).id, parse_key(people.site.key).id
