"""The MFA settings page: the rules in force, and asking the operator for other ones. For superusers alone.

A change goes a way of its own: this service writes a request, and a page looks every two seconds whether the
operator has answered. So the page says what became of it, not what was wished.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from practicus_mfa.core.policy import SettingsPage
from practicus_mfa.core.settings_page import PATHS, Flat
from practicus_mfa.core.settings_requests import Refused
from practicus_mfa.login import settings
from practicus_mfa.login.settings import Asked, NotAllowed, Risky
from practicus_mfa.login.settings_in_force import Settings
from practicus_mfa.login.settings_in_force import settings as in_force
from practicus_mfa.web import step_up
from practicus_mfa.web.gates import refused_page
from practicus_mfa.web.step_up import Denied
from practicus_mfa.web.views.admin import settings_form
from practicus_mfa.web.views.admin.settings_form import CHANGES, SEEN, Typed, packed, shown
from practicus_mfa.web.views.admin.settings_progress import request_number, show_progress
from practicus_mfa.web.views.admin.settings_words import days_text, reason_text, risk_text, value_text, words
from practicus_mfa.web.visit import Visit

if TYPE_CHECKING:
    from starlette.responses import Response

SETTINGS: Final = "/admin/settings"

KNOWN: Final = "known"
"""The box that says that a risk is known."""


def show_settings(visit: Visit) -> Response:
    """Show the rules; what became of a request; or one value that is to return to values.yaml."""
    query = visit.request.query_params
    if number := request_number(query.get("request", "")):
        return show_progress(visit, number)
    path = query.get("return", "")
    found = in_force(visit.ctx)
    if path in PATHS and found.by_path[path].overridden and found.mode is not SettingsPage.READ:
        return _sure(visit, found, {path: None})
    return _page(visit, found)


def do_settings(visit: Visit) -> Response:
    """Ask the operator for what was changed."""
    found, form = in_force(visit.ctx), settings_form.typed(visit)
    if form is None:
        return _page(visit, found)
    if form.faulty:
        return _page(visit, found, form, error=days_text(visit, form.faulty), faulty=form.faulty, status=422)
    if not form.changes:
        return visit.go(f"{SETTINGS}?done=nothing")
    judgement = settings.check(visit.ctx, form.changes)
    if isinstance(judgement, Refused):
        return _refused(visit, found, form, judgement)
    return _ask(visit, found, form)


def _ask(visit: Visit, found: Settings, form: Typed) -> Response:
    granted = step_up.take(visit)
    if isinstance(granted, Denied):
        if form.confirmed:
            return _sure(visit, found, form.changes, denied=granted)
        return _page(visit, found, form, error=granted.text, proof_error=granted.text, status=granted.status)
    after = granted.going_on(visit)
    answer = settings.ask(visit.ctx, after.acting, form.changes, accepted_risks=bool(visit.text(KNOWN)))
    match answer:
        case Asked():
            response = visit.go(f"{SETTINGS}?request={answer.request}")
        case Risky():
            response = _sure(after, found, form.changes, risky=answer)
        case Refused():
            response = _refused(after, found, form, answer)
        case NotAllowed():
            response = refused_page(after)
    return granted.hand_over(visit, response)


def _refused(visit: Visit, found: Settings, form: Typed, refused: Refused) -> Response:
    text = reason_text(visit, refused.reason)
    return _page(visit, found, None if form.confirmed else form, error=text, status=422)


def _page(
    visit: Visit,
    found: Settings,
    form: Typed | None = None,
    *,
    error: str = "",
    proof_error: str = "",
    faulty: frozenset[str] = frozenset(),
    status: int = 200,
) -> Response:
    typed = shown(found.in_force) if form is None else form.values
    said = words(visit)
    rows = {
        path: {
            "words": said[path],
            "value": value_text(visit, setting.value),
            "said": "" if setting.values is None else value_text(visit, setting.values),
            "typed": typed[path],
            "box": isinstance(setting.value, bool),
            "overridden": setting.overridden,
            "by": setting.by,
            "at": visit.language.moment(setting.at) if setting.at else "",
            "faulty": path in faulty,
        }
        for path, setting in found.by_path.items()
    }
    done = {"nothing": visit.say("Nothing was changed.")}
    return visit.page(
        "admin/settings.html",
        status=status,
        section=SETTINGS,
        mode=str(found.mode),
        mfa={path: row for path, row in rows.items() if path.startswith("mfa.")},
        remember_me={path: row for path, row in rows.items() if not path.startswith("mfa.")},
        seen_field=SEEN,
        seen=packed(found.in_force if form is None else form.seen),
        without=settings.led_to_enrolment(visit.ctx, found.in_force),
        error=error,
        proof_error=proof_error,
        note=done.get(visit.request.query_params.get("done", ""), ""),
        proof=step_up.asked(visit),
    )


def _sure(
    visit: Visit,
    found: Settings,
    changes: Flat,
    *,
    risky: Risky | None = None,
    denied: Denied | None = None,
) -> Response:
    """Ask whether *changes* are really meant."""
    said = words(visit)
    rows = []
    for path, value in changes.items():
        setting = found.by_path[path]
        rows.append(
            {
                "label": said[path].label,
                "now": value_text(visit, setting.value),
                "then": value_text(visit, found.after(changes)[path]),
                "returns": value is None,
            }
        )
    return visit.page(
        "admin/settings_sure.html",
        status=denied.status if denied else (409 if risky else 200),
        section=SETTINGS,
        changes_field=CHANGES,
        changes=packed(changes),
        rows=rows,
        known_field=KNOWN,
        risks=[risk_text(visit, risk) for risk in risky.risks] if risky else [],
        known=bool(visit.text(KNOWN)),
        proof=step_up.asked(visit),
        error=denied.text if denied else "",
    )
