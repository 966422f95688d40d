"""The audit, for superusers: newest first, by who, what, to whom, how it ended and when; and as a file."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from itertools import islice
from typing import TYPE_CHECKING, Final
from urllib.parse import urlencode

from starlette.responses import StreamingResponse

from practicus_mfa.storage import audit, audit_chain, audit_list
from practicus_mfa.storage.audit_list import Placed, Wanted
from practicus_mfa.web.security import is_led_here
from practicus_mfa.web.views.admin.audit_words import action_texts, line_texts, result_texts
from practicus_mfa.web.views.admin.list_place import read_id
from practicus_mfa.web.visit import Visit

if TYPE_CHECKING:
    from starlette.responses import Response

AUDIT: Final = "/admin/audit"
EXPORT: Final = "/admin/audit.jsonl"

SIZE: Final = 50
"""Lines in a page."""

LONGEST: Final = 200
"""Characters of what is looked for; no name has more."""

_LAST_DAY: Final = date.max - timedelta(days=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What the page's address asks for, as it was typed.

    Attributes:
        who: Who did it.
        what: The action.
        whom: To whom or what.
        result: How it ended.
        first: The first day, in UTC.
        last: The last day.
        before: Only lines with lower numbers.
    """

    who: str = ""
    what: str = ""
    whom: str = ""
    result: str = ""
    first: str = ""
    last: str = ""
    before: int | None = None

    @property
    def fields(self) -> dict[str, str]:
        """What was typed, without what was left empty."""
        given = {
            "who": self.who,
            "what": self.what,
            "whom": self.whom,
            "result": self.result,
            "from": self.first,
            "to": self.last,
        }
        return {name: value for name, value in given.items() if value}

    @property
    def wanted(self) -> Wanted | None:
        """Which lines these are; ``None`` where a day is none."""
        try:
            first = date.fromisoformat(self.first) if self.first else None
            last = min(date.fromisoformat(self.last), _LAST_DAY) if self.last else None
        except ValueError:
            return None
        return Wanted(
            actor=self.who or None,
            action=self.what or None,
            subject=self.whom or None,
            result=self.result or None,
            since=None if first is None else _midnight(first),
            until=None if last is None else _midnight(last + timedelta(days=1)),
        )

    def on(self, path: str, **more: str) -> str:
        """Return the address of *path* that asks for the same."""
        fields = {**self.fields, **more}
        return f"{path}?{urlencode(fields)}" if fields else path


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time(tzinfo=UTC))


def read_asked(given: Mapping[str, str]) -> Asked:
    """Return what an address asks for."""
    who, what, whom, result, first, last = (
        _typed(given.get(name, "")) for name in ("who", "what", "whom", "result", "from", "to")
    )
    before = read_id(given.get("before", ""))
    return Asked(who=who, what=what, whom=whom, result=result, first=first, last=last, before=before)


def _typed(text: str) -> str:
    # No name has characters that nobody can see; PostgreSQL takes no NUL.
    return "".join(each for each in text.strip() if each.isprintable())[:LONGEST]


def show_audit(visit: Visit) -> Response:
    """Show a page of the lines that the address asks for."""
    asked = read_asked(visit.request.query_params)
    wanted = asked.wanted
    with visit.ctx.db.read() as connection:
        found = audit_list.newest(connection, wanted or Wanted(), before=asked.before, limit=SIZE + 1)
        head, waiting = audit_chain.head(connection), audit_chain.count_unsealed(connection)
    shown = found[:SIZE]
    older = asked.on(AUDIT, before=str(shown[-1].line.id)) if len(found) > SIZE else ""
    return visit.page(
        "admin/audit.html",
        status=200 if wanted else 422,
        section=AUDIT,
        error="" if wanted else visit.say("A day is written like this: 2026-05-31. All days are shown."),
        asked=asked,
        narrowed=bool(asked.fields),
        actions=action_texts(visit),
        results=result_texts(visit),
        lines=line_texts(visit, (placed.line for placed in shown)),
        unsealed={placed.line.id for placed in shown if placed.position is None},
        head=head,
        waiting=waiting,
        export=asked.on(EXPORT),
        newest=asked.on(AUDIT) if asked.before is not None else "",
        older=older,
    )


def show_export(visit: Visit) -> Response:
    """Send all lines that the address asks for, oldest first, each as JSON; this too becomes a line."""
    asked = read_asked(visit.request.query_params)
    if asked.wanted is None or is_led_here(visit.request):
        return visit.go(asked.on(AUDIT))
    with visit.ctx.db.write() as connection:
        detail = {"address": visit.client.address, **asked.fields}
        audit.append(connection, visit.acting.account.username, "audit.export", detail=detail)
    return StreamingResponse(
        written(audit_list.every(visit.ctx.db, asked.wanted)),
        media_type="application/x-ndjson",
        headers={"Content-Disposition": 'attachment; filename="audit.jsonl"'},
    )


def written(lines: Iterable[Placed], *, at_once: int = 200) -> Iterator[str]:
    """Yield *lines* as text, *at_once* at a time."""
    rest = iter(lines)
    while some := "".join(f"{placed.as_json()}\n" for placed in islice(rest, at_once)):
        yield some
