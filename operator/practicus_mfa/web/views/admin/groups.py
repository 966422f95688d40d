"""Groups: the list, making one, deleting one. For superusers alone."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Final
from urllib.parse import quote

from starlette.exceptions import HTTPException

from practicus_mfa.errors import UsageError
from practicus_mfa.login import memberships
from practicus_mfa.login.acts.by import By, by
from practicus_mfa.login.acts.judged import is_superuser
from practicus_mfa.storage import groups
from practicus_mfa.storage.groups import NoSuchGroupError
from practicus_mfa.storage.transaction import Transaction
from practicus_mfa.web import step_up
from practicus_mfa.web.gates import refused_page
from practicus_mfa.web.step_up import Denied
from practicus_mfa.web.views.admin.asking import Question, ask
from practicus_mfa.web.visit import Visit

if TYPE_CHECKING:
    from starlette.responses import Response

GROUPS: Final = "/admin/groups"

# Browsers take "." and ".." in an address for folders: the page of such a group could not be got to.
_NAME: Final = re.compile(r"(?!\.{1,2}$)[A-Za-z0-9._-]{1,64}", re.ASCII)


def group_path(name: str) -> str:
    """Return the address of a group's page."""
    return f"{GROUPS}/{quote(name, safe='')}"


def name_of(visit: Visit) -> str:
    """Return the group's name in the page's address.

    Raises:
        HTTPException: 404: no group is called so.
    """
    name = str(visit.request.path_params["name"])
    if not _NAME.fullmatch(name):
        raise HTTPException(404)
    return name


class NotAllowedError(Exception):
    """Who asks is no superuser any more."""


def as_superuser(visit: Visit, act: Callable[[Transaction, By], None]) -> None:
    """Do something that superusers alone may do, judged in the same transaction.

    Raises:
        NotAllowedError: The rights were taken meanwhile.
    """
    who = by(visit.acting, visit.client)
    with visit.ctx.db.write() as connection:
        if not is_superuser(connection, who):
            raise NotAllowedError
        act(connection, who)


def show_groups(visit: Visit) -> Response:
    """Show the groups."""
    return _page(visit)


def _page(visit: Visit, *, error: str = "", proof_error: str = "", status: int = 200) -> Response:
    with visit.ctx.db.read() as connection:
        found = groups.all_groups(connection)
    said = {
        "created": visit.say("The group was made."),
        "deleted": visit.say("The group was deleted."),
    }
    return visit.page(
        "admin/groups.html",
        status=status,
        section=GROUPS,
        error=error or proof_error,
        name_error=error,
        proof_error=proof_error,
        done=said.get(visit.request.query_params.get("done", ""), ""),
        groups=[
            {"name": name, "members": members, "path": group_path(name)} for name, members in found.items()
        ],
        typed=visit.text("name"),
        proof=step_up.asked(visit),
    )


def do_groups(visit: Visit) -> Response:
    """Make a group."""
    name = visit.text("name")
    if not _NAME.fullmatch(name):
        text = visit.say("Take 1 to 64 letters from A to Z, digits, dots, hyphens and underscores.")
        return _page(visit, error=text, status=422)
    granted = step_up.take(visit)
    if isinstance(granted, Denied):
        return _page(visit, proof_error=granted.text, status=granted.status)
    after = granted.going_on(visit)
    try:
        as_superuser(visit, lambda connection, who: memberships.create(connection, who, name))
    except NotAllowedError:
        answer = refused_page(after)
    except UsageError:
        answer = _page(after, error=visit.say("There is a group of that name already."), status=409)
    else:
        answer = visit.go(f"{GROUPS}?done=created")
    return granted.hand_over(visit, answer)


def _deletion(visit: Visit, name: str) -> Question:
    return Question(
        title=visit.say("Delete the group %(name)s") % {"name": name},
        text=visit.say(
            "Its members stay users. Applications and access rules that ask for the group no longer let "
            "them in by it."
        ),
        action=f"{group_path(name)}/delete",
        button=visit.say("Delete the group"),
        back=group_path(name),
        section=GROUPS,
        danger=True,
    )


def show_deletion(visit: Visit) -> Response:
    """Ask whether to delete a group."""
    with visit.ctx.db.read() as connection:
        if name_of(visit) not in groups.all_groups(connection):
            raise HTTPException(404)
    return ask(visit, _deletion(visit, name_of(visit)))


def do_deletion(visit: Visit) -> Response:
    """Delete a group."""
    name = name_of(visit)
    granted = step_up.take(visit)
    if isinstance(granted, Denied):
        return ask(visit, _deletion(visit, name), granted)
    try:
        as_superuser(visit, lambda connection, who: memberships.delete(connection, who, name))
    except NotAllowedError:
        answer = refused_page(visit)
    except NoSuchGroupError:
        # Somebody else did it: it is as it was asked for.
        answer = visit.go(f"{GROUPS}?done=deleted")
    else:
        answer = visit.go(f"{GROUPS}?done=deleted")
    return granted.hand_over(visit, answer)
