"""What the answers of use cases become: a redirect with cookies, or the same page with a sentence."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from practicus_mfa.core.login.rules import Step
from practicus_mfa.login.notices import Notice, NoticeKind
from practicus_mfa.login.session_start import Continue, LoggedIn
from practicus_mfa.login.throttling import Stopped
from practicus_mfa.web.visit import Visit, with_target

if TYPE_CHECKING:
    from starlette.responses import Response

STEP_PAGES: Final = {
    Step.CODE: "/login/totp",
    Step.ENROL: "/enroll",
    Step.REMEMBER: "/login/remember",
    Step.DONE: "/login/remember",
}
"""Where a half-login goes on."""

BOUNCE_SECONDS: Final = 10
"""Who comes back from an application so soon after being sent there was sent back by it."""

HALF_LOGIN_SECONDS: Final = 600

MANY_FAILURES: Final = 3
"""Wrong tries since the last log-in that a user is told of."""


def logged_in(visit: Visit, done: LoggedIn) -> Response:
    """Answer who is in: the notices first, where there are some."""
    visit.service.metrics.login("success")
    target = visit.safe(done.target)
    if _worth_a_page(done.notices):
        response: Response = visit.page(
            "notices.html", account=done.account, notices=done.notices, target=target or "/account"
        )
    else:
        response = sent_to(visit, target)
    return visit.with_session(response, done.tokens)


def _worth_a_page(notices: Sequence[Notice]) -> bool:
    """Whether to hold a user up: a slip of the own fingers is no news."""
    failed = sum(notice.count for notice in notices if notice.kind is NoticeKind.FAILED_LOGINS)
    return failed >= MANY_FAILURES or any(notice.kind is not NoticeKind.FAILED_LOGINS for notice in notices)


def sent_to(visit: Visit, target: str) -> Response:
    """Send a logged-in browser to *target*; noting where, so that it is not sent there in circles."""
    response = visit.go(target or "/account")
    if target.startswith("http"):
        visit.cookies.put(response, visit.cookies.bounce, host_of(target), seconds=BOUNCE_SECONDS)
    return response


def lacks_verify_cookie(visit: Visit) -> bool:
    """Whether applications can't see this log-in although there is a domain for them."""
    return bool(visit.service.config.cookie_domain) and visit.cookies.verify not in visit.request.cookies


def host_of(url: str) -> str:
    """Return the host of an absolute address that we would send to."""
    return url.partition("://")[2].partition("/")[0].partition("?")[0].partition("#")[0].lower()


def going_on(visit: Visit, answer: Continue) -> Response:
    """Answer who gave a right password, and from whom more is wanted."""
    response = visit.go(STEP_PAGES[answer.step])
    visit.cookies.put(response, visit.cookies.half, answer.half_token, seconds=HALF_LOGIN_SECONDS)
    return response


def begin_anew(visit: Visit) -> Response:
    """Answer whose half-login is over."""
    visit.service.metrics.login("expired")
    response = visit.go(with_target("/login?note=expired", visit.target()))
    visit.cookies.drop(response, visit.cookies.half)
    return response


def stopped_text(visit: Visit, stopped: Stopped) -> str:
    """Say how long there is to wait, and what helps."""
    if stopped.seconds is None:
        return visit.say(
            "Too many wrong codes: none is accepted any more. Use a recovery code, or ask an administrator."
        )
    if stopped.seconds < 60:
        return visit.language.ngettext(
            "Too many tries. Wait %(num)d second, then try again.",
            "Too many tries. Wait %(num)d seconds, then try again.",
            stopped.seconds,
        ) % {"num": stopped.seconds}
    minutes = -(-stopped.seconds // 60)
    return visit.language.ngettext(
        "Too many tries. Wait %(num)d minute, then try again.",
        "Too many tries. Wait %(num)d minutes, then try again.",
        minutes,
    ) % {"num": minutes}


def retry_after(response: Response, stopped: Stopped) -> Response:
    """Tell programs too how long to wait (RFC 9110, section 10.2.3)."""
    visit_again = 3_600 if stopped.seconds is None else stopped.seconds
    response.headers["Retry-After"] = str(visit_again)
    return response


def note_of(visit: Visit) -> str:
    """Return the sentence that an address asks to be shown; '' for none."""
    notes = {
        "expired": visit.say("Your log-in was not finished in time. Begin again."),
        "out": visit.say("You are logged out."),
        "offer": visit.say("That picture had been shown for too long. Here is a new one: scan it again."),
    }
    return notes.get(visit.request.query_params.get("note", ""), "")
