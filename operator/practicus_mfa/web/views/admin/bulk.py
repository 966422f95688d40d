"""Doing something to many users: the confirmation page, and the run that is started then."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from practicus_mfa.core.login.rights import Action
from practicus_mfa.errors import UsageError
from practicus_mfa.login import bulk
from practicus_mfa.login.acts.by import by
from practicus_mfa.storage import user_list
from practicus_mfa.web import step_up
from practicus_mfa.web.gates import refused_page
from practicus_mfa.web.step_up import Denied
from practicus_mfa.web.views.admin.chosen import Chosen, Whom, read_confirmed_form, read_list_form, whom
from practicus_mfa.web.views.admin.list_place import LIST
from practicus_mfa.web.views.admin.users import users_page
from practicus_mfa.web.views.admin.words import action_meaning, action_names, waiting_text
from practicus_mfa.web.visit import Visit

if TYPE_CHECKING:
    from starlette.responses import Response

_DANGEROUS: Final = frozenset({Action.REMOVE_MFA, Action.DISABLE})


def do_action(visit: Visit) -> Response:
    """Ask whether what was chosen is really meant."""
    return _confirmation(visit, read_list_form(visit.form))


def do_run(visit: Visit) -> Response:
    """Begin what was confirmed; what is small is done by the answer."""
    chosen = read_confirmed_form(visit.form)
    if chosen.action is None or chosen.ids == ():
        return _confirmation(visit, chosen)
    granted = step_up.take(visit)
    if isinstance(granted, Denied):
        return _confirmation(visit, chosen, granted)
    who = by(visit.acting, visit.client)
    selection = chosen.place.wanted if chosen.ids is None else chosen.ids
    try:
        run = bulk.start(visit.service.bulk, who, chosen.action, selection)
    except UsageError:
        # Who asks is no administrator any more, or this is no form of ours.
        return granted.hand_over(visit, refused_page(visit))
    bulk.finish_now(visit.service.bulk, run.id)
    return granted.hand_over(visit, visit.go(chosen.place.on(f"{LIST}/runs/{run.id}")))


def _confirmation(visit: Visit, chosen: Chosen, denied: Denied | None = None) -> Response:
    error = _missing(visit, chosen)
    if not error and chosen.action is not None:
        with visit.ctx.db.read() as connection:
            found = whom(connection, chosen, visit.acting.account.id)
            waiting = user_list.waiting_readers(connection)
        if found.total:
            return _page(visit, chosen, chosen.action, found, denied, waiting)
        error = visit.say("None of these users is there any more.")
    if chosen.place.user_id is not None:
        return visit.go(chosen.place.back)
    ticked = frozenset(chosen.ids or ())
    return users_page(visit, chosen.place, error=error, status=422, ticked=ticked, chosen=chosen.action)


def _missing(visit: Visit, chosen: Chosen) -> str:
    """Return what was not chosen, '' for nothing."""
    if chosen.action is None and chosen.ids == ():
        return visit.say("Choose an action, and tick the users that it is for.")
    if chosen.action is None:
        return visit.say("Choose an action.")
    if chosen.ids == ():
        return visit.say("Tick the users that the action is for, or choose all of them beside the action.")
    return ""


def _page(
    visit: Visit, chosen: Chosen, action: Action, found: Whom, denied: Denied | None, waiting: int
) -> Response:
    return visit.page(
        "admin/confirm.html",
        status=denied.status if denied else 200,
        section=LIST,
        name=action_names(visit)[action],
        meaning=action_meaning(visit, action),
        warnings=_warnings(visit, action, found, waiting),
        total=found.total,
        who=found.names,
        more=found.total - len(found.names),
        fields=chosen.fields,
        proof=step_up.asked(visit),
        error=denied.text if denied else "",
        danger=action in _DANGEROUS,
        back=chosen.place.back,
    )


def _warnings(visit: Visit, action: Action, found: Whom, waiting: int) -> list[str]:
    """Return what the administrator may not expect."""
    warnings = []
    if found.own:
        own = {
            Action.REMOVE_MFA: visit.say("Your own account is among them: your MFA is removed, too."),
            Action.DISABLE: visit.say("Your own account is among them: it stays as it is."),
            Action.END_SESSIONS: visit.say(
                "Your own account is among them: all your sessions end but this one."
            ),
        }
        warnings.append(own.get(action, visit.say("Your own account is among them.")))
    if found.administrators and not visit.acting.account.is_superuser:
        warnings.append(
            visit.language.ngettext(
                "%(num)d of them is an administrator, who stays untouched: only superusers act on those.",
                "%(num)d of them are administrators, who stay untouched: only superusers act on those.",
                found.administrators,
            )
            % {"num": found.administrators}
        )
    if waiting and action is Action.MIGRATE_KEY:
        warnings.append(waiting_text(visit, waiting))
    return warnings
