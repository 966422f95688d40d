"""Logging in: name and password, then a code or a recovery code, then the choice to stay logged in."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, TypeAlias

from practicus_mfa.core.login.rules import Step
from practicus_mfa.core.login.session import MustChangePassword, MustEnrol
from practicus_mfa.login import account, log_in, second_factor
from practicus_mfa.login.log_in import WrongCredentials
from practicus_mfa.login.second_factor import ClockSkew, Unreadable, WrongCode
from practicus_mfa.login.session_start import Continue, Expired, HalfState, LoggedIn
from practicus_mfa.login.throttling import Stopped
from practicus_mfa.web.views import answers
from practicus_mfa.web.visit import Visit, with_target

if TYPE_CHECKING:
    from starlette.responses import Response

RECOVERY: Final = "recovery.html"

Refusal: TypeAlias = WrongCode | ClockSkew | Unreadable | Stopped


def show_login(visit: Visit) -> Response:
    """Ask for name and password; who is logged in is sent on."""
    target = visit.target()
    if visit.current is not None and not visit.text("expired"):
        if isinstance(visit.current.verdict, MustChangePassword):
            return visit.go(with_target("/account/password", target))
        if isinstance(visit.current.verdict, MustEnrol):
            return visit.go(with_target("/enroll", target))
        if target.startswith("http") and answers.lacks_verify_cookie(visit):
            # The cookie domain was set after this log-in.
            tokens = account.renew_tokens(visit.ctx, visit.acting)
            return visit.with_session(answers.sent_to(visit, target), tokens)
        sent = visit.request.cookies.get(visit.cookies.bounce)
        if target.startswith("http") and sent == answers.host_of(target):
            return visit.page("bounced.html", status=200, target=target, host=sent)
        return answers.sent_to(visit, target)
    return _login_page(visit, error="")


def _login_page(visit: Visit, *, error: str, status: int = 200) -> Response:
    target = visit.target()
    return visit.page(
        "login.html",
        status=status,
        target=target,
        rd=target,
        username=visit.text("username"),
        error=error,
        note=answers.note_of(visit),
    )


def do_login(visit: Visit) -> Response:
    """Try name and password."""
    answer = log_in.start(
        visit.ctx,
        username=visit.text("username"),
        password=visit.text("password"),
        target=visit.target(),
        client=visit.client,
    )
    match answer:
        case WrongCredentials():
            visit.service.metrics.login("wrong_credentials")
            error = visit.say("The user name or the password is wrong.")
            return _login_page(visit, error=error, status=401)
        case Stopped():
            visit.service.metrics.login("stopped")
            page = _login_page(visit, error=answers.stopped_text(visit, answer), status=429)
            return answers.retry_after(page, answer)
        case Continue():
            return answers.going_on(visit, answer)
        case LoggedIn():
            return answers.logged_in(visit, answer)


def _half(visit: Visit) -> HalfState:
    assert visit.half is not None  # noqa: S101 - the gate saw to it
    return visit.half


def show_code(visit: Visit) -> Response:
    """Ask for a code of the app."""
    return _code_page(visit, "totp.html", error="")


def show_recovery(visit: Visit) -> Response:
    """Ask for a recovery code."""
    return _code_page(visit, RECOVERY, error="")


def _code_page(visit: Visit, template: str, *, error: str, status: int = 200) -> Response:
    state = _half(visit)
    if state.step is not Step.CODE:
        return visit.go(answers.STEP_PAGES[state.step])
    return visit.page(
        template,
        status=status,
        target=visit.safe(state.target),
        rd=visit.safe(state.target),
        username=state.account.username,
        may_remember=state.may_remember,
        remember_days=visit.ctx.rules().remember_me.days,
        remembered=bool(visit.text("remember")),
        error=error,
        note=answers.note_of(visit),
    )


def do_code(visit: Visit) -> Response:
    """Try a code of the app."""
    answer = second_factor.give_code(
        visit.ctx,
        visit.half_token,
        code=visit.text("code"),
        remembered=bool(visit.text("remember")),
        client=visit.client,
    )
    return _judged(visit, "totp.html", answer)


def do_recovery(visit: Visit) -> Response:
    """Try a recovery code."""
    answer = second_factor.give_recovery_code(
        visit.ctx,
        visit.half_token,
        code=visit.text("code"),
        remembered=bool(visit.text("remember")),
        client=visit.client,
    )
    return _judged(visit, RECOVERY, answer)


def _judged(visit: Visit, template: str, answer: LoggedIn | Refusal | Expired) -> Response:
    match answer:
        case LoggedIn():
            return answers.logged_in(visit, answer)
        case Expired():
            return answers.begin_anew(visit)
        case _:
            error, status = refusal(visit, answer)
            if isinstance(answer, WrongCode) and template == RECOVERY:
                error = visit.say("That code is wrong, or was used already. Type another one of your codes.")
            page = _code_page(visit, template, error=error, status=status)
            return answers.retry_after(page, answer) if isinstance(answer, Stopped) else page


def refusal(visit: Visit, answer: Refusal) -> tuple[str, int]:
    """Count a code that was refused; return what to say, and the answer's status."""
    match answer:
        case WrongCode() | ClockSkew():
            visit.service.metrics.login("wrong_code" if isinstance(answer, WrongCode) else "clock_skew")
            return visit.say("That code is wrong, or was used already. Wait for the next one."), 401
        case Unreadable():
            visit.service.metrics.login("unreadable")
            return visit.say(
                "Your authenticator app can't be checked at the moment. "
                "Use a recovery code, or ask an administrator."
            ), 403
        case Stopped():
            visit.service.metrics.login("stopped")
            return answers.stopped_text(visit, answer), 429


def show_remember(visit: Visit) -> Response:
    """Ask whether to stay logged in."""
    state = _half(visit)
    if state.step not in {Step.REMEMBER, Step.DONE}:
        return visit.go(answers.STEP_PAGES[state.step])
    return visit.page(
        "remember.html",
        target=visit.safe(state.target),
        rd=visit.safe(state.target),
        username=state.account.username,
        remember_days=visit.ctx.rules().remember_me.days,
        offers_mfa=visit.ctx.rules().mfa.enabled,
        note=answers.note_of(visit),
    )


def do_remember(visit: Visit) -> Response:
    """Take the choice."""
    answer = log_in.remember(
        visit.ctx, visit.half_token, remembered=visit.text("remember") == "yes", client=visit.client
    )
    match answer:
        case LoggedIn():
            return answers.logged_in(visit, answer)
        case Expired():
            return answers.begin_anew(visit)
