"""What a user's page does by itself: end a session, forget browsers, hand out a set-up link."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from starlette.exceptions import HTTPException

from practicus_mfa.core.login.account import Account
from practicus_mfa.core.login.rights import Action
from practicus_mfa.login.acts import one
from practicus_mfa.login.acts.by import By, Outcome, by
from practicus_mfa.login.setup_link import Issued
from practicus_mfa.storage import accounts
from practicus_mfa.storage.transaction import Transaction
from practicus_mfa.web import step_up
from practicus_mfa.web.gates import refused_page
from practicus_mfa.web.step_up import Denied
from practicus_mfa.web.views.admin.asking import Question, ask
from practicus_mfa.web.views.admin.list_place import Place, read_id, read_place
from practicus_mfa.web.views.admin.user import may, user_id_of
from practicus_mfa.web.visit import Visit

if TYPE_CHECKING:
    from starlette.responses import Response


def target_of(visit: Visit) -> Account:
    """Return the user whose page it is.

    Raises:
        HTTPException: 404: there is none.
    """
    with visit.ctx.db.read() as connection:
        found = accounts.account(connection, user_id_of(visit))
    if found is None:
        raise HTTPException(404)
    return found


def place_of(visit: Visit) -> Place:
    """Return the place in the list that somebody came from."""
    given = visit.form or visit.request.query_params
    return replace(read_place(given), user_id=None)


def _with_done(path: str, done: str) -> str:
    return f"{path}{'&' if '?' in path else '?'}done={done}"


def to_user(visit: Visit, user_id: int, done: str) -> Response:
    """Send on to a user's page, which says what was done."""
    return visit.go(_with_done(place_of(visit).of_user(user_id), done))


def do_sessions(visit: Visit) -> Response:
    """End one session of a user."""
    target, session_id = target_of(visit), read_id(visit.text("session"))
    if session_id is None:
        return to_user(visit, target.id, "no-session")
    question = _question(
        visit,
        target,
        "sessions",
        title=visit.say("End a session of %(name)s"),
        text=visit.say("%(name)s is logged out there at once, and may log in again."),
        button=visit.say("End the session"),
        fields={"session": str(session_id)},
    )
    said = {Outcome.SESSIONS_ENDED: "session", Outcome.NO_SESSION: "no-session"}
    return _acted(
        visit,
        question,
        said,
        target,
        lambda connection, who: one.end_session(connection, who, target.id, session_id),
    )


def do_devices(visit: Visit) -> Response:
    """Know none of a user's browsers any more."""
    target = target_of(visit)
    question = _question(
        visit,
        target,
        "devices",
        title=visit.say("Forget the known browsers of %(name)s"),
        text=visit.say(
            "Wrong passwords and codes that come from there count as anybody's, until %(name)s logs in again."
        ),
        button=visit.say("Forget known browsers"),
    )
    said = {Outcome.DEVICES_FORGOTTEN: "devices", Outcome.NO_DEVICE: "devices"}
    return _acted(
        visit,
        question,
        said,
        target,
        lambda connection, who: one.forget_devices(connection, who, target.id),
    )


def _question(
    visit: Visit,
    target: Account,
    act: str,
    *,
    title: str,
    text: str,
    button: str,
    fields: Mapping[str, str] | None = None,
) -> Question:
    """Return what is asked before *act* is done to a user, whose name stands in *title* and *text*."""
    name, place = {"name": target.username}, place_of(visit)
    return Question(
        title=title % name,
        text=text % name,
        action=f"/admin/users/{target.id}/{act}",
        button=button,
        back=place.of_user(target.id),
        fields={**place.fields, **(fields or {})},
    )


def _acted(
    visit: Visit,
    question: Question,
    said: Mapping[Outcome, str],
    target: Account,
    act: Callable[[Transaction, By], Outcome],
) -> Response:
    """Do something to a user, once a code was given where one is wanted."""
    granted = step_up.take(visit)
    if isinstance(granted, Denied):
        return ask(visit, question, granted)
    with visit.ctx.db.write() as connection:
        outcome = act(connection, by(visit.acting, visit.client))
    answer = to_user(visit, target.id, said[outcome]) if outcome in said else refused_page(visit)
    return granted.hand_over(visit, answer)


def show_setup_link(visit: Visit) -> Response:
    """Ask whether to make a set-up link."""
    target = target_of(visit)
    if not may(visit, Action.SETUP_LINK, target):
        return refused_page(visit)
    return ask(visit, _link_question(visit, target))


def _link_question(visit: Visit, target: Account) -> Question:
    return _question(
        visit,
        target,
        "setup-link",
        title=visit.say("Set-up link for %(name)s"),
        text=visit.say(
            "With the link %(name)s chooses a password, once, within 24 hours. "
            "Until then the present password stays good; an earlier link does not."
        ),
        button=visit.say("Make a set-up link"),
    )


def do_setup_link(visit: Visit) -> Response:
    """Make a set-up link, and show it this once."""
    target = target_of(visit)
    granted = step_up.take(visit)
    if isinstance(granted, Denied):
        return ask(visit, _link_question(visit, target), granted)
    with visit.ctx.db.write() as connection:
        made = one.setup_link(connection, by(visit.acting, visit.client), target.id)
    answer = refused_page(visit) if isinstance(made, Outcome) else link_page(visit, target.id, made)
    return granted.hand_over(visit, answer)


def link_page(visit: Visit, user_id: int, made: Issued, *, created: bool = False) -> Response:
    """Show a link that was made, this once."""
    return visit.page(
        "admin/setup_link.html",
        section="/admin/users",
        username=made.username,
        link=f"{visit.service.config.origin}{made.path}",
        expires=visit.language.moment(made.expires_at),
        created=created,
        back=place_of(visit).of_user(user_id),
    )
