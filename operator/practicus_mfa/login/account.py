"""What a logged-in user does with the own account, and what the account page shows.

Whatever changes password or MFA ends every other session of the user in the same transaction; the acting one
goes on under new tokens. Whether the proof is fresh is asked here again, not only where the page is shown.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from practicus_mfa.core.login.account import Account
from practicus_mfa.core.login.rules import needs_factor
from practicus_mfa.core.login.session import Verdict, is_fresh, judge
from practicus_mfa.crypto.opaque import token_hash
from practicus_mfa.crypto.password_policy import check_password
from practicus_mfa.crypto.passwords import hash_password, verify_password
from practicus_mfa.crypto.tokens import UnreadableTokenError
from practicus_mfa.errors import RetryableError, UsageError
from practicus_mfa.login import new_password
from practicus_mfa.login.context import Acting, Client, LoginContext
from practicus_mfa.login.enrol import open_factor
from practicus_mfa.login.recovery_codes import give_recovery_codes
from practicus_mfa.login.session_start import FRESH_MINUTES, Tokens, renewed
from practicus_mfa.login.throttling import known_device
from practicus_mfa.storage import accounts, audit, factors, recovery_codes, sessions
from practicus_mfa.storage.engine import database_now
from practicus_mfa.storage.sessions import StoredSession
from practicus_mfa.storage.transaction import Transaction


class NotProvedError(UsageError):
    """The last proof is too old for what was asked."""

    def __init__(self) -> None:
        """Say so."""
        super().__init__("Your last proof is too old for that.", remedy="Give password and code again.")


class SamePasswordError(UsageError):
    """Who is to choose another password chose the one that somebody else knows."""

    def __init__(self) -> None:
        """Say so."""
        super().__init__("That is the password that somebody else chose.", remedy="Choose another one.")


class NoFactorError(UsageError):
    """There is no factor, or the policy does not let it go."""

    def __init__(self, why: str) -> None:
        """Say why."""
        super().__init__(why, remedy="Reload the account page.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Current:
    """The session that a browser's token names, judged *at* a moment of the database's clock."""

    session: StoredSession
    account: Account
    verdict: Verdict
    at: datetime

    @property
    def acting(self) -> Acting:
        """Session and account, for use cases."""
        return Acting(session=self.session, account=self.account)


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountState:
    """What the account page shows of MFA.

    Attributes:
        mfa_enabled: MFA is switched on.
        enrolled: There is a factor.
        readable: It can be read; ``None`` where this replica can't tell at the moment.
        codes_left: Recovery codes that were not used.
        required: The policy wants a factor of this user.
        enrol_by: Until when one must be set up, where a grace period runs.
    """

    mfa_enabled: bool
    enrolled: bool
    readable: bool | None
    codes_left: int
    required: bool
    enrol_by: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class NewCodes:
    """Recovery codes, to be shown this once, and the session's new tokens."""

    codes: tuple[str, ...] = field(repr=False)
    tokens: Tokens


def current(ctx: LoginContext, session_token: str) -> Current | None:
    """Return the session of a token, judged by the policy in force; ``None`` where there is none."""
    hashed = token_hash(session_token)
    with ctx.db.read() as connection:
        found = sessions.load(connection, [hashed]).get(hashed)
        now = database_now(connection)
    # The other token is good for forward-auth alone.
    if found is None or found.for_verify:
        return None
    verdict = judge(found.session.facts(), found.account, ctx.rules(), now)
    return Current(session=found.session, account=found.account, verdict=verdict, at=now)


def state(ctx: LoginContext, acting: Acting) -> AccountState:
    """Return what the account page shows of MFA."""
    account, rules = acting.account, ctx.rules()
    with ctx.db.read() as connection:
        stored = factors.of_user(connection, account.id)
        left = recovery_codes.left(connection, account.id)
    required = needs_factor(account, rules)
    return AccountState(
        mfa_enabled=rules.mfa.enabled,
        enrolled=bool(stored),
        readable=_readable(ctx, stored),
        codes_left=left,
        required=required,
        enrol_by=account.enrol_by if required and not stored else None,
    )


def _readable(ctx: LoginContext, stored: tuple[factors.Factor, ...]) -> bool | None:
    try:
        keys = ctx.keys()
    except RetryableError:
        return None
    for factor in stored:
        try:
            open_factor(factor, keys)
        except UnreadableTokenError:
            continue
        return True
    return not stored


def log_out(ctx: LoginContext, session_token: str, client: Client) -> None:
    """End the session of a token, for *client*; nothing where there is none."""
    hashed = token_hash(session_token)
    with ctx.db.write() as connection:
        found = sessions.load(connection, [hashed]).get(hashed)
        if found is not None and not found.for_verify:
            sessions.end(connection, found.session.id, user_id=found.account.id)
            name = found.account.username
            audit.append(connection, name, "logout", subject=name, detail={"address": client.address})


def log_out_everywhere(ctx: LoginContext, acting: Acting, *, but_here: bool = False) -> int:
    """End all sessions of the acting user; return how many.

    Args:
        ctx: The surroundings.
        acting: Who acts.
        but_here: The acting session goes on.
    """
    with ctx.db.write() as connection:
        but = acting.session.id if but_here else None
        ended = sessions.end_all(connection, acting.account.id, but=but)
        _note(connection, acting, "logout.everywhere", sessions=ended)
    return ended


def sessions_of(ctx: LoginContext, acting: Acting) -> tuple[StoredSession, ...]:
    """Return the sessions of the acting user."""
    with ctx.db.read() as connection:
        return sessions.of_user(connection, acting.account.id)


def end_session(ctx: LoginContext, acting: Acting, session_id: int) -> bool:
    """End one of the acting user's sessions; return whether there was one."""
    with ctx.db.write() as connection:
        ended = sessions.end(connection, session_id, user_id=acting.account.id)
        if ended:
            _note(connection, acting, "session.end")
    return ended


def new_recovery_codes(ctx: LoginContext, acting: Acting) -> NewCodes:
    """Replace the acting user's recovery codes.

    Raises:
        NotProvedError: The last proof is too old.
        NoFactorError: There is no factor that they could stand in for, or MFA is switched off.
    """
    _check_mfa_is_on(ctx)
    with ctx.db.write() as connection:
        _check_proof(connection, acting)
        stored = factors.of_user(connection, acting.account.id)
        if not stored:
            raise NoFactorError("There is no authenticator app that recovery codes could stand in for.")
        codes = give_recovery_codes(connection, stored[0].id)
        return NewCodes(codes=codes, tokens=_changed(connection, ctx, acting, "recovery-codes.renew"))


def remove_factor(ctx: LoginContext, acting: Acting) -> Tokens:
    """Remove the acting user's MFA, where the policy does not want it.

    Raises:
        NotProvedError: The last proof is too old.
        NoFactorError: There is none, or the policy wants it, or MFA is switched off.
    """
    _check_mfa_is_on(ctx)
    if needs_factor(acting.account, ctx.rules()):
        raise NoFactorError("Your organisation wants you to have MFA; set up a new app instead.")
    with ctx.db.write() as connection:
        _check_proof(connection, acting)
        if not factors.remove_all(connection, acting.account.id):
            raise NoFactorError("There is no MFA to remove.")
        return _changed(connection, ctx, acting, "mfa.remove")


def change_password(ctx: LoginContext, acting: Acting, *, new: str) -> Tokens:
    """Replace the acting user's password.

    Raises:
        NotProvedError: The last proof is too old.
        PasswordRefusedError: It is too short, too long or common.
        SamePasswordError: Another one must be chosen, and it is the present one.
        BusyError: Too many log-ins are under way.
    """
    checked = check_password(new)
    if acting.account.must_change_password:
        with ctx.db.read() as connection:
            present = accounts.password_hash(connection, acting.account.id)
        if ctx.hashing.run(lambda: verify_password(new, present)):
            raise SamePasswordError
    hashed = ctx.hashing.run(lambda: hash_password(checked))
    with ctx.db.write() as connection:
        _check_proof(connection, acting)
        new_password.put_in_force(
            connection,
            acting.account.id,
            hashed,
            but=acting.session.id,
            but_device=known_device(connection, acting.account, acting),
        )
        _note(connection, acting, "user.set-password")
        return _renewed(connection, ctx, acting)


def renew_tokens(ctx: LoginContext, acting: Acting) -> Tokens:
    """Let the acting session go on under new tokens, with all those that the configuration asks for."""
    with ctx.db.write() as connection:
        return _renewed(connection, ctx, acting)


def _check_mfa_is_on(ctx: LoginContext) -> None:
    # Else a proof is a password alone, and would outlast the time in which a password is enough.
    if not ctx.rules().mfa.enabled:
        raise NoFactorError("MFA is switched off: what was set up stays as it is until it is on again.")


def _check_proof(connection: Transaction, acting: Acting) -> None:
    # Locked first: whoever ended this session meanwhile is seen, and who would end it now waits.
    accounts.locked_account(connection, acting.account.id)
    fresh = is_fresh(acting.session.proved_at, database_now(connection), FRESH_MINUTES)
    if not fresh or not sessions.exists(connection, acting.session.id):
        raise NotProvedError


def _changed(connection: Transaction, ctx: LoginContext, acting: Acting, action: str) -> Tokens:
    sessions.end_all(connection, acting.account.id, but=acting.session.id)
    _note(connection, acting, action)
    return _renewed(connection, ctx, acting)


def _renewed(connection: Transaction, ctx: LoginContext, acting: Acting) -> Tokens:
    # The proof was not given now: its time stays what it was.
    return renewed(connection, ctx, acting, factor=False, proved_at=acting.session.proved_at)


def _note(connection: Transaction, acting: Acting, action: str, **detail: int) -> None:
    name = acting.account.username
    audit.append(connection, name, action, subject=name, detail={"address": acting.address, **detail})
