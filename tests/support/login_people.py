"""The people of a running login service. Time passes for their rows; no clock is turned."""

from __future__ import annotations

import base64
import itertools
import secrets
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

import pyotp
from sqlalchemy import Table, select, update

from practicus_mfa.clock import utc_now
from practicus_mfa.login import setup_link
from practicus_mfa.login.administer import create_user
from practicus_mfa.login.enrol import enrol
from practicus_mfa.storage import schema, sessions
from practicus_mfa.storage.engine import database_now
from practicus_mfa.storage.sessions import NewSession
from practicus_mfa.storage.users import NewUser
from tests.support.installation import secret_of
from tests.support.login_site import DOMAIN, login_site
from tests.support.people import PASSWORD
from tests.support.waiting import until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from practicus_mfa.storage.engine import Database
    from tests.support.login_site import Site
    from tests.support.postgres import PostgresServer

DEFAULT_RULES: Final[dict[str, dict[str, Any]]] = {
    "mfa": {"enabled": True, "mandatory": False, "mandatoryForSysAdmins": False, "gracePeriodDays": 0},
    "rememberMe": {"enabled": True, "days": 30, "disabledForSysAdmins": False},
}

_NAMES: Final = ("ada", "grace", "alan", "barbara", "edsger", "radia", "donald", "frances", "niklaus", "jean")

_numbers = itertools.count()


def _next_name() -> str:
    turn, at = divmod(next(_numbers), len(_NAMES))
    return f"{_NAMES[at]}{turn or ''}"


@dataclass
class Person:
    """A user, and what that user knows and carries.

    Attributes:
        username: Nobody else's.
        password: The password.
        secret: What the authenticator app holds, in base32; '' before it was set up.
    """

    username: str
    password: str = field(default=PASSWORD, repr=False)
    secret: str = field(default="", repr=False)

    def code(self) -> str:
        """What the app shows now."""
        return pyotp.TOTP(self.secret).now()

    def wrong_code(self) -> str:
        """Six digits that the app shows neither now nor within minutes of now."""
        totp, now = pyotp.TOTP(self.secret), utc_now()
        shown = {totp.at(now, counter_offset=step) for step in range(-20, 21)}
        return next(code for code in ("000000", "111111", "222222", "333333") if code not in shown)


@dataclass
class LoginPeople:
    """The users of a site, and the policy that they live under.

    Attributes:
        site: The running service.
        db: Its database.
    """

    site: Site
    db: Database

    @property
    def url(self) -> str:
        """How browsers reach the service."""
        return self.site.first.url

    def add(self, *, enrolled: bool = True, **values: bool | str) -> Person:
        """Create a user with a password, and with MFA where *enrolled*; any name where none is given."""
        name = str(values.pop("username", "")) or _next_name()
        new = NewUser(username=name, **values)  # type: ignore[arg-type]
        create_user(self.db, new, password=PASSWORD, actor="test")
        if not enrolled:
            return Person(name)
        secret, held = secret_of(name), self.site.installation.keyring()[1]
        enrol(self.db, name, secret, keys=held, clock=utc_now, actor="test")
        return Person(name, secret=base64.b32encode(secret).decode())

    def add_session(self, person: Person, *, user_agent: str, address: str) -> None:
        """Have a user be logged in somewhere else."""
        with self.db.write() as connection:
            now = database_now(connection)
            new = NewSession(
                user_id=self.id_of(person),
                token_hash=secrets.token_bytes(32),
                verify_hash=None,
                remembered=True,
                expires_at=now + timedelta(days=30),
                proved_at=now,
                second_factor_at=now,
                address=address,
                user_agent=user_agent,
            )
            sessions.create(connection, new)

    def setup_path(self, person: Person) -> str:
        """Return the path of a new set-up link."""
        return f"/setup/{setup_link.issue(self.db, person.username, actor='test').token}"

    def policy(self, **rules: dict[str, Any]) -> None:
        """Put a policy in force, on what is the default where nothing is said, and wait until it is."""
        wanted = {name: {**usual, **rules.get(name, {})} for name, usual in DEFAULT_RULES.items()}
        if self.site.sections.get("userLogin") == wanted:
            return
        changed: dict[str, Any] = dict(wanted)
        self.site.change(**changed)
        generation = self.site.installation.status()["observedGeneration"]
        told = f"the policy of generation {generation} is in force"
        until(lambda: told in self.site.first.log.read_text(), told)

    def forget_codes(self, person: Person) -> None:
        """Let the code that was used last be good again: nobody waits for the next one."""
        self._update(schema.factors, person, last_step=-1)

    def pass_time(self, person: Person, table: str, *columns: str, span: timedelta) -> None:
        """Move times of a user's rows into the past, all that are set."""
        rows = schema.metadata.tables[f"{schema.SCHEMA}.{table}"]
        of_user = rows.c["id" if rows is schema.users else "user_id"] == self.id_of(person)
        with self.db.write() as connection:
            for row in connection.execute(select(rows).where(of_user)).mappings().all():
                older = {name: row[name] - span for name in columns if row[name] is not None}
                key = next(iter(rows.primary_key.columns))
                connection.execute(update(rows).where(key == row[key.name]).values(older))

    def id_of(self, person: Person) -> int:
        """Return the user's id."""
        with self.db.read() as connection:
            found = connection.scalar(
                select(schema.users.c.id).where(schema.users.c.username == person.username)
            )
        assert isinstance(found, int)
        return found

    def _update(self, table: Table, person: Person, **values: object) -> None:
        with self.db.write() as connection:
            connection.execute(update(table).where(table.c.user_id == self.id_of(person)).values(values))


@contextmanager
def served_people(
    server: PostgresServer,
    root: Path,
    **sections: Any,  # noqa: ANN401 - as login_site takes them
) -> Iterator[LoginPeople]:
    """Run a log-in service over a database of its own during the ``with``, and give its people: nobody yet.

    Args:
        server: Where the database is made.
        root: An empty folder.
        sections: Of values.yaml.
    """
    url = server.url(server.create_database())
    with (
        login_site(root, database_url=url, login={"cookieDomain": DOMAIN}, **sections) as site,
        site.installation.database() as db,
    ):
        yield LoginPeople(site, db)
