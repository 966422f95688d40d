"""Set-up links: a password for who has none."""

from __future__ import annotations

from typing import TYPE_CHECKING

from practicus_mfa.crypto.password_policy import PasswordRefusedError
from practicus_mfa.login import setup_link
from practicus_mfa.login.session_start import Continue, Expired, LoggedIn
from practicus_mfa.web.views import answers
from practicus_mfa.web.views.password import password_problem
from practicus_mfa.web.visit import Visit

if TYPE_CHECKING:
    from starlette.responses import Response


def show_setup(visit: Visit) -> Response:
    """Ask for a password; nothing is used up by looking."""
    return _page(visit, error="")


def _token(visit: Visit) -> str:
    return str(visit.request.path_params["token"])


def _page(visit: Visit, *, error: str, status: int = 200) -> Response:
    link = setup_link.look(visit.ctx, _token(visit))
    if link is None:
        return visit.page("setup_over.html", status=404)
    return visit.page(
        "setup.html", status=status, username=link.username, error=error, note=answers.note_of(visit)
    )


def do_setup(visit: Visit) -> Response:
    """Set the password, once, and go on as after a log-in with it."""
    password = visit.text("new_password")
    error = password_problem(visit, password, visit.text("repeated"))
    if error:
        return _page(visit, error=error, status=422)
    try:
        answer = setup_link.use(visit.ctx, _token(visit), password=password, client=visit.client)
    except PasswordRefusedError as refused:  # pragma: no cover - asked before, too
        return _page(visit, error=refused.message, status=422)
    match answer:
        case Continue():
            return answers.going_on(visit, answer)
        case LoggedIn():
            return answers.logged_in(visit, answer)
        case Expired():
            return visit.page("setup_over.html", status=404)
