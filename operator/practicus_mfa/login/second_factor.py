"""The second half of a log-in: a code of the authenticator app, or a recovery code.

A code is used once (RFC 6238, section 5.2), and the database decides who used it. A factor that no key opens
is not a missing one: no code gets past it, a recovery code does.
"""

from __future__ import annotations

import logging
import re
from dataclasses import dataclass
from typing import Final, TypeAlias

from practicus_mfa.core.login.account import Account
from practicus_mfa.core.login.rules import Step
from practicus_mfa.crypto.recovery_codes import code_hash
from practicus_mfa.crypto.tokens import CorruptTokenError, UnreadableTokenError
from practicus_mfa.crypto.totp import Parameters, matching_step
from practicus_mfa.login import throttling
from practicus_mfa.login.context import Client, LoginContext
from practicus_mfa.login.enrol import open_factor
from practicus_mfa.login.log_in import note_refusal
from practicus_mfa.login.session_start import Expired, LoggedIn, finish, open_half
from practicus_mfa.login.throttling import Stopped
from practicus_mfa.storage import audit, factors, recovery_codes
from practicus_mfa.storage.engine import database_now
from practicus_mfa.storage.factors import Factor
from practicus_mfa.storage.transaction import Transaction

SKEW: Final = 10
"""Steps: a code as far off as this tells of a wrong clock rather than of a wrong code."""

_CODE: Final = re.compile(r"[0-9]{6,8}", re.ASCII)

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class WrongCode:
    """The code is wrong, or was used before: the user is told the same."""


@dataclass(frozen=True, slots=True)
class ClockSkew:
    """The code is that of another time; to be counted, and shown as a wrong one."""


@dataclass(frozen=True, slots=True)
class Unreadable:
    """The user's factor can't be read by any key: a recovery code or an administrator helps."""


@dataclass(frozen=True, slots=True)
class RightCode:
    """The code was right, and is used up when the transaction commits."""


CodeRefused: TypeAlias = WrongCode | ClockSkew | Stopped | Unreadable


def give_code(
    ctx: LoginContext, half_token: str, *, code: str, remembered: bool, client: Client
) -> LoggedIn | CodeRefused | Expired:
    """Try a code, and log in where it is right.

    Raises:
        NotReadyError: This replica may not open factors at the moment.
    """
    with ctx.db.write() as connection:
        found = open_half(connection, ctx, half_token, lock=True)
        if found is None or found[1].step is not Step.CODE:
            return Expired()
        answer = check_code(connection, ctx, found[1].account, code, client)
        if not isinstance(answer, RightCode):
            return answer
        return finish(connection, ctx, found, remembered=remembered, factor=True, client=client)


def give_recovery_code(
    ctx: LoginContext, half_token: str, *, code: str, remembered: bool, client: Client
) -> LoggedIn | CodeRefused | Expired:
    """Try a recovery code, and log in where it is right. No key is needed."""
    with ctx.db.write() as connection:
        found = open_half(connection, ctx, half_token, lock=True)
        if found is None or found[1].step is not Step.CODE:
            return Expired()
        answer = check_recovery_code(connection, found[1].account, code, client)
        if not isinstance(answer, RightCode):
            return answer
        result = finish(connection, ctx, found, remembered=remembered, factor=True, client=client)
        note_used_code(connection, found[1].account, client)
        return result


def check_code(
    connection: Transaction, ctx: LoginContext, account: Account, code: str, client: Client
) -> RightCode | CodeRefused:
    """Try a code of *account*'s factors within the limits on tries.

    Args:
        connection: A writing transaction; the tries, and the code, count when it commits.
        ctx: The surroundings.
        account: Whose factors.
        code: As typed.
        client: Who asks.

    Raises:
        NotReadyError: This replica may not open factors at the moment.
    """
    device = throttling.known_device(connection, account, client)
    key = throttling.code_key(account, device)
    # While the counter is locked nobody else tries this user's codes: the limit can't be raced past.
    counters = throttling.lock(connection, [key])
    now = database_now(connection)
    if stopped := throttling.stop_of(counters, now):
        return stopped
    answer = _compare(connection, ctx, account, "".join(code.split()), client)
    match answer:
        case RightCode():
            throttling.take_back(connection, [key])
        case _Used():
            note_refusal(connection, account, "used code", client)
            return WrongCode()
        case Unreadable():
            note_refusal(connection, account, "unreadable factor", client)
        case WrongCode() | ClockSkew():
            throttling.count(connection, counters, now)
            result = "clock skew" if isinstance(answer, ClockSkew) else "wrong code"
            note_refusal(connection, account, result, client)
    return answer


@dataclass(frozen=True, slots=True)
class _Used:
    """The code was right once."""


def _compare(
    connection: Transaction, ctx: LoginContext, account: Account, typed: str, client: Client
) -> RightCode | _Used | WrongCode | ClockSkew | Unreadable:
    """Compare *typed* with the codes of each factor; usually there is one, an import may bring more."""
    keys, now = ctx.keys(), int(ctx.clock().timestamp())
    well_formed = _CODE.fullmatch(typed) is not None
    read, used, skewed = 0, False, False
    for factor in factors.of_user(connection, account.id):
        try:
            secret = open_factor(factor, keys).secret
        except UnreadableTokenError as error:
            _tell(connection, account, factor, error, client)
            continue
        read += 1
        parameters = parameters_of(factor)
        step = matching_step(secret, typed, now=now, parameters=parameters) if well_formed else None
        if step is not None:
            if factors.advance(connection, factor.id, step):
                return RightCode()
            used = True
        elif well_formed and is_skewed(secret, typed, now, parameters):
            skewed = True
    if not read:
        return Unreadable()
    if used:
        return _Used()
    return ClockSkew() if skewed else WrongCode()


def _tell(
    connection: Transaction, account: Account, factor: Factor, error: UnreadableTokenError, client: Client
) -> None:
    """Tell administrators of a factor that does not open: a moved token may be an attack."""
    log.warning("a factor of user id %d does not open: %s", account.id, error.message)
    if isinstance(error, CorruptTokenError):
        detail = {"address": client.address, "factor": factor.id, "reason": str(error.reason)}
        audit.append(
            connection,
            account.username,
            "mfa.open",
            subject=account.username,
            result="refused",
            detail=detail,
        )


def parameters_of(factor: Factor) -> Parameters:
    """Return how *factor* makes its codes."""
    totp = factor.totp
    return Parameters(
        algorithm=totp.algorithm.lower(),  # type: ignore[arg-type]  # the store keeps what imports checked
        digits=totp.digits,
        period=totp.period,
        drift=totp.drift,
    )


def is_skewed(secret: bytes, typed: str, now: int, parameters: Parameters) -> bool:
    """Whether *typed* is a code of another time, up to :data:`SKEW` steps away."""
    # Each comparison covers three steps.
    moments = (now + steps * parameters.period for steps in range(-SKEW + 1, SKEW, 3))
    return any(
        matching_step(secret, typed, now=moment, parameters=parameters) is not None for moment in moments
    )


def check_recovery_code(
    connection: Transaction, account: Account, code: str, client: Client
) -> RightCode | WrongCode | Stopped:
    """Try a recovery code of *account* within the limits on tries, and use it up.

    Args:
        connection: A writing transaction; the tries, and the code, count when it commits.
        account: Whose.
        code: As typed.
        client: Who asks.
    """
    key = throttling.recovery_key(account)
    counters = throttling.lock(connection, [key])
    now = database_now(connection)
    if stopped := throttling.stop_of(counters, now):
        return stopped
    hashed = code_hash(code)
    if hashed is None or not recovery_codes.use(connection, account.id, hashed):
        throttling.count(connection, counters, now)
        note_refusal(connection, account, "wrong recovery code", client)
        return WrongCode()
    throttling.end_stop(connection, account.username)
    return RightCode()


def note_used_code(connection: Transaction, account: Account, client: Client) -> None:
    """Append to the audit that a recovery code was used up.

    After the line of the log-in that it opened: the next log-in tells of what came after that line, and if a
    thief used the code, its owner must hear of it.
    """
    name, left = account.username, recovery_codes.left(connection, account.id)
    detail = {"address": client.address, "left": left}
    audit.append(connection, name, "recovery-code.use", subject=name, detail=detail)
