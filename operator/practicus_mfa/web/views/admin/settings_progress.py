"""What became of a request: the page that waits for the operator.

The page loads itself anew by a header (Refresh): it works without a script, only while something can still
change, and until somebody stops it (WCAG 2.2.2).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from starlette.exceptions import HTTPException

from practicus_mfa.core.settings_page import known
from practicus_mfa.login import settings
from practicus_mfa.login.settings_in_force import settings as in_force
from practicus_mfa.web.views.admin.settings_words import reason_text, value_text, words
from practicus_mfa.web.visit import Visit

if TYPE_CHECKING:
    from starlette.responses import Response

AGAIN_SECONDS: Final = 2
_LONGEST_NUMBER: Final = 18
"""Digits: more than a database counts to."""


def request_number(text: str) -> int:
    """Return the number of a request, 0 where *text* is none."""
    return int(text) if text.isascii() and text.isdecimal() and len(text) <= _LONGEST_NUMBER else 0


def show_progress(visit: Visit, number: int) -> Response:
    """Show whether a request was answered, and how.

    Raises:
        HTTPException: 404: there is no such request.
    """
    found = settings.progress(visit.ctx, number)
    if found is None:
        raise HTTPException(404)
    request = found.request
    waits = request.outcome is None
    reloads = waits and not found.overdue and "still" not in visit.request.query_params
    names = words(visit)
    asked = known(request.changes)
    here = f"/admin/settings?request={request.id}"
    response = visit.page(
        "admin/settings_request.html",
        section="/admin/settings",
        state="waiting" if waits and not found.overdue else "unanswered" if waits else request.outcome,
        reason=reason_text(visit, request.message),
        changes=[
            {
                "label": names[path].label,
                "value": visit.say("as in values.yaml") if value is None else value_text(visit, value),
            }
            for path, value in asked.items()
        ],
        by=request.author,
        at=visit.language.moment(request.at),
        without=settings.led_to_enrolment(visit.ctx, in_force(visit.ctx).after(asked)),
        reloads=reloads,
        again=here,
        # Another language leads here too.
        path=here,
    )
    if reloads:
        response.headers["Refresh"] = str(AGAIN_SECONDS)
    return response
