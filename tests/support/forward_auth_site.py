"""A login service's forward-auth in a process of its own, with people who are logged in."""

from __future__ import annotations

import sys
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

import trustme

from practicus_mfa.crypto.opaque import new_token, token_hash
from practicus_mfa.storage import groups, sessions, users
from practicus_mfa.storage.engine import Database, database_now
from practicus_mfa.storage.policy_row import save_policy
from practicus_mfa.storage.sessions import NewSession
from practicus_mfa.storage.users import NewUser
from tests.support.cluster.guarded import GuardedProgram
from tests.support.forward_auth_server import Order
from tests.support.proxies import APP, HOSTS, OPEN, Behind
from tests.support.stores import ready
from tests.support.waiting import until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

LOGIN: Final[dict[str, Any]] = {
    "host": "login.example.com",
    "cookieDomain": "example.com",
    "trustedProxies": ["127.0.0.0/8"],
    "access": [
        {"hosts": [OPEN]},
        {"hosts": [APP], "paths": ["/admin/*"], "groups": ["root"]},
        {"hosts": [APP], "paths": ["/admin/*"], "deny": True},
        {"hosts": [APP], "groups": ["ops"]},
    ],
}
"""``login`` of values.yaml."""


@dataclass(frozen=True, slots=True)
class LoggedInUser:
    """A user's session, and its tokens."""

    id: int
    user_id: int
    session: str
    verify: str

    @property
    def cookie(self) -> tuple[str, str]:
        """The header that a browser sends to applications."""
        return ("Cookie", f"theme=dark; __Secure-mfa_verify={self.verify}")


@dataclass(frozen=True, slots=True, kw_only=True)
class ForwardAuthSite:
    """The service, and who is logged in.

    Attributes:
        db: Its database.
        port: On the loopback address.
        pid: Its process.
        ada: In the groups dev and ops, with a name that is not ASCII.
        bob: In no group, with nothing but a name.
    """

    db: Database
    port: int
    pid: int
    ada: LoggedInUser
    bob: LoggedInUser


def logged_in(db: Database, new: NewUser, *names: str) -> LoggedInUser:
    """Add a user who is in groups of these *names*, and a session."""
    session, verify = new_token(), new_token()
    with db.write() as connection:
        user = users.create(connection, new)
        for name in names:
            groups.create(connection, name)
            groups.add(connection, name, [user.id])
        now = database_now(connection)
        stored = sessions.create(
            connection,
            NewSession(
                user_id=user.id,
                token_hash=token_hash(session),
                verify_hash=token_hash(verify),
                remembered=False,
                expires_at=now + timedelta(hours=12),
                proved_at=now,
                second_factor_at=now,
            ),
        )
    return LoggedInUser(stored.id, user.id, session, verify)


@contextmanager
def forward_auth_site(folder: Path, url: str, *, patience: float = 1.0) -> Iterator[ForwardAuthSite]:
    """Serve forward-auth over a new database at *url*; *patience* is the order's."""
    with ready(url) as db:
        with db.write() as connection:
            save_policy(connection, 1, {})
        ada = logged_in(db, NewUser(username="ada", email="ada@example.com", name="Ada Şükrü"), "dev", "ops")
        bob = logged_in(db, NewUser(username="bob"))
        order, port_file = folder / "service", folder / "service.port"
        Order(url, LOGIN, patience).write(order)
        service = GuardedProgram(
            folder,
            "service",
            # A guard starts programs without this process' search path.
            [sys.executable, "-c", _START.format(path=[*sys.path], file=str(order))],
        )
        service.start()
        try:
            until(lambda: not service.running or port_file.exists(), "forward-auth to listen")
            assert service.running, service.log_end()
            port = int(port_file.read_text("ascii"))
            yield ForwardAuthSite(db=db, port=port, pid=service.pid, ada=ada, bob=bob)
        finally:
            service.stop()


_START: Final = (
    "import sys; sys.path[:] = {path!r}; sys.argv[1:] = [{file!r}];"
    " from tests.support.forward_auth_server import main; main()"
)


def behind(folder: Path, *, login_port: int, app_port: int) -> Behind:
    """Return what a proxy is to stand before, with a certificate for all its hosts."""
    authority = trustme.CA()
    issued = authority.issue_cert(*HOSTS)
    paths = folder / "tls.crt", folder / "tls.key", folder / "ca.crt"
    issued.private_key_pem.write_to_path(paths[1])
    for pem in issued.cert_chain_pems:
        pem.write_to_path(paths[0], append=True)
    authority.cert_pem.write_to_path(paths[2])
    return Behind(
        folder=folder,
        login_port=login_port,
        app_port=app_port,
        certificate=paths[0],
        key=paths[1],
        authority=paths[2],
    )
