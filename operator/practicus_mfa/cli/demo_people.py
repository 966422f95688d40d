"""The demo's users: many made-up ones, and three who can log in."""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from practicus_mfa.datafolder import DataFolder
from practicus_mfa.errors import UsageError

if TYPE_CHECKING:
    from practicus_mfa.login.candidates import Candidate

USERS: Final = 2_000
ENROLLED: Final = 1_500
ADMINISTRATORS: Final = 3

PEOPLE: Final = ("admin", "alice", "bob")
"""Who can log in: an administrator and a user with MFA, and a user without."""

_PLACES: Final = {1: "admin", ADMINISTRATORS + 1: "alice", USERS: "bob"}
"""Their places among the others: administrators first, users without MFA last."""

_EASY: Final = "abcdefghjkmnpqrstuvwxyz23456789"
"""Letters and digits that nobody takes for another one."""


def passwords() -> Mapping[str, str]:
    """Return new passwords of those who can log in."""
    return {name: _password() for name in PEOPLE}


def _password() -> str:
    """Return a password that is easy to type: 20 letters and digits without look-alikes, some 98 bits."""
    return "-".join("".join(secrets.choice(_EASY) for _ in range(5)) for _ in range(4))


def add_users(folder: DataFolder, passwords: Mapping[str, str] = MappingProxyType({})) -> None:
    """Add the made-up users to a folder whose platform has run; those with *passwords* can log in."""
    from practicus_mfa.clock import utc_now
    from practicus_mfa.login.candidates import Findings
    from practicus_mfa.login.import_users import import_users
    from practicus_mfa.reconciler.embedded.keyring_files import KeyringFiles
    from practicus_mfa.storage.engine import connect

    loaded = KeyringFiles(folder).load()
    assert loaded is not None, "the platform has just made it"  # noqa: S101 - an invariant
    held = loaded[1]
    findings = Findings()
    findings.candidates.extend(_candidates(passwords))
    db = connect(folder.sqlite_url)
    try:
        import_users(db, findings, source="demo", keys=lambda: held, clock=utc_now, actor="demo")
    finally:
        db.close()


def _candidates(passwords: Mapping[str, str]) -> Iterator[Candidate]:
    from practicus_mfa.crypto.totp import new_secret
    from practicus_mfa.login.candidates import Candidate, CandidateFactor
    from practicus_mfa.storage.users import NewUser

    for number in range(1, USERS + 1):
        name = _PLACES.get(number, f"user{number:04}")
        administrator = number <= ADMINISTRATORS
        yield Candidate(
            place=name,
            user=NewUser(
                username=name,
                email=f"{name}@example.org",
                is_staff=administrator,
                is_superuser=number == 1,
            ),
            password=passwords.get(name),
            factors=(CandidateFactor(secret=new_secret()),) if number <= ENROLLED else (),
        )


def code_of(folder: DataFolder, username: str) -> str:
    """Return a user's code of this moment.

    Raises:
        UsageError: There is no such user, or no MFA.
    """
    from practicus_mfa.crypto.totp import code_at, step_at
    from practicus_mfa.login.enrol import open_factor
    from practicus_mfa.reconciler.embedded.database_url import database_url
    from practicus_mfa.reconciler.embedded.keyring_files import KeyringFiles
    from practicus_mfa.storage import factors, users
    from practicus_mfa.storage.engine import connect

    loaded = KeyringFiles(folder).load()
    db = connect(database_url(folder))
    try:
        with db.read() as connection:
            of_user = factors.of_user(connection, users.get(connection, username).id)
    finally:
        db.close()
    if not of_user or loaded is None:
        raise UsageError(
            f"the user {username!r} has no MFA", remedy="log in with the password, and set it up at /enroll"
        )
    # The demo's factors, and those that are set up here, are the usual ones.
    return code_at(open_factor(of_user[0], loaded[1]).secret, step_at(int(time.time())))
