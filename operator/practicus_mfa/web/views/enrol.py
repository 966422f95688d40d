"""Setting up an authenticator app, and the recovery codes that it comes with."""

from __future__ import annotations

from typing import TYPE_CHECKING

from practicus_mfa.core.login.account import Account
from practicus_mfa.core.login.rules import Step
from practicus_mfa.login import enrolment
from practicus_mfa.login.enrolment import AlreadyEnrolled, EnrolBy, Enrolled, Half, WrongFirstCode
from practicus_mfa.login.notices import Notice
from practicus_mfa.login.session_start import Expired
from practicus_mfa.web.qr import qr_svg
from practicus_mfa.web.views import answers
from practicus_mfa.web.visit import Visit, with_target

if TYPE_CHECKING:
    from starlette.responses import Response


def show_enrol(visit: Visit) -> Response:
    """Show the secret to set up, as a QR code and as text."""
    return _offer(visit, error="")


def _who(visit: Visit) -> EnrolBy:
    return Half(token=visit.half_token) if visit.half else visit.acting


def _account(visit: Visit) -> Account:
    return visit.half.account if visit.half else visit.acting.account


def _offer(visit: Visit, *, error: str, status: int = 200) -> Response:
    if not visit.ctx.rules().mfa.enabled:
        return visit.page("mfa_off.html")
    state, account = visit.half, _account(visit)
    if state is not None and state.step is Step.CODE:
        return visit.go("/login/totp")
    if state is None and account.enrolled and visit.text("expired"):
        # The page with the recovery codes was loaded again.
        return visit.go("/account")
    target = visit.safe(state.target) if state else visit.target()
    offer = enrolment.begin(visit.ctx, account, _who(visit))
    label = visit.say("QR code for your authenticator app")
    return visit.page(
        "enroll.html",
        status=status,
        target=target,
        rd=target,
        username=account.username,
        qr=qr_svg(offer.uri, label=label),
        secret=" ".join(offer.secret_text[at : at + 4] for at in range(0, len(offer.secret_text), 4)),
        uri=offer.uri,
        replaces=account.enrolled,
        forced=state is not None and state.step is Step.ENROL,
        may_remember=state is not None and state.may_remember,
        remember_days=visit.ctx.rules().remember_me.days,
        error=error,
        note=answers.note_of(visit),
    )


def do_enrol(visit: Visit) -> Response:
    """Take the code that proves the secret."""
    who = _who(visit)
    if not visit.ctx.rules().mfa.enabled:
        return visit.page("mfa_off.html")
    done = enrolment.confirm(
        visit.ctx,
        who,
        code=visit.text("code"),
        remembered=bool(visit.text("remember")),
        client=visit.client,
    )
    metrics = visit.service.metrics
    match done:
        case Enrolled():
            metrics.enrolment("success")
            if visit.half:
                metrics.login("success")
            target = visit.safe(done.target) or visit.target() or "/account"
            return visit.with_session(codes_page(visit, done.codes, target, done.notices), done.tokens)
        case WrongFirstCode():
            metrics.enrolment("clock_skew" if done.skewed else "wrong_code")
            return _offer(visit, error=_why(visit, done), status=422)
        case AlreadyEnrolled():
            return visit.go("/account")
        case Expired():
            metrics.enrolment("expired")
            return visit.go(with_target("/enroll?note=offer", visit.target()))


def _why(visit: Visit, wrong: WrongFirstCode) -> str:
    if wrong.skewed:
        return visit.say(
            "That code belongs to another time: the clock of your device is wrong. "
            "Set it to automatic time, then type the next code."
        )
    return visit.say("That is not the code of this app entry. Type the six digits that the app shows now.")


def codes_page(
    visit: Visit, codes: tuple[str, ...], target: str, notices: tuple[Notice, ...] = ()
) -> Response:
    """Show recovery codes, this once, and what else there is to tell after a log-in."""
    # Whoever enrolled while logging in has no session in this request, and is logged in by its answer.
    account = _account(visit)
    return visit.page("codes.html", account=account, codes=codes, target=target, notices=notices)
