"""A fresh proof: who changes an account gives password and code again, whatever the session says.

An open browser is not its owner. The proof counts against the same limits as a log-in, and gives the session
new tokens.
"""

from __future__ import annotations

from dataclasses import dataclass

from practicus_mfa.core.login import rules
from practicus_mfa.core.login.account import Account
from practicus_mfa.core.login.session import is_fresh
from practicus_mfa.login.context import Acting, Client, LoginContext
from practicus_mfa.login.log_in import RightPassword, WrongCredentials, check_password
from practicus_mfa.login.second_factor import (
    ClockSkew,
    RightCode,
    Unreadable,
    WrongCode,
    check_code,
    check_recovery_code,
    note_used_code,
)
from practicus_mfa.login.session_start import ADMINISTRATION_MINUTES, FRESH_MINUTES, Expired, Tokens, renewed
from practicus_mfa.login.throttling import Stopped
from practicus_mfa.storage import accounts, sessions
from practicus_mfa.storage.engine import database_now
from practicus_mfa.storage.sessions import StoredSession
from practicus_mfa.storage.transaction import Transaction


@dataclass(frozen=True, slots=True)
class Proved:
    """The proof is fresh; the session goes on under these tokens."""

    tokens: Tokens


def wants_code(ctx: LoginContext, account: Account) -> bool:
    """Whether a proof needs a code beside the password."""
    return rules.wants_code(account, ctx.rules())


def is_proved(ctx: LoginContext, session: StoredSession) -> bool:
    """Whether the session's last proof is still fresh."""
    with ctx.db.read() as connection:
        return is_fresh(session.proved_at, database_now(connection), FRESH_MINUTES)


def may_act(ctx: LoginContext, acting: Acting) -> bool:
    """Whether an administrator may act on others without giving a code (or the password) once more."""
    session = acting.session
    at = session.second_factor_at if wants_code(ctx, acting.account) else session.proved_at
    with ctx.db.read() as connection:
        return at is not None and is_fresh(at, database_now(connection), ADMINISTRATION_MINUTES)


def prove(
    ctx: LoginContext, acting: Acting, *, password: str, code: str, client: Client
) -> Proved | WrongCredentials | WrongCode | ClockSkew | Unreadable | Stopped | Expired:
    """Take a proof.

    Args:
        ctx: The surroundings.
        acting: Who proves.
        password: As typed.
        code: A code, or a recovery code; not looked at where :func:`wants_code` says no.
        client: Who asks.

    Raises:
        BusyError: Too many log-ins are under way.
        NotReadyError: This replica may not open factors at the moment.
    """
    answer = check_password(ctx, username=acting.account.username, password=password, client=client)
    if not isinstance(answer, RightPassword):
        return answer
    with ctx.db.write() as connection:
        account = accounts.locked_account(connection, acting.account.id)
        if account is None or not sessions.exists(connection, acting.session.id):
            return Expired()
        factor = wants_code(ctx, account)
        if factor:
            refused = _wrong(connection, ctx, account, code, client)
            if refused is not None:
                return refused
        return Proved(renewed(connection, ctx, acting, factor=factor))


def prove_to_act(
    ctx: LoginContext, acting: Acting, secret: str, client: Client
) -> Proved | WrongCredentials | WrongCode | ClockSkew | Unreadable | Stopped | Expired:
    """Take what :func:`may_act` asks for: a code or recovery code, or the password where there is no factor.

    Args:
        ctx: The surroundings.
        acting: The administrator.
        secret: As typed.
        client: Who asks.

    Raises:
        BusyError: Too many log-ins are under way.
        NotReadyError: This replica may not open factors at the moment.
    """
    if not wants_code(ctx, acting.account):
        return prove(ctx, acting, password=secret, code="", client=client)
    with ctx.db.write() as connection:
        account = accounts.locked_account(connection, acting.account.id)
        if account is None or not sessions.exists(connection, acting.session.id):
            return Expired()
        refused = _wrong(connection, ctx, account, secret, client)
        if refused is not None:
            return refused
        # A code alone: what wants password and code is as long ago as before.
        proved_at = acting.session.proved_at
        return Proved(renewed(connection, ctx, acting, factor=True, proved_at=proved_at))


def _wrong(
    connection: Transaction, ctx: LoginContext, account: Account, code: str, client: Client
) -> WrongCode | ClockSkew | Unreadable | Stopped | None:
    """Use a code or a recovery code; return what is wrong with it, ``None`` where it is right."""
    if _looks_like_a_code(code):
        answer = check_code(connection, ctx, account, code, client)
        return None if isinstance(answer, RightCode) else answer
    answer = check_recovery_code(connection, account, code, client)
    if not isinstance(answer, RightCode):
        return answer
    note_used_code(connection, account, client)
    return None


def _looks_like_a_code(typed: str) -> bool:
    # Recovery codes are much longer than any code of an app.
    return len("".join(typed.split())) <= 8
