"""What came of something that was done to many users, or how far it is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from starlette.exceptions import HTTPException

from practicus_mfa.login import bulk
from practicus_mfa.login.acts.by import Outcome
from practicus_mfa.login.bulk_run import Run, Stop
from practicus_mfa.storage import user_facts
from practicus_mfa.web.views.admin.list_place import LIST, read_id, read_place
from practicus_mfa.web.views.admin.words import action_names, outcome_text, waiting_text
from practicus_mfa.web.visit import Visit

if TYPE_CHECKING:
    from starlette.responses import Response


AGAIN_SECONDS: Final = 2
"""When a browser asks again. That can be stopped: nobody is torn from what is read to them (WCAG 2.2.1)."""


def show_run(visit: Visit) -> Response:
    """Show a run; the page loads itself anew while the run is under way."""
    run_id = read_id(str(visit.request.path_params["run"]))
    with visit.ctx.db.read() as connection:
        run = bulk.find(connection, run_id) if run_id is not None else None
        if run is None:
            raise HTTPException(404)
        ids = user_facts.ids_of_names(connection, [name for name, _ in run.notable])
    place = read_place(visit.request.query_params)
    path = place.on(f"{LIST}/runs/{run.id}")
    again = run.done_at is None and "still" not in visit.request.query_params
    page = visit.page(
        "admin/run.html",
        section=LIST,
        path=path,
        again=again,
        still=f"{path}{'&' if '?' in path else '?'}still=1",
        name=action_names(visit)[run.action],
        over=run.done_at is not None,
        stopped=_stopped(visit, run),
        summary=_summary(visit, run),
        done=run.done,
        total=run.total,
        counts=[(outcome_text(visit, outcome), number) for outcome, number in run.counts.items()],
        notable=[
            {
                "username": name,
                "outcome": outcome_text(visit, outcome),
                "path": place.of_user(ids[name]) if name in ids else "",
            }
            for name, outcome in run.notable
        ],
        actor=run.actor,
        asked=visit.language.moment(run.created_at),
        back=place.back,
    )
    if again:
        page.headers["Refresh"] = str(AGAIN_SECONDS)
    return page


def _summary(visit: Visit, run: Run) -> str:
    number = visit.language.number
    numbers = {"done": number(run.done), "shown": number(run.total)}
    if run.done_at is None:
        return visit.say("%(done)s of %(shown)s users so far.") % numbers
    undecryptable = run.counts.get(Outcome.UNDECRYPTABLE, 0)
    if undecryptable and Outcome.MIGRATED not in run.counts:
        return visit.language.ngettext(
            "Nothing could be migrated: no key opens the MFA data of %(shown)s user.",
            "Nothing could be migrated: no key opens the MFA data of %(shown)s users.",
            undecryptable,
        ) % {"shown": number(undecryptable)}
    done = {"shown": number(run.done)}
    return visit.language.ngettext("Done, for %(shown)s user.", "Done, for %(shown)s users.", run.done) % done


def _stopped(visit: Visit, run: Run) -> str:
    """Return why a run ended before its end, '' where it did not."""
    match run.stopped:
        case None:
            return ""
        case Stop.WAITING:
            return waiting_text(visit, run.waiting)
        case Stop.NO_ADMINISTRATOR:
            return visit.say("Stopped: %(name)s is no administrator any more.") % {"name": run.actor}
