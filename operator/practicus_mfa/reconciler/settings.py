"""Requests of the settings page, handled: judged by the MfaPolicy as it stands, applied, answered.

The order is what makes it safe. The change is written to the MfaPolicy first, together with a note of the
request; only then the row is answered, with its audit line and the policy in force in one transaction. Who
is interrupted in between finds the note, and answers the row without judging it anew. So nothing is applied
that is told to be refused, and nothing twice.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from practicus_mfa.core.events import Event, change_told
from practicus_mfa.core.observed import Claim
from practicus_mfa.core.parse.spec import policy_from_spec, published
from practicus_mfa.core.policy import Policy
from practicus_mfa.core.settings_page import Flat, Value, flat, known, nested, told
from practicus_mfa.core.settings_requests import (
    GOOD_FOR,
    LONGEST_REASON,
    NOT_ALLOWED,
    TOO_OLD,
    Accepted,
    Refused,
    judged,
)
from practicus_mfa.errors import SupersededError, UsageError
from practicus_mfa.reconciler.ports import PolicyObject, StoredPolicy
from practicus_mfa.storage import audit, policy_requests
from practicus_mfa.storage.claims import guarded_write, read_claim
from practicus_mfa.storage.engine import Database
from practicus_mfa.storage.policy_requests import APPLIED, REFUSED, OpenRequest
from practicus_mfa.storage.policy_row import save_policy

log = logging.getLogger(__name__)

MOST_A_PASS: Final = 20
"""Requests that are handled before the pass goes on: there is more to do than to answer a flood of them."""


@dataclass(slots=True)
class Handled:
    """What came of the requests of one pass.

    Attributes:
        count: How many were answered.
        events: What is told of those that changed something.
        values: The values that they put in force, by path.
    """

    count: int = 0
    events: list[Event] = field(default_factory=list)
    values: dict[str, Value] = field(default_factory=dict)


def handle_requests(db: Database, claim: Claim, stored: PolicyObject) -> Handled:
    """Handle the requests that wait, oldest first.

    Args:
        db: The database.
        claim: In whose name; it is ours.
        stored: The MfaPolicy.

    Raises:
        SupersededError: Another operator has taken over.
        RetryableError: The MfaPolicy or the database can't be used at the moment; the request waits on.
    """
    handled = Handled()
    while handled.count < MOST_A_PASS:
        with db.read() as connection:
            if read_claim(connection) != claim:
                raise SupersededError(
                    "Another operator has taken over this database.",
                    remedy="Nothing was changed; it handles the requests.",
                )
            request = policy_requests.oldest_open(connection)
        if request is None:
            break
        _handle(db, claim, stored, request, handled)
        handled.count += 1
    return handled


def _handle(db: Database, claim: Claim, stored: PolicyObject, request: OpenRequest, handled: Handled) -> None:
    present, name = stored.read(), _name(request)
    if present.applied == name:
        _applied_before(db, claim, present, request, handled)
        return
    found = _judged(request, present)
    if isinstance(found, Refused):
        _answer(db, claim, request, refused=found.reason)
        return
    if found.overrides == (present.spec.get("overrides") or {}):
        _answer(db, claim, request, policy=found.policy, generation=present.generation)
        return
    try:
        generation = stored.override(present, found.overrides, request=name)
    except UsageError as error:
        _answer(db, claim, request, refused=f"{error.message}: {error.remedy}"[:LONGEST_REASON])
        return
    _answer(db, claim, request, policy=found.policy, generation=generation)
    _tell(request, handled, before=found.before, after=found.after, changes=found.changes)


def _judged(request: OpenRequest, present: StoredPolicy) -> Accepted | Refused:
    if request.age > GOOD_FOR:
        return Refused(TOO_OLD)
    if not request.may:
        return Refused(NOT_ALLOWED)
    return judged(request.changes, present.spec, present.settings_page)


def _applied_before(
    db: Database, claim: Claim, present: StoredPolicy, request: OpenRequest, handled: Handled
) -> None:
    """Answer a request whose change is in the MfaPolicy: whoever made it could not say so any more."""
    policy = policy_from_spec(present.spec)
    _answer(db, claim, request, policy=policy, generation=present.generation)
    values = flat(policy.mfa, policy.remember_me)
    _tell(request, handled, before={}, after=values, changes=known(request.changes))


def _tell(
    request: OpenRequest,
    handled: Handled,
    *,
    before: Mapping[str, Value],
    after: Mapping[str, Value],
    changes: Flat,
) -> None:
    what = told(before, after, changes)
    handled.events.append(change_told(_name(request), _author(request), what))
    handled.values |= {path: after[path] for path in changes}


def _answer(
    db: Database,
    claim: Claim,
    request: OpenRequest,
    *,
    policy: Policy | None = None,
    generation: int = 0,
    refused: str = "",
) -> None:
    """Write what became of a request, and what is in force from now on."""
    outcome, actor = REFUSED if refused else APPLIED, _author(request)
    # What else a forged request holds is not repeated.
    detail: dict[str, object] = {"request": request.id, "changes": nested(known(request.changes))}
    if refused:
        detail["reason"] = refused
    with guarded_write(db, claim) as connection:
        if not policy_requests.close(connection, request.id, outcome=outcome, message=refused):
            return
        if policy is not None:
            save_policy(connection, generation, published(policy))
        result = REFUSED if refused else audit.DONE
        audit.append(connection, actor, "policy.change", result=result, detail=detail)
    log.info("request %d of the settings page: %s", request.id, refused or "applied", extra={"actor": actor})


def _author(request: OpenRequest) -> str:
    return request.author or f"user {request.author_id}"


def _name(request: OpenRequest) -> str:
    """Return what no other request is called: a restored database may give a number once more."""
    return f"{request.id} {request.at.isoformat()}"
