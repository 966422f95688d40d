"""Sessions: who is logged in, found by the hash of the token that a browser holds.

A row is what was done and when; what it is worth is judged by :mod:`practicus_mfa.core.login.session` at each
use. A session that ends is deleted: there is no row that a slip could bring back to life.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Final

from sqlalchemy import (
    ARRAY,
    ColumnElement,
    Connection,
    LargeBinary,
    RowMapping,
    bindparam,
    delete,
    func,
    insert,
    or_,
    select,
    text,
    update,
)

from practicus_mfa.core.login.account import Account
from practicus_mfa.core.login.session import SessionFacts
from practicus_mfa.storage import expiry
from practicus_mfa.storage.accounts import account_columns, to_account
from practicus_mfa.storage.schema import SCHEMA, sessions, users

LONGEST_USER_AGENT: Final = 256
"""Characters that are kept of what a browser says it is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NewSession:
    """A session to be stored.

    Attributes:
        user_id: Whose.
        token_hash: SHA-256 of the token in the login host's cookie.
        verify_hash: The same of the token that is good for forward-auth alone.
        remembered: The user stays logged in when the browser is closed.
        expires_at: The absolute end.
        proved_at: When password, and code where there is a factor, were last given.
        second_factor_at: When a code was last given.
        address: Where the user logged in from.
        user_agent: With what.
    """

    user_id: int
    token_hash: bytes = field(repr=False)
    verify_hash: bytes | None = field(repr=False)
    remembered: bool
    expires_at: datetime
    proved_at: datetime
    second_factor_at: datetime | None
    address: str = ""
    user_agent: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredSession(NewSession):
    """A session as stored.

    Attributes:
        id: The row's id.
        created_at: When the user logged in.
        last_used_at: When it was used last, to five minutes.
    """

    id: int
    created_at: datetime
    last_used_at: datetime

    def facts(self) -> SessionFacts:
        """Return what the session is judged by."""
        return SessionFacts(
            created_at=self.created_at,
            expires_at=self.expires_at,
            last_used_at=self.last_used_at,
            remembered=self.remembered,
            second_factor_at=self.second_factor_at,
            proved_at=self.proved_at,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionOfUser:
    """A session and whose it is; *for_verify*: found by the token that is good for forward-auth alone."""

    session: StoredSession
    account: Account
    for_verify: bool


_COLUMNS: Final = tuple(sessions.c)


def _to_session(row: RowMapping) -> StoredSession:
    return StoredSession(**{column.name: row[column] for column in _COLUMNS})


def create(connection: Connection, new: NewSession) -> StoredSession:
    """Begin a session."""
    # PostgreSQL keeps no NUL in a text; what a client calls itself is of no use with one.
    values = {**asdict(new), "user_agent": new.user_agent.replace("\0", "")[:LONGEST_USER_AGENT]}
    row = connection.execute(insert(sessions).values(values).returning(*_COLUMNS)).mappings().one()
    return _to_session(row)


def load(connection: Connection, hashes: Sequence[bytes]) -> Mapping[bytes, SessionOfUser]:
    """Return the unexpired sessions of token hashes, by the hash, with their accounts; at most 1,000 at once.

    One statement, so that session and account are of one moment.
    """
    if not hashes:
        return {}
    query = (
        select(*_COLUMNS, *account_columns(connection))
        .select_from(sessions.join(users))
        .where(_has_one_of(connection, hashes), expiry.unexpired(sessions))
    )
    wanted, found = frozenset(hashes), {}
    for row in connection.execute(query).mappings():
        session, account = _to_session(row), to_account(row)
        for hashed, for_verify in ((session.token_hash, False), (session.verify_hash, True)):
            if hashed in wanted:
                found[hashed] = SessionOfUser(session=session, account=account, for_verify=for_verify)
    return found


def _has_one_of(connection: Connection, hashes: Sequence[bytes]) -> ColumnElement[bool]:
    columns = (sessions.c.token_hash, sessions.c.verify_hash)
    if connection.dialect.name != "postgresql":
        return or_(*(column.in_(hashes) for column in columns))
    # An array that is joined: one parameter, where the driver would take longer to read thousands than the
    # server to find the rows; and each is looked up in the indexes, where the server would read the whole
    # table for a long list.
    wanted = func.unnest(bindparam("hashes", list(hashes), type_=ARRAY(LargeBinary))).column_valued("wanted")
    return or_(*(column == wanted for column in columns))


def exists(connection: Connection, session_id: int) -> bool:
    """Whether a session has not ended."""
    query = select(sessions.c.id).where(sessions.c.id == session_id)
    return connection.execute(query).first() is not None


def of_user(connection: Connection, user_id: int) -> tuple[StoredSession, ...]:
    """Return a user's unexpired sessions, the one that was used last first."""
    query = (
        select(*_COLUMNS)
        .where(sessions.c.user_id == user_id, expiry.unexpired(sessions))
        .order_by(sessions.c.last_used_at.desc(), sessions.c.id.desc())
    )
    return tuple(map(_to_session, connection.execute(query).mappings()))


def renew(
    connection: Connection,
    session_id: int,
    *,
    token_hash: bytes,
    verify_hash: bytes | None,
    proved_at: datetime,
    second_factor_at: datetime | None,
) -> bool:
    """Let a session go on under other tokens; return whether there still was one."""
    renewed = connection.execute(
        update(sessions)
        .where(sessions.c.id == session_id)
        .values(
            token_hash=token_hash,
            verify_hash=verify_hash,
            proved_at=proved_at,
            second_factor_at=second_factor_at,
        )
        .returning(sessions.c.id)
    )
    return renewed.first() is not None


def end(connection: Connection, session_id: int, *, user_id: int) -> bool:
    """End one session of a user; return whether there was one."""
    ended = connection.execute(
        delete(sessions)
        .where(sessions.c.id == session_id, sessions.c.user_id == user_id)
        .returning(sessions.c.id)
    )
    return ended.first() is not None


def end_all(connection: Connection, user_id: int, *, but: int | None = None) -> int:
    """End a user's sessions, all *but* one where it is given; return how many."""
    # Locked in one order: two that end the same sessions don't wait for each other in a ring.
    mine = select(sessions.c.id).where(sessions.c.user_id == user_id).order_by(sessions.c.id)
    if but is not None:
        mine = mine.where(sessions.c.id != but)
    return connection.execute(delete(sessions).where(sessions.c.id.in_(mine.with_for_update()))).rowcount


def touch(connection: Connection, last_uses: Mapping[int, datetime]) -> None:
    """Note when sessions were used last, in one statement; a later use that is stored stays.

    A session that somebody else changes at the moment is left out: replicas that note the same sessions, each
    in its own order, would wait for each other in a ring, and the next use is noted again.
    """
    if not last_uses:
        return
    if connection.dialect.name == "postgresql":
        connection.execute(
            text(
                f"UPDATE {SCHEMA}.mfa_sessions AS session SET last_used_at = used.at"  # noqa: S608 - our schema
                " FROM unnest(CAST(:ids AS bigint[]), CAST(:ats AS timestamptz[])) AS used (id, at)"
                " WHERE session.id = used.id AND session.last_used_at < used.at AND session.id IN ("
                f"SELECT id FROM {SCHEMA}.mfa_sessions WHERE id = ANY (CAST(:ids AS bigint[]))"
                " FOR NO KEY UPDATE SKIP LOCKED)"
            ),
            {"ids": list(last_uses), "ats": list(last_uses.values())},
        )
        return
    used = update(sessions).where(
        sessions.c.id == bindparam("used_id"), sessions.c.last_used_at < bindparam("used_at")
    )
    rows = [{"used_id": session, "used_at": at} for session, at in last_uses.items()]
    connection.execute(used.values(last_used_at=bindparam("used_at")), rows)


def delete_expired(connection: Connection) -> int:
    """Delete sessions whose absolute end has passed; return how many."""
    return expiry.delete_expired(connection, sessions)
