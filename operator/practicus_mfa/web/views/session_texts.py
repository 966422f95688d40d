"""Sessions as pages list them: what, from where, since when."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from practicus_mfa.storage.sessions import StoredSession
from practicus_mfa.web.user_agents import device_name
from practicus_mfa.web.visit import Visit


def session_texts(visit: Visit, sessions: Iterable[StoredSession]) -> list[dict[str, Any]]:
    """Return *sessions* for the template ``session_list.html``: the visitor's own first, then as given."""
    here = visit.acting.session.id
    return [
        {
            "id": session.id,
            "device": device_name(session.user_agent) or visit.say("Unknown device"),
            "address": session.address or visit.say("unknown"),
            "used": visit.language.moment(session.last_used_at),
            "begun": visit.language.moment(session.created_at),
            "here": session.id == here,
        }
        for session in sorted(sessions, key=lambda session: session.id != here)
    ]
