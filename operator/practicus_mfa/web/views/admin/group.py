"""One group: its members, and putting users in or taking them out. For superusers alone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final
from urllib.parse import urlencode

from starlette.exceptions import HTTPException

from practicus_mfa.login import memberships
from practicus_mfa.login.acts.by import By
from practicus_mfa.storage import group_members, users
from practicus_mfa.storage.groups import NoSuchGroupError
from practicus_mfa.storage.transaction import Transaction
from practicus_mfa.storage.users import NoSuchUserError
from practicus_mfa.web import step_up
from practicus_mfa.web.gates import refused_page
from practicus_mfa.web.step_up import Denied
from practicus_mfa.web.views.admin.asking import Question, ask
from practicus_mfa.web.views.admin.groups import GROUPS, NotAllowedError, as_superuser, group_path, name_of
from practicus_mfa.web.views.admin.texts import username_problem
from practicus_mfa.web.visit import Visit

if TYPE_CHECKING:
    from starlette.responses import Response

SIZE: Final = 50
"""Members in a page."""


def show_group(visit: Visit) -> Response:
    """Show a page of the members."""
    return _page(visit)


def _page(visit: Visit, *, error: str = "", proof_error: str = "", status: int = 200) -> Response:
    name, query = name_of(visit), visit.request.query_params
    # No name has a NUL, and PostgreSQL can't be asked about one.
    after, before = (query.get(side, "").replace("\0", "") for side in ("after", "before"))
    with visit.ctx.db.read() as connection:
        found = group_members.members(connection, name, size=SIZE, after=after, before=before)
    if found is None:
        raise HTTPException(404)
    said = {
        "added": visit.say("The user is a member now."),
        "removed": visit.say("The user is no member any more."),
    }
    path = group_path(name)
    return visit.page(
        "admin/group.html",
        status=status,
        section=GROUPS,
        group=name,
        action=path,
        error=error or proof_error,
        name_error=error,
        proof_error=proof_error,
        done=said.get(query.get("done", ""), ""),
        members=found.shown,
        total=found.total,
        first=path if found.before is not None else "",
        previous=f"{path}?{urlencode({'before': found.before})}" if found.before is not None else "",
        next=f"{path}?{urlencode({'after': found.after})}" if found.after is not None else "",
        typed=visit.text("username"),
        proof=step_up.asked(visit),
    )


def do_group(visit: Visit) -> Response:
    """Put a user in, or take one out."""
    if visit.text("remove"):
        return _take_out(visit, visit.text("remove"))
    name, username = name_of(visit), visit.text("username").strip()
    if username_problem(visit, username):
        return _page(visit, error=visit.say("There is no user of that name."), status=422)
    granted = step_up.take(visit)
    if isinstance(granted, Denied):
        return _page(visit, proof_error=granted.text, status=granted.status)
    after = granted.going_on(visit)

    def add(connection: Transaction, who: By) -> None:
        memberships.add(connection, who, name, [users.get(connection, username)])

    try:
        as_superuser(visit, add)
    except NotAllowedError:
        answer = refused_page(after)
    except NoSuchUserError:
        answer = _page(after, error=visit.say("There is no user of that name."), status=422)
    except NoSuchGroupError as error:
        raise HTTPException(404) from error
    else:
        answer = visit.go(f"{group_path(name)}?done=added")
    return granted.hand_over(visit, answer)


def _take_out(visit: Visit, username: str) -> Response:
    name = name_of(visit)
    if username_problem(visit, username):
        return visit.go(group_path(name))
    granted = step_up.take(visit)
    if isinstance(granted, Denied):
        names = {"user": username, "group": name}
        question = Question(
            title=visit.say("Remove %(user)s from %(group)s") % names,
            text=visit.say(
                "%(user)s stays a user. Applications and access rules that ask for the group no longer let "
                "this user in by it."
            )
            % names,
            action=group_path(name),
            button=visit.say("Remove"),
            back=group_path(name),
            section=GROUPS,
            fields={"remove": username},
        )
        return ask(visit, question, granted)

    def remove(connection: Transaction, who: By) -> None:
        memberships.remove(connection, who, name, [users.get(connection, username)])

    try:
        as_superuser(visit, remove)
    except NotAllowedError:
        answer = refused_page(visit)
    except (NoSuchUserError, NoSuchGroupError):
        # Gone with what it hung on: it is as it was asked for.
        answer = visit.go(f"{group_path(name)}?done=removed")
    else:
        answer = visit.go(f"{group_path(name)}?done=removed")
    return granted.hand_over(visit, answer)
