"""What a line of the audit says beside who, what, to whom and from where, in the visitor's words.

A line's document is open: what has no word here, or is of another kind than expected, stands as it is stored.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping

from practicus_mfa.core.settings_page import known
from practicus_mfa.core.settings_requests import REASONS
from practicus_mfa.web.views.admin.settings_words import reason_text, value_text, words
from practicus_mfa.web.visit import Visit


def detail_text(visit: Visit, detail: Mapping[str, object]) -> str:
    """Return what *detail* says; '' where that is nothing."""
    # PostgreSQL keeps the members of a document in an order of its own.
    return "; ".join(part for name, value in sorted(detail.items()) for part in _parts(visit, name, value))


def _parts(visit: Visit, name: str, value: object) -> Iterator[str]:
    match name, value:
        case (("secondFactor" | "remembered" | "link"), bool(flag)):
            if said := _flag(visit, name, flag):
                yield said
        case _, {**members} if not members:
            return  # a list that was downloaded without a filter
        case "changes", {**changes}:
            yield from _changes(visit, changes)
        case "reason", str(reason) if reason in REASONS:
            yield f"{_name(visit, name)}: {reason_text(visit, reason)}"
        case _:
            yield f"{_name(visit, name)}: {_plain(visit, value)}"


def _flag(visit: Visit, name: str, flag: bool) -> str:
    said = {
        ("secondFactor", True): visit.say("with a second factor"),
        ("secondFactor", False): visit.say("by password alone"),
        ("remembered", True): visit.say("stays logged in"),
        ("link", True): visit.say("by a set-up link"),
    }
    return said.get((name, flag), "")


def _changes(visit: Visit, changes: object) -> Iterator[str]:
    """Yield the settings that were asked for, as the settings page calls them."""
    found = known(changes)
    said = words(visit)
    for path, value in found.items():
        text = visit.say("as in values.yaml") if value is None else value_text(visit, value)
        yield f"{said[path].label}: {text}"
    if not found:
        yield f"{_name(visit, 'changes')}: {_plain(visit, changes)}"


def _name(visit: Visit, name: str) -> str:
    say = visit.say
    said = {
        "active": say("active"),
        "changed": say("changed"),
        "devices": say("browsers"),
        "factors": say("apps"),
        "failures": say("tries"),
        "group": say("group"),
        "left": say("recovery codes left"),
        "reason": say("reason"),
        "recovery_codes": say("recovery codes"),
        "request": say("request"),
        "run": say("run"),
        "sessions": say("sessions"),
        "staff": say("staff"),
        "superuser": say("superuser"),
    }
    return said.get(name, name)


def _plain(visit: Visit, value: object) -> str:
    match value:
        case str():
            return value
        case bool():
            return value_text(visit, value)
        case list() if all(isinstance(each, str) for each in value):
            return ", ".join(value)
    return json.dumps(value, ensure_ascii=False)
