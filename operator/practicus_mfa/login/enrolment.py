"""Setting up an authenticator app: a secret is offered, and counts from the first right code on.

The offered secret is the same for ten minutes, for every tab and reload of a browser, and grants nothing.
What is kept of it, encrypted, is a seed that nobody is shown: each half-login and each session is offered a
secret of its own. So who knows the password too, and looks, does not see what the owner sets up; and who
puts a factor's token in the seed's place is not shown what it holds. The code that proves a secret is used up
like any other. What was offered is sealed when it becomes the factor, so it is under the key that writes at
that moment.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from typing import Final, TypeAlias

from practicus_mfa.core.keyring import KeyId
from practicus_mfa.core.login.account import Account
from practicus_mfa.core.login.rules import Step
from practicus_mfa.core.login.session import is_fresh
from practicus_mfa.crypto.opaque import token_hash
from practicus_mfa.crypto.tokens import UnreadableTokenError, open_sealed, seal
from practicus_mfa.crypto.totp import USUAL as USUAL_PARAMETERS
from practicus_mfa.crypto.totp import key_uri, matching_step, new_secret, secret_for, secret_text
from practicus_mfa.login.context import Acting, Client, LoginContext
from practicus_mfa.login.enrol import Secret, add_factor, held_key
from practicus_mfa.login.notices import Notice
from practicus_mfa.login.recovery_codes import give_recovery_codes
from practicus_mfa.login.second_factor import is_skewed
from practicus_mfa.login.session_start import (
    FRESH_MINUTES,
    Expired,
    HalfState,
    LoggedIn,
    Tokens,
    finish,
    open_half,
    renewed,
)
from practicus_mfa.login.throttling import known_device
from practicus_mfa.storage import accounts, audit, devices, factors, pending_factors, sessions, users
from practicus_mfa.storage.engine import database_now
from practicus_mfa.storage.factors import TotpParameters
from practicus_mfa.storage.half_logins import HalfLogin
from practicus_mfa.storage.transaction import Transaction
from practicus_mfa.storage.writer import with_token_write

OFFERED: Final = timedelta(minutes=10)
"""How long a secret that was shown may be proved."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Half:
    """Who enrols before being logged in: a half-login's token."""

    token: str = field(repr=False)


EnrolBy: TypeAlias = Half | Acting


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """A secret to be set up in an app. All of it is secret.

    Attributes:
        secret_text: The secret in base32, for who can't scan.
        uri: The same as an ``otpauth:`` address, for a QR code.
    """

    secret_text: str = field(repr=False)
    uri: str = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Enrolled:
    """The factor counts.

    Attributes:
        codes: Recovery codes, to be shown this once.
        tokens: What the browser is given.
        target: Where the user wanted to go; '' for who was logged in.
        notices: What happened to the account since the last log-in; none for who was logged in.
    """

    codes: tuple[str, ...] = field(repr=False)
    tokens: Tokens
    target: str
    notices: tuple[Notice, ...] = ()


@dataclass(frozen=True, slots=True)
class WrongFirstCode:
    """The code is not the secret's; with *skewed* it is, but of another time: a clock is wrong."""

    skewed: bool = False


@dataclass(frozen=True, slots=True)
class AlreadyEnrolled:
    """There is a factor, readable or not, and nothing that permits to replace it."""


def begin(ctx: LoginContext, account: Account, who: EnrolBy) -> Offer:
    """Return the secret that is offered to *account*, a new one where none is.

    Args:
        ctx: The surroundings.
        account: Who enrols.
        who: The half-login or the session that the account is known by.

    Raises:
        NotReadyError: This replica may not write tokens at the moment.
    """
    with ctx.db.read() as connection:
        seed = _seed(connection, ctx, account)
    if seed is None:
        seed = with_token_write(ctx.db, lambda connection, key: _new_seed(connection, key, ctx, account))
    secret = _secret_of(who, seed)
    uri = key_uri(secret, issuer=ctx.config.branding.issuer, account=account.username)
    return Offer(secret_text=secret_text(secret), uri=uri)


def _secret_of(who: EnrolBy, seed: bytes) -> bytes:
    whom = (
        f"half-login {token_hash(who.token).hex()}" if isinstance(who, Half) else f"session {who.session.id}"
    )
    return secret_for(seed, whom)


def _seed(connection: Transaction, ctx: LoginContext, account: Account) -> bytes | None:
    token = pending_factors.get(connection, account.id)
    if token is None:
        return None
    try:
        return open_sealed(token, owner=account.id, keys=ctx.keys()).secret
    except UnreadableTokenError:
        # Its key has left the keyring within these ten minutes. Nobody depends on it yet.
        return None


def _new_seed(connection: Transaction, key: KeyId, ctx: LoginContext, account: Account) -> bytes:
    users.get(connection, account.username, lock=True)
    # Another tab may have been first: both show the same.
    seed = _seed(connection, ctx, account)
    if seed is None:
        seed = new_secret()
        sealed = seal(seed, owner=account.id, key=held_key(ctx.keys(), key), now=int(ctx.clock().timestamp()))
        expires_at = database_now(connection) + OFFERED
        pending_factors.save(connection, account.id, sealed, expires_at=expires_at)
    return seed


def confirm(
    ctx: LoginContext, who: EnrolBy, *, code: str, remembered: bool, client: Client
) -> Enrolled | WrongFirstCode | AlreadyEnrolled | Expired:
    """Make the offered secret the user's factor, where *code* is its code.

    Who has a factor already may replace it with a proof that is fresh. All other sessions of the user end.

    Args:
        ctx: The surroundings.
        who: Who enrols.
        code: As typed.
        remembered: Who is not logged in yet wants to stay logged in.
        client: Who asks.

    Raises:
        NotReadyError: This replica may not write tokens at the moment.
    """

    def write(connection: Transaction, key: KeyId) -> Enrolled | WrongFirstCode | AlreadyEnrolled | Expired:
        found = open_half(connection, ctx, who.token, lock=True) if isinstance(who, Half) else None
        if isinstance(who, Half) and (found is None or found[1].step not in {Step.ENROL, Step.REMEMBER}):
            return Expired()
        account_id = found[1].account.id if found else _acting(who).account.id
        account = accounts.locked_account(connection, account_id)
        if account is None or not account.is_active or _is_ended(connection, who):
            return Expired()
        if account.enrolled and not _may_replace(connection, who):
            return AlreadyEnrolled()
        seed = _seed(connection, ctx, account)
        if seed is None:
            return Expired()
        secret = _secret_of(who, seed)
        step = _proving_step(ctx, secret, code)
        if isinstance(step, WrongFirstCode):
            return step
        sessions.end_all(connection, account.id, but=None if found else _acting(who).session.id)
        codes = _replace_factor(connection, key, ctx, account, secret, step)
        # What a password made known gets no tries of its own at the codes.
        devices.delete_all(connection, account.id, but=known_device(connection, account, client))
        if found is None:
            enrolled = Enrolled(
                codes=codes, tokens=renewed(connection, ctx, _acting(who), factor=True), target=""
            )
        else:
            enrolled = _finished(connection, ctx, found, codes, remembered=remembered, client=client)
        # After the line of a log-in that ends with it, so that the next one tells of it.
        name, detail = account.username, {"address": client.address}
        audit.append(connection, name, "mfa.enrol", subject=name, detail=detail)
        return enrolled

    try:
        return with_token_write(ctx.db, write)
    except _LostError:
        return Expired()


class _LostError(Exception):
    """The half-login was used by another request."""


def _finished(
    connection: Transaction,
    ctx: LoginContext,
    found: tuple[HalfLogin, HalfState],
    codes: tuple[str, ...],
    *,
    remembered: bool,
    client: Client,
) -> Enrolled:
    result = finish(connection, ctx, found, remembered=remembered, factor=True, client=client)
    if not isinstance(result, LoggedIn):
        # Somebody else ended the half-login: what was written goes back with the transaction.
        raise _LostError
    return Enrolled(codes=codes, tokens=result.tokens, target=result.target, notices=result.notices)


def _acting(who: EnrolBy) -> Acting:
    assert isinstance(who, Acting)  # noqa: S101 - the only other kind
    return who


def _is_ended(connection: Transaction, who: EnrolBy) -> bool:
    return isinstance(who, Acting) and not sessions.exists(connection, who.session.id)


def _may_replace(connection: Transaction, who: EnrolBy) -> bool:
    return isinstance(who, Acting) and is_fresh(
        who.session.proved_at, database_now(connection), FRESH_MINUTES
    )


def _proving_step(ctx: LoginContext, secret: bytes, code: str) -> int | WrongFirstCode:
    typed, now = "".join(code.split()), int(ctx.clock().timestamp())
    step = matching_step(secret, typed, now=now)
    if step is not None:
        return step
    skewed = len(typed) == USUAL_PARAMETERS.digits and is_skewed(secret, typed, now, USUAL_PARAMETERS)
    return WrongFirstCode(skewed=skewed)


def _replace_factor(
    connection: Transaction, key: KeyId, ctx: LoginContext, account: Account, secret: bytes, step: int
) -> tuple[str, ...]:
    factors.remove_all(connection, account.id)
    totp = TotpParameters(last_step=step)
    factor_id = add_factor(
        connection, key, Secret(user_id=account.id, secret=secret, totp=totp), ctx.keys(), ctx.clock
    )
    pending_factors.delete_of(connection, account.id)
    return give_recovery_codes(connection, factor_id)
