"""Editing a user.

The form remembers what it was shown with: whoever comes second is told what the first one changed.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, fields, replace
from typing import TYPE_CHECKING, Final

from practicus_mfa.core.login.account import Account
from practicus_mfa.core.login.rights import Action
from practicus_mfa.login.acts.by import Outcome, by
from practicus_mfa.login.acts.profile import Profile, edit, profile_of
from practicus_mfa.storage import groups
from practicus_mfa.web import step_up
from practicus_mfa.web.gates import refused_page
from practicus_mfa.web.step_up import Denied
from practicus_mfa.web.views.admin.list_place import LIST
from practicus_mfa.web.views.admin.texts import text_problems
from practicus_mfa.web.views.admin.user import may
from practicus_mfa.web.views.admin.user_acts import place_of, target_of, to_user
from practicus_mfa.web.views.admin.words import outcome_text
from practicus_mfa.web.visit import Visit

if TYPE_CHECKING:
    from starlette.responses import Response

MOST_GROUPS: Final = 200
"""Groups that a form has boxes for; where there are more, members are added on each group's page."""

GROUP: Final = "group."
"""What the names of the groups' boxes begin with."""


def show_edit(visit: Visit) -> Response:
    """Show the form with what is stored."""
    target = target_of(visit)
    if not may(visit, Action.EDIT, target):
        return refused_page(visit)
    return _form(visit, target, seen=profile_of(target), typed=profile_of(target))


def do_edit(visit: Visit) -> Response:
    """Save what was typed, all or nothing."""
    target = target_of(visit)
    if not may(visit, Action.EDIT, target):
        return refused_page(visit)
    seen = _seen(visit.text("seen"))
    if seen is None:
        return show_edit(visit)
    typed = _typed(visit, seen)
    # What stays is not judged: an older release, or another program, may have been content with less.
    problems = text_problems(
        visit,
        email="" if typed.email == seen.email else typed.email,
        name="" if typed.name == seen.name else typed.name,
    )
    if problems:
        return _form(visit, target, seen=seen, typed=typed, errors=problems, status=422)
    granted = step_up.take(visit)
    if isinstance(granted, Denied):
        errors = {step_up.FIELD: granted.text}
        return _form(visit, target, seen=seen, typed=typed, errors=errors, status=granted.status)
    answer = _edited(granted.going_on(visit), target, seen, typed)
    return granted.hand_over(visit, answer)


def _edited(visit: Visit, target: Account, seen: Profile, typed: Profile) -> Response:
    try:
        with visit.ctx.db.write() as connection:
            outcome = edit(connection, by(visit.acting, visit.client), target.id, seen=seen, wanted=typed)
    except groups.NoSuchGroupError:
        gone = {"groups": visit.say("One of the groups was deleted meanwhile. Look, then save again.")}
        return _form(visit, target, seen=seen, typed=typed, errors=gone, status=409)
    if outcome in {Outcome.SAVED, Outcome.UNCHANGED}:
        return to_user(visit, target.id, outcome.value)
    if outcome is not Outcome.CHANGED:
        errors = {"": outcome_text(visit, outcome)}
        return _form(visit, target, seen=seen, typed=typed, errors=errors, status=403)
    now = profile_of(target_of(visit))
    errors = {"": visit.say("Somebody else changed this user meanwhile. Look, then save again.")}
    changes, merged = _changes(visit, seen, now), _merged(seen, typed, now)
    return _form(visit, target, seen=now, typed=merged, errors=errors, changes=changes, status=409)


def _merged(seen: Profile, typed: Profile, now: Profile) -> Profile:
    """Return what is stored *now* with what was typed: nobody's change is taken back by saving again."""
    names = [field.name for field in fields(Profile) if field.name != "groups"]
    changed = {name: getattr(typed, name) for name in names if getattr(typed, name) != getattr(seen, name)}
    added, removed = set(typed.groups) - set(seen.groups), set(seen.groups) - set(typed.groups)
    return replace(now, **changed, groups=tuple(sorted((set(now.groups) | added) - removed)))


def _form(
    visit: Visit,
    target: Account,
    *,
    seen: Profile,
    typed: Profile,
    errors: Mapping[str, str] | None = None,
    changes: list[str] | None = None,
    status: int = 200,
) -> Response:
    """Return the form.

    Args:
        visit: The visit.
        target: Who is edited.
        seen: What is compared with what is stored when it is sent.
        typed: What stands in it.
        errors: What is wrong, by the field that it is about.
        changes: What somebody else changed.
        status: The answer's status.
    """
    with visit.ctx.db.read() as connection:
        known = list(groups.all_groups(connection)) if visit.acting.account.is_superuser else []
    return visit.page(
        "admin/user_edit.html",
        status=status,
        section=LIST,
        path=place_of(visit).on(f"{LIST}/{target.id}/edit"),
        user=target,
        place=place_of(visit),
        seen=json.dumps(asdict(seen)),
        typed=typed,
        error=" ".join((errors or {}).values()),
        errors=errors or {},
        changes=changes or [],
        proof=step_up.asked(visit),
        may_set_roles=may(visit, Action.SET_ROLES, target),
        own=target.id == visit.acting.account.id,
        group_field=GROUP,
        groups=known if len(known) <= MOST_GROUPS else [],
        many_groups=len(known) > MOST_GROUPS,
    )


def _typed(visit: Visit, seen: Profile) -> Profile:
    """Return what was typed; what the form had no field for stays as it was seen. Rights are judged later."""
    typed = replace(
        seen,
        email=visit.text("email"),
        name=visit.text("name"),
        must_change_password=bool(visit.text("must_change_password")),
    )
    if visit.text("roles"):
        typed = replace(
            typed, is_staff=bool(visit.text("is_staff")), is_superuser=bool(visit.text("is_superuser"))
        )
    if visit.text("groups"):
        ticked = sorted(name.removeprefix(GROUP) for name in visit.form if name.startswith(GROUP))
        typed = replace(typed, groups=tuple(ticked))
    return typed


def _seen(text: str) -> Profile | None:
    """Return what a form was shown with, ``None`` where that can't be told: it is shown anew then."""
    try:
        match json.loads(text):
            case {
                "email": str(email),
                "name": str(name),
                "must_change_password": bool(must_change),
                "is_staff": bool(staff),
                "is_superuser": bool(superuser),
                "groups": [*members],
                **more,
            } if not more and all(isinstance(group, str) for group in members):
                # JSON can say half a character, which no page can show.
                "".join((email, name, *members)).encode()
                return Profile(
                    email=email,
                    name=name,
                    must_change_password=must_change,
                    is_staff=staff,
                    is_superuser=superuser,
                    groups=tuple(members),
                )
    except (ValueError, RecursionError):
        pass
    return None


def _changes(visit: Visit, seen: Profile, now: Profile) -> list[str]:
    names = {
        "email": visit.say("E-mail"),
        "name": visit.say("Name"),
        "must_change_password": visit.say("Must change the password"),
        "is_staff": visit.say("Staff"),
        "is_superuser": visit.say("Superuser"),
        "groups": visit.say("Groups"),
    }

    def shown(value: object) -> str:
        if isinstance(value, bool):
            return visit.say("True") if value else visit.say("False")
        if isinstance(value, tuple):
            return ", ".join(value) or visit.say("none")
        return str(value) or visit.say("none")

    return [
        visit.say("%(what)s: was %(before)s, is %(now)s now")
        % {"what": what, "before": shown(getattr(seen, name)), "now": shown(getattr(now, name))}
        for name, what in names.items()
        if getattr(seen, name) != getattr(now, name)
    ]
