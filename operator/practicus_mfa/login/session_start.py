"""From a right password to a session: what is still missing, and the session itself when nothing is.

Between password and what the policy still wants there is a *half-login*: a record of its own, ten minutes
long, that grants nothing. What is missing is judged anew at each step, from the policy and the user of that
moment.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from practicus_mfa.core.login.account import Account
from practicus_mfa.core.login.rules import Step, deadline, may_be_remembered, next_step
from practicus_mfa.core.login.session import expires_at
from practicus_mfa.crypto.opaque import new_token, token_hash
from practicus_mfa.login.context import Acting, Client, LoginContext
from practicus_mfa.login.notices import Notice, since_last_login
from practicus_mfa.login.throttling import known_device
from practicus_mfa.storage import accounts, audit, devices, half_logins, sessions
from practicus_mfa.storage.engine import database_now
from practicus_mfa.storage.half_logins import HalfLogin
from practicus_mfa.storage.sessions import NewSession
from practicus_mfa.storage.transaction import Transaction

HALF_LOGIN: Final = timedelta(minutes=10)
"""How long the rest of a log-in may take after the password."""

KNOWN_DEVICE: Final = timedelta(days=365)
"""How long a browser counts as one that the user has logged in with."""


FRESH_MINUTES: Final = 5
"""How long a proof (password, and code where there is a factor) opens what changes an account."""

ADMINISTRATION_MINUTES: Final = 15
"""How long a code (where there is no factor: the password) lets an administrator act on others."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tokens:
    """What the browser is given, all of it secret.

    Attributes:
        session: The session's token, for this service alone.
        verify: Another token of the same session, good for forward-auth alone; only with a cookie domain.
        device: Marks the browser as known; only where it was not.
        remembered: The user stays logged in when the browser is closed.
        until: When the session ends at the latest.
        lasts: How long that is from when the tokens were made.
    """

    session: str = field(repr=False)
    verify: str | None = field(repr=False)
    device: str | None = field(default=None, repr=False)
    remembered: bool
    until: datetime
    lasts: timedelta


@dataclass(frozen=True, slots=True, kw_only=True)
class LoggedIn:
    """The user is in.

    Attributes:
        account: Whose session it is.
        tokens: What the browser is given.
        target: Where the user wanted to go, '' for nowhere in particular. As it came: who sends the browser
            there checks it.
        notices: What happened to the account since the last log-in.
    """

    account: Account
    tokens: Tokens
    target: str
    notices: tuple[Notice, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Continue:
    """Something is missing still.

    Attributes:
        half_token: The half-login's token, secret.
        step: What is missing.
    """

    half_token: str = field(repr=False)
    step: Step


@dataclass(frozen=True, slots=True)
class Expired:
    """There is no such half-login (any more): begin anew."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HalfState:
    """How far a half-login is.

    Attributes:
        account: Whose it is.
        step: What is missing.
        target: Where the user wanted to go.
        may_remember: Whether to offer to stay logged in.
    """

    account: Account
    step: Step
    target: str
    may_remember: bool


def after_password(
    connection: Transaction, ctx: LoginContext, account: Account, *, target: str, client: Client
) -> Continue | LoggedIn:
    """Go on where *account*'s password was right."""
    rules, now = ctx.rules(), database_now(connection)
    enrol_by = deadline(account, rules, now)
    if enrol_by is not None:
        accounts.set_enrol_by(connection, account.id, enrol_by)
    step = next_step(account, rules, now)
    if step is Step.DONE:
        return logged_in(
            connection, ctx, account, target=target, remembered=False, factor=False, client=client
        )
    token = new_token()
    half_logins.create(connection, account.id, token_hash(token), target=target, expires_at=now + HALF_LOGIN)
    return Continue(half_token=token, step=step)


def half(ctx: LoginContext, half_token: str) -> HalfState | None:
    """Return how far a half-login is, ``None`` where there is none."""
    with ctx.db.read() as connection:
        found = open_half(connection, ctx, half_token)
    return None if found is None else found[1]


def open_half(
    connection: Transaction, ctx: LoginContext, half_token: str, *, lock: bool = False
) -> tuple[HalfLogin, HalfState] | None:
    """Return a half-login and how far it is; ``None`` where there is none, or its user may not log in.

    Args:
        connection: A transaction, a writing one where *lock* is given.
        ctx: The surroundings.
        half_token: What the browser holds.
        lock: Who changes the user waits until the transaction ends, and then ends what began in it.
    """
    found = half_logins.find(connection, token_hash(half_token))
    read = accounts.locked_account if lock else accounts.account
    account = None if found is None else read(connection, found.user_id)
    if found is None or account is None or not account.is_active:
        return None
    rules = ctx.rules()
    return found, HalfState(
        account=account,
        step=next_step(account, rules, database_now(connection)),
        target=found.target,
        may_remember=may_be_remembered(account, rules),
    )


def finish(
    connection: Transaction,
    ctx: LoginContext,
    found: tuple[HalfLogin, HalfState],
    *,
    remembered: bool,
    factor: bool,
    client: Client,
) -> LoggedIn | Expired:
    """Turn a half-login into a session, once, whoever else tries.

    Args:
        connection: A writing transaction.
        ctx: The surroundings.
        found: The half-login.
        remembered: The user wants to stay logged in; without effect where the policy forbids it.
        factor: A second factor was given.
        client: Who asks.
    """
    present, state = found
    if not half_logins.end(connection, present.id):
        return Expired()
    return logged_in(
        connection,
        ctx,
        state.account,
        target=state.target,
        remembered=remembered,
        factor=factor,
        client=client,
    )


def logged_in(
    connection: Transaction,
    ctx: LoginContext,
    account: Account,
    *,
    target: str,
    remembered: bool,
    factor: bool,
    client: Client,
) -> LoggedIn:
    """Begin a session."""
    rules, now = ctx.rules(), database_now(connection)
    remembered = remembered and may_be_remembered(account, rules)
    notices = since_last_login(connection, account)
    until = expires_at(now, remembered=remembered, account=account, rules=rules)
    # Where MFA is switched off, a password is not enough to be known when it is on again.
    known = factor or not account.enrolled
    device = _new_device(connection, account, client, now) if known else None
    tokens = _tokens(ctx, device=device, remembered=remembered, until=until, now=now)
    sessions.create(
        connection,
        NewSession(
            user_id=account.id,
            token_hash=token_hash(tokens.session),
            verify_hash=None if tokens.verify is None else token_hash(tokens.verify),
            remembered=remembered,
            expires_at=tokens.until,
            proved_at=now,
            second_factor_at=now if factor else None,
            address=client.address,
            user_agent=client.user_agent,
        ),
    )
    accounts.record_login(connection, account.id)
    detail = {"address": client.address, "secondFactor": factor, "remembered": remembered}
    audit.append(connection, account.username, "login", subject=account.username, detail=detail)
    return LoggedIn(account=account, tokens=tokens, target=target, notices=notices)


def _tokens(
    ctx: LoginContext, *, device: str | None, remembered: bool, until: datetime, now: datetime
) -> Tokens:
    return Tokens(
        session=new_token(),
        verify=new_token() if ctx.config.cookie_domain else None,
        device=device,
        remembered=remembered,
        until=until,
        lasts=until - now,
    )


def _new_device(connection: Transaction, account: Account, client: Client, now: datetime) -> str | None:
    if known_device(connection, account, client) is not None:
        return None
    token = new_token()
    devices.create(connection, account.id, token_hash(token), expires_at=now + KNOWN_DEVICE)
    return token


def renewed(
    connection: Transaction,
    ctx: LoginContext,
    acting: Acting,
    *,
    factor: bool,
    proved_at: datetime | None = None,
) -> Tokens:
    """Let the acting session go on under new tokens: whoever knew the old ones is out.

    Args:
        connection: A writing transaction.
        ctx: The surroundings.
        acting: The session.
        factor: A second factor is given with it, now.
        proved_at: When password and code were given last; ``None``: now.
    """
    session, now = acting.session, database_now(connection)
    tokens = _tokens(ctx, device=None, remembered=session.remembered, until=session.expires_at, now=now)
    sessions.renew(
        connection,
        session.id,
        token_hash=token_hash(tokens.session),
        verify_hash=None if tokens.verify is None else token_hash(tokens.verify),
        proved_at=proved_at or now,
        second_factor_at=now if factor else session.second_factor_at,
    )
    return tokens
