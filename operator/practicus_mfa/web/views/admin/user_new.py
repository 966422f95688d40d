"""Adding a user: with a password that somebody else chose, or with a set-up link to hand over."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from practicus_mfa.login.acts import one
from practicus_mfa.login.acts.by import Outcome, by
from practicus_mfa.login.acts.create import create_user
from practicus_mfa.storage.users import NewUser, User, UserExistsError
from practicus_mfa.web import step_up
from practicus_mfa.web.gates import refused_page
from practicus_mfa.web.step_up import Denied
from practicus_mfa.web.views.admin.list_place import LIST
from practicus_mfa.web.views.admin.texts import new_username_problem, text_problems
from practicus_mfa.web.views.admin.user_acts import link_page, to_user
from practicus_mfa.web.views.password import password_problem
from practicus_mfa.web.visit import Visit

if TYPE_CHECKING:
    from starlette.responses import Response

LINK: Final = "link"
PASSWORD: Final = "password"  # noqa: S105 - a choice, no password


def show_new(visit: Visit) -> Response:
    """Show the form."""
    return _form(visit)


def do_new(visit: Visit) -> Response:
    """Add the user that was typed."""
    problems = _problems(visit)
    if problems:
        return _form(visit, errors=problems, status=422)
    granted = step_up.take(visit)
    if isinstance(granted, Denied):
        return _form(visit, errors={step_up.FIELD: granted.text}, status=granted.status)
    return granted.hand_over(visit, _created(granted.going_on(visit)))


def _problems(visit: Visit) -> dict[str, str]:
    problems = new_username_problem(visit, visit.text("username"))
    problems |= text_problems(visit, email=visit.text("email"), name=visit.text("name"))
    if visit.text("by") == PASSWORD:
        wrong = password_problem(visit, visit.text("new_password"), visit.text("repeated"))
        problems |= {"new_password": wrong} if wrong else {}
    elif visit.text("new_password"):
        # It would be left unused without a word.
        problems["new_password"] = visit.say(
            "You typed a password, and chose the set-up link. Choose one of the two."
        )
    return problems


def _created(visit: Visit) -> Response:
    superuser = visit.acting.account.is_superuser
    new = NewUser(
        username=visit.text("username"),
        email=visit.text("email"),
        name=visit.text("name"),
        is_staff=superuser and bool(visit.text("is_staff")),
        is_superuser=superuser and bool(visit.text("is_superuser")),
    )
    with_password = visit.text("by") == PASSWORD
    who = by(visit.acting, visit.client)
    try:
        made = create_user(
            visit.ctx,
            who,
            new,
            password=visit.text("new_password") if with_password else None,
            must_change=with_password and bool(visit.text("must_change_password")),
        )
    except UserExistsError:
        taken = visit.say("There is a user of that name already. Upper and lower case make no difference.")
        return _form(visit, errors={"username": taken}, status=409)
    if not isinstance(made, User):
        return refused_page(visit)
    if with_password:
        return to_user(visit, made.id, "created")
    with visit.ctx.db.write() as connection:
        link = one.setup_link(connection, who, made.id)
    # Whoever was faster than us with this user decides; the user's page tells how it is.
    if isinstance(link, Outcome):
        return to_user(visit, made.id, "created")
    return link_page(visit, made.id, link, created=True)


def _form(visit: Visit, *, errors: Mapping[str, str] | None = None, status: int = 200) -> Response:
    """Return the form, with what was typed before but no password."""
    typed = {
        name: visit.text(name)
        for name in ("username", "email", "name", "by", "is_staff", "is_superuser", "must_change_password")
    }
    if not visit.text("sent"):
        typed |= {"by": LINK, "must_change_password": "1"}
    return visit.page(
        "admin/user_new.html",
        status=status,
        section=LIST,
        back=LIST,
        typed=typed,
        errors=errors or {},
        error=" ".join((errors or {}).values()),
        proof=step_up.asked(visit),
        may_set_roles=visit.acting.account.is_superuser,
    )
