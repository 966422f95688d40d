"""The own account: state of MFA, sessions, and what changes them, each behind a fresh proof."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from practicus_mfa.crypto.password_policy import PasswordRefusedError
from practicus_mfa.login import account, proof
from practicus_mfa.login.account import NoFactorError, NotProvedError, SamePasswordError
from practicus_mfa.login.log_in import WrongCredentials
from practicus_mfa.login.proof import Proved
from practicus_mfa.login.session_start import Expired
from practicus_mfa.login.throttling import Stopped
from practicus_mfa.web.views import answers
from practicus_mfa.web.views.enrol import codes_page
from practicus_mfa.web.views.login import refusal
from practicus_mfa.web.views.password import password_problem
from practicus_mfa.web.views.session_texts import session_texts
from practicus_mfa.web.visit import Visit, with_target

if TYPE_CHECKING:
    from starlette.responses import Response

PROVED_PAGES: Final = frozenset(
    {
        "/enroll",
        "/account/recovery-codes",
        "/account/remove-mfa",
        "/account/password",
        "/account/sessions",
    }
)
"""Where a proof may lead on to; anything else leads to the account."""


def show_home(visit: Visit) -> Response:
    """Send on: the account is the only page of one's own."""
    return visit.go("/account")


def show_account(visit: Visit) -> Response:
    """Show the state of MFA, and the sessions."""
    acting = visit.acting
    state = account.state(visit.ctx, acting)
    return visit.page(
        "account.html",
        state=state,
        enrol_by=visit.language.moment(state.enrol_by) if state.enrol_by else "",
        sessions=session_texts(visit, account.sessions_of(visit.ctx, acting)),
        done=_done(visit),
    )


def _done(visit: Visit) -> str:
    said = {
        "password": visit.say("Your password was changed, and all your other sessions were ended."),
        "mfa": visit.say("MFA was removed, and all your other sessions were ended."),
        "session": visit.say("The session was ended."),
        "sessions": visit.say("All other sessions were ended."),
    }
    return said.get(visit.request.query_params.get("done", ""), "")


def show_codes(visit: Visit) -> Response:
    """Ask whether to make new recovery codes."""
    if not visit.ctx.rules().mfa.enabled:
        return visit.page("mfa_off.html")
    return visit.page("new_codes.html", state=account.state(visit.ctx, visit.acting))


def do_codes(visit: Visit) -> Response:
    """Make new recovery codes, and show them this once."""
    try:
        made = account.new_recovery_codes(visit.ctx, visit.acting)
    except (NotProvedError, NoFactorError):
        return visit.go("/account")
    return visit.with_session(codes_page(visit, made.codes, "/account"), made.tokens)


def show_removal(visit: Visit) -> Response:
    """Ask whether to remove MFA."""
    if not visit.ctx.rules().mfa.enabled:
        return visit.page("mfa_off.html")
    return visit.page("remove_mfa.html", state=account.state(visit.ctx, visit.acting))


def do_removal(visit: Visit) -> Response:
    """Remove MFA."""
    try:
        tokens = account.remove_factor(visit.ctx, visit.acting)
    except (NotProvedError, NoFactorError):
        return visit.go("/account")
    return visit.with_session(visit.go("/account?done=mfa"), tokens)


def show_password(visit: Visit) -> Response:
    """Ask for a new password."""
    return _password_page(visit, error="")


def _password_page(visit: Visit, *, error: str, status: int = 200) -> Response:
    account_ = visit.acting.account
    return visit.page(
        "password.html",
        status=status,
        error=error,
        username=account_.username,
        must_change=account_.must_change_password,
    )


def do_password(visit: Visit) -> Response:
    """Change the password."""
    new = visit.text("new_password")
    error = password_problem(visit, new, visit.text("repeated"))
    if not error:
        try:
            tokens = account.change_password(visit.ctx, visit.acting, new=new)
        except NotProvedError:
            return visit.go("/account")
        except PasswordRefusedError as refused:  # pragma: no cover - asked before, too
            error = refused.message
        except SamePasswordError:
            error = visit.say("That is the password that somebody else chose. Choose another one.")
        else:
            return visit.with_session(visit.go("/account?done=password"), tokens)
    return _password_page(visit, error=error, status=422)


def do_sessions(visit: Visit) -> Response:
    """End one session of one's own, or all others."""
    chosen = visit.text("session")
    if chosen == "others":
        account.log_out_everywhere(visit.ctx, visit.acting, but_here=True)
        return visit.go("/account?done=sessions")
    if chosen.isascii() and chosen.isdigit() and len(chosen) < 19:
        account.end_session(visit.ctx, visit.acting, int(chosen))
    return visit.go("/account?done=session")


def show_proof(visit: Visit) -> Response:
    """Ask for password and code once more."""
    return _proof(visit, error="")


def _next(visit: Visit) -> str:
    wanted = visit.text("next") or visit.request.query_params.get("next", "")
    return wanted if wanted in PROVED_PAGES else "/account"


def _after_proof(visit: Visit) -> str:
    wanted, target = _next(visit), visit.target()
    # Ending sessions is done from the account page, which shows them.
    return with_target("/account" if wanted == "/account/sessions" else wanted, target)


def _proof(visit: Visit, *, error: str, status: int = 200) -> Response:
    account_ = visit.acting.account
    return visit.page(
        "prove.html",
        status=status,
        next=_next(visit),
        rd=visit.target(),
        username=account_.username,
        wants_code=proof.wants_code(visit.ctx, account_),
        error=error,
        note=answers.note_of(visit),
    )


def do_proof(visit: Visit) -> Response:
    """Take the proof, and go on to what wanted it."""
    answer = proof.prove(
        visit.ctx,
        visit.acting,
        password=visit.text("password"),
        code=visit.text("code"),
        client=visit.client,
    )
    match answer:
        case Proved():
            return visit.with_session(visit.go(_after_proof(visit)), answer.tokens)
        case WrongCredentials():
            return _proof(visit, error=visit.say("The password is wrong."), status=401)
        case Expired():
            return visit.go("/login")
        case _:
            error, status = refusal(visit, answer)
            page = _proof(visit, error=error, status=status)
            return answers.retry_after(page, answer) if isinstance(answer, Stopped) else page


def show_logout(visit: Visit) -> Response:
    """Show a button: a mere link must not log anybody out."""
    target = visit.target()
    if visit.current is None:
        return visit.go(target or "/login?note=out")
    return visit.page("logout.html", target=target, rd=target)


def do_logout(visit: Visit) -> Response:
    """Log out here, or everywhere."""
    if visit.text("everywhere") and visit.current is not None:
        account.log_out_everywhere(visit.ctx, visit.acting)
    else:
        account.log_out(visit.ctx, visit.session_token, visit.client)
    response = visit.go(visit.target() or "/login?note=out")
    visit.cookies.log_out(response)
    return response
