"""The settings page: asking the operator for other rules, and what comes of it.

This service has no right to change the policy. It writes a request; the operator judges it by the MfaPolicy,
which this service can't see, applies it, and answers in the same row. What is judged here spares a person the
way there, and decides nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Final

from practicus_mfa.core.login.lock_out import Risk, Standing, leads_all_to_enrolment, risks
from practicus_mfa.core.login.rights import may_set_policy
from practicus_mfa.core.login.rules import rules_in_force
from practicus_mfa.core.settings_page import Flat, Value, nested
from practicus_mfa.core.settings_requests import GOOD_FOR, Accepted, Refused, judged
from practicus_mfa.crypto.tokens import UnreadableTokenError
from practicus_mfa.errors import RetryableError
from practicus_mfa.login.context import Acting, LoginContext
from practicus_mfa.login.enrol import open_factor
from practicus_mfa.login.settings_in_force import settings, settings_in
from practicus_mfa.storage import accounts, audit, policy_requests, standing
from practicus_mfa.storage.policy_requests import PolicyRequest
from practicus_mfa.storage.transaction import Transaction

TRIED: Final = 200
"""Factors of administrators that are tried to open: one that opens is enough."""


@dataclass(frozen=True, slots=True)
class Asked:
    """The request was written."""

    request: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Risky:
    """Nothing was written: whoever asks is to know what the change brings."""

    risks: tuple[Risk, ...]


@dataclass(frozen=True, slots=True)
class NotAllowed:
    """Who asks is no active superuser any more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """A request, and whether anybody may still be expected to answer it.

    Attributes:
        request: The row.
        overdue: Whoever answers it now refuses it.
    """

    request: PolicyRequest = field(repr=False)
    overdue: bool


def check(ctx: LoginContext, changes: Flat) -> Accepted | Refused:
    """Return what *changes* would come to."""
    return judged(nested(changes), settings(ctx).spec, ctx.config.settings_page)


def ask(
    ctx: LoginContext, acting: Acting, changes: Flat, *, accepted_risks: bool
) -> Asked | Risky | Refused | NotAllowed:
    """Ask the operator for *changes*.

    Args:
        ctx: The surroundings.
        acting: Who asks.
        changes: Values by path; ``None`` for as in values.yaml.
        accepted_risks: Who asks knows what they may bring.
    """
    with ctx.db.write() as connection:
        account = accounts.locked_account(connection, acting.account.id)
        if account is None or not may_set_policy(account):
            return NotAllowed()
        found = judged(nested(changes), settings_in(connection, ctx).spec, ctx.config.settings_page)
        if isinstance(found, Refused):
            return found
        if not accepted_risks and (found_risks := _risks(connection, ctx, found)):
            return Risky(risks=found_risks)
        request = policy_requests.ask(
            connection, author_id=account.id, author=account.username, changes=nested(changes)
        )
        # The operator, who writes what became of it, does not know from where it was asked.
        detail = {"address": acting.address, "request": request, "changes": nested(changes)}
        audit.append(connection, account.username, "policy.ask", detail=detail)
    return Asked(request)


def _risks(connection: Transaction, ctx: LoginContext, change: Accepted) -> tuple[Risk, ...]:
    before = rules_in_force(nested(change.before)).mfa
    administrators, enrolled = standing.administrators(connection)
    found = Standing(
        administrators=administrators,
        enrolled=enrolled,
        readable=bool(enrolled) and _any_readable(connection, ctx),
    )
    return risks(before, change.policy.mfa, found)


def _any_readable(connection: Transaction, ctx: LoginContext) -> bool:
    try:
        keys = ctx.keys()
    except RetryableError:
        # Without MFA a service may hold no key at all.
        return False
    for factor in standing.factors_of_administrators(connection, TRIED):
        try:
            open_factor(factor, keys)
        except UnreadableTokenError:
            continue
        return True
    return False


def led_to_enrolment(ctx: LoginContext, values: Mapping[str, Value]) -> int:
    """Return how many active users the rules of these *values* lead to enrolment at their next log-in."""
    if not leads_all_to_enrolment(rules_in_force(nested(values)).mfa):
        return 0
    with ctx.db.read() as connection:
        return standing.without_factor(connection)


def progress(ctx: LoginContext, request: int) -> Progress | None:
    """Return how far a request is, ``None`` where there is none of that number."""
    with ctx.db.read() as connection:
        found = policy_requests.find(connection, request)
    if found is None:
        return None
    # A pass that began in time may answer a moment later.
    return Progress(request=found[0], overdue=found[1] > GOOD_FOR + timedelta(seconds=5))
