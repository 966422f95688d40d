"""The first half of a log-in: name and password.

Whether a name exists shows neither in the answer nor in the time that it takes: the same statements run, and
for a name that is nobody's the password is verified against the hash of some other user, so that it takes as
long as the hashes that are stored take.
"""

from __future__ import annotations

from dataclasses import dataclass

from practicus_mfa.core.login.account import Account
from practicus_mfa.core.login.rules import Step
from practicus_mfa.core.usernames import parse_username
from practicus_mfa.crypto.password_policy import MOST_BYTES
from practicus_mfa.crypto.passwords import (
    hash_password,
    is_supported_hash,
    needs_rehash,
    verify_nobody,
    verify_password,
)
from practicus_mfa.login import throttling
from practicus_mfa.login.context import Client, LoginContext
from practicus_mfa.login.notices import LOGIN
from practicus_mfa.login.session_start import (
    Continue,
    Expired,
    LoggedIn,
    after_password,
    finish,
    open_half,
)
from practicus_mfa.login.throttling import Stopped
from practicus_mfa.storage import accounts, audit, unknown_names, users
from practicus_mfa.storage.attempts import Key
from practicus_mfa.storage.transaction import Transaction


@dataclass(frozen=True, slots=True)
class WrongCredentials:
    """Name and password do not belong together, or nobody may log in with them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RightPassword:
    """A password that was right: whose it is, and what it was stored as."""

    account: Account
    stored: str


def start(
    ctx: LoginContext, *, username: str, password: str, target: str, client: Client
) -> WrongCredentials | Stopped | Continue | LoggedIn:
    """Try a name and a password.

    Args:
        ctx: The surroundings.
        username: As typed.
        password: As typed.
        target: Where the user wants to go afterwards.
        client: Who asks.

    Raises:
        BusyError: Too many log-ins are under way.
        UnreachableError: The database is away.
    """
    answer = check_password(ctx, username=username, password=password, client=client)
    if not isinstance(answer, RightPassword):
        return answer
    with ctx.db.write() as connection:
        # Read again: it may have been disabled, or given a factor or another password, while this one was
        # hashed. Who changes it now waits, and then ends the session that begins here too.
        account = accounts.locked_account(connection, answer.account.id)
        if account is None or not account.is_active:
            return WrongCredentials()
        if accounts.password_hash(connection, account.id) != answer.stored:
            return WrongCredentials()
        return after_password(connection, ctx, account, target=target, client=client)


def check_password(
    ctx: LoginContext, *, username: str, password: str, client: Client
) -> WrongCredentials | Stopped | RightPassword:
    """Verify a password within the limits on tries; nothing else comes of it.

    Raises:
        BusyError: Too many log-ins are under way.
    """
    try:
        username = parse_username(username.strip())
    except ValueError:
        return WrongCredentials()  # nobody can have such a name
    if len(password) > MOST_BYTES:
        return WrongCredentials()  # nor such a password: to hash it is work that anybody could order
    with ctx.db.write() as connection:
        crowded = throttling.crowded(connection, client)
        found = accounts.account_named(connection, username)
        like = accounts.some_password_hash(connection, throttling.subject_of(username))
        device = throttling.known_device(connection, found[0] if found else None, client)
        keys = throttling.password_keys(username, client, device)
        stopped = (None if device else crowded) or throttling.reserve(connection, keys)
    if stopped:
        return stopped
    account, stored = found or (None, "")
    right = ctx.hashing.run(lambda: _is_right(password, stored, like=like))
    if not right or account is None or not account.is_active:
        _note_failure(ctx, username, account, client)
        return WrongCredentials()
    new_hash = ctx.hashing.run(lambda: hash_password(password)) if needs_rehash(stored) else None
    _note_success(ctx, account, keys, stored, new_hash)
    return RightPassword(account=account, stored=new_hash or stored)


def _is_right(password: str, stored: str, *, like: str) -> bool:
    if is_supported_hash(stored):
        return verify_password(password, stored)
    verify_nobody(password, like)
    return False


def _note_failure(ctx: LoginContext, username: str, account: Account | None, client: Client) -> None:
    with ctx.db.write() as connection:
        throttling.note_failing_name(connection, username, client)
        # A row in either case: which of them it is shows in no answer's time.
        if account is None:
            unknown_names.note(connection, client.address)
        else:
            note_refusal(connection, account, "wrong password", client)


def _note_success(
    ctx: LoginContext, account: Account, keys: tuple[Key, ...], stored: str, new_hash: str | None
) -> None:
    with ctx.db.write() as connection:
        if new_hash is not None:
            # Not over a password that was set meanwhile.
            users.set_password_hash(connection, account.id, new_hash, was=stored)
        throttling.take_back(connection, keys)


def note_refusal(connection: Transaction, account: Account, result: str, client: Client) -> None:
    """Append a log-in that was refused to the audit; the account's owner is told of it."""
    detail = {"address": client.address}
    audit.append(connection, account.username, LOGIN, subject=account.username, result=result, detail=detail)


def remember(ctx: LoginContext, half_token: str, *, remembered: bool, client: Client) -> LoggedIn | Expired:
    """Take the choice whether to stay logged in, of a user from whom no more is wanted."""
    with ctx.db.write() as connection:
        found = open_half(connection, ctx, half_token, lock=True)
        if found is None or found[1].step not in {Step.REMEMBER, Step.DONE}:
            return Expired()
        return finish(connection, ctx, found, remembered=remembered, factor=False, client=client)
