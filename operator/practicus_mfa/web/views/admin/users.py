"""The list of users: a page of it, what is known in all, and the menu of what can be done to those chosen."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from practicus_mfa.core.login.rights import Action
from practicus_mfa.storage import user_list
from practicus_mfa.storage.user_list import ListedUser, Sort, Summary
from practicus_mfa.web.views.admin.list_place import LIST, Filter, Place, read_place
from practicus_mfa.web.views.admin.words import action_names, done_text, key_text, role
from practicus_mfa.web.visit import Visit

if TYPE_CHECKING:
    from starlette.responses import Response

SIZE: Final = 50
"""Users in a page."""


def show_administration(visit: Visit) -> Response:
    """Send on: the list of users is where all administrators begin."""
    return visit.go(LIST)


def show_users(visit: Visit) -> Response:
    """Show a page of the list."""
    return users_page(visit, read_place(visit.request.query_params))


def users_page(
    visit: Visit,
    place: Place,
    *,
    error: str = "",
    status: int = 200,
    ticked: frozenset[int] = frozenset(),
    chosen: Action | None = None,
) -> Response:
    """Return the list at *place*.

    Args:
        visit: The visit.
        place: Which page of which users.
        error: What went wrong with what was asked for.
        status: The answer's status.
        ticked: The users who were ticked before.
        chosen: The action that was chosen before.
    """
    with visit.ctx.db.read() as connection:
        summary = user_list.summary(connection)
        found = user_list.page(
            connection,
            place.wanted,
            sort=place.sort,
            descending=place.descending,
            cursor=place.cursor or None,
            size=SIZE,
        )
        narrowed = place.wanted != Place().wanted
        matching = user_list.count(connection, place.wanted) if narrowed else summary.total
        waiting = user_list.waiting_readers(connection)
    return visit.page(
        "admin/users.html",
        status=status,
        section="/admin/users",
        error=error,
        done=done_text(visit, visit.request.query_params.get("done", "")),
        place=place,
        kept={name: value for name, value in place.fields.items() if name not in {"search", "at", "user"}},
        sorts=Sort,
        filters=_filters(visit, place),
        narrowed=narrowed,
        users=[_line(visit, one) for one in found.users],
        ticked=ticked,
        chosen=str(chosen or ""),
        matching=matching,
        caption=_caption(visit, matching, narrowed=narrowed),
        summary=_summary(visit, summary),
        progress=_progress(visit, summary, waiting),
        actions={str(action): name for action, name in action_names(visit).items()},
        csv=replace(place, cursor="", user_id=None).on("/admin/users.csv"),
        first=replace(place, cursor="").in_list if found.previous is not None else "",
        previous=place.at(found.previous),
        next=place.at(found.next),
        path=place.in_list,
    )


def _line(visit: Visit, one: ListedUser) -> dict[str, Any]:
    user = one.user
    return {
        "id": user.id,
        "username": user.username,
        "email": user.email,
        "name": user.name,
        "role": role(visit, user),
        "is_active": user.is_active,
        "stopped": one.stopped,
        "mfa": one.mfa,
        "key": one.key.value,
        "key_text": key_text(visit, one.key),
        "last_login": visit.language.moment(one.last_login_at) if one.last_login_at else visit.say("never"),
    }


def _filters(visit: Visit, place: Place) -> list[dict[str, Any]]:
    names = {
        Filter.ALL: visit.say("All"),
        Filter.ROLLING: visit.say("On rolling key"),
        Filter.WITHOUT_MFA: visit.say("Without MFA"),
        Filter.UNDECRYPTABLE: visit.say("Undecryptable"),
        Filter.ADMINISTRATORS: visit.say("Administrators"),
        Filter.DISABLED: visit.say("Disabled"),
        Filter.STOPPED: visit.say("Stopped"),
    }
    return [
        {
            "name": name,
            "path": replace(place, filter=one, cursor="").in_list,
            "here": one is place.filter,
        }
        for one, name in names.items()
    ]


def _caption(visit: Visit, matching: int, *, narrowed: bool) -> str:
    shown = {"shown": visit.language.number(matching)}
    if narrowed:
        return visit.language.ngettext("%(shown)s user found", "%(shown)s users found", matching) % shown
    return visit.language.ngettext("%(shown)s user", "%(shown)s users", matching) % shown


def _summary(visit: Visit, summary: Summary) -> str:
    number = visit.language.number
    parts = [
        visit.say("%(enrolled)s of %(total)s enrolled")
        % {"enrolled": number(summary.enrolled), "total": number(summary.total)}
    ]
    if summary.rolling:
        parts.append(visit.say("%(shown)s on the rolling key") % {"shown": number(summary.rolling)})
    if summary.undecryptable:
        parts.append(visit.say("%(shown)s undecryptable") % {"shown": number(summary.undecryptable)})
    return " · ".join(parts)


def _progress(visit: Visit, summary: Summary, waiting: int) -> dict[str, Any] | None:
    """Return how far the rotation under way is, ``None`` where there is none."""
    rotation = summary.rotation
    if rotation is None:
        return None
    number = visit.language.number
    text = visit.say("Key rotation to %(key)s: %(done)s of %(total)s") % {
        "key": rotation.to_key,
        "done": number(rotation.done),
        "total": number(rotation.total),
    }
    if waiting:
        waits = visit.language.ngettext(
            "waiting for %(num)d replica", "waiting for %(num)d replicas", waiting
        ) % {"num": waiting}
        text = f"{text}, {waits}"
    return {"text": text, "done": rotation.done, "total": max(rotation.total, 1)}
