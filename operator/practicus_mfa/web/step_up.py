"""Administrators' forms: each asks for a code, or the password, where the last one is too long ago.

It is asked for in the form itself, so that nothing that was chosen or typed is lost on the way. A view takes
it first; what it gets says either why not, or goes on to the answer, which hands the browser new tokens.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from practicus_mfa.login import proof
from practicus_mfa.login.account import current
from practicus_mfa.login.log_in import WrongCredentials
from practicus_mfa.login.proof import Proved
from practicus_mfa.login.session_start import Expired, Tokens
from practicus_mfa.web.views.login import refusal
from practicus_mfa.web.visit import Visit

if TYPE_CHECKING:
    from starlette.responses import Response

FIELD: Final = "proof"
"""The form's field."""


@dataclass(frozen=True, slots=True)
class Granted:
    """Go on; *tokens* are the session's new ones, where a proof was taken."""

    tokens: Tokens | None = None

    def hand_over(self, visit: Visit, response: Response) -> Response:
        """Return *response*, with the session's new tokens where there are any."""
        return response if self.tokens is None else visit.with_session(response, self.tokens)

    def going_on(self, visit: Visit) -> Visit:
        """Return the visit as it goes on: the forms of its answer go by the session's new token."""
        if self.tokens is None:
            return visit
        session = current(visit.ctx, self.tokens.session)
        return replace(visit, current=session or visit.current, form_cookie=self.tokens.session)


@dataclass(frozen=True, slots=True)
class Denied:
    """Show the form again, with this sentence and status."""

    text: str
    status: int


def asked(visit: Visit) -> str:
    """Return what a form must ask for: ``code``, ``password``, or '' for nothing."""
    if proof.may_act(visit.ctx, visit.acting):
        return ""
    return "code" if proof.wants_code(visit.ctx, visit.acting.account) else "password"


def take(visit: Visit) -> Granted | Denied:
    """Take the proof that a posted form holds, where one is needed."""
    wanted = asked(visit)
    if not wanted:
        return Granted()
    given = visit.text(FIELD)
    if not given:
        missing = {
            "code": visit.say("Give a code of your app: the last one was more than 15 minutes ago."),
            "password": visit.say("Give your password: the last time was more than 15 minutes ago."),
        }
        return Denied(missing[wanted], 401)
    answer = proof.prove_to_act(visit.ctx, visit.acting, given, visit.client)
    match answer:
        case Proved():
            return Granted(answer.tokens)
        case WrongCredentials():
            return Denied(visit.say("The password is wrong."), 401)
        case Expired():
            return Denied(visit.say("Your log-in has ended. Log in again."), 401)
        case _:
            return Denied(*refusal(visit, answer))
