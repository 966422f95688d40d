"""The settings page's form, read: what was typed, and what of it differs from what was shown.

The form remembers what it was shown with. Only what a person changed is asked for, so nobody takes back what
somebody else has changed meanwhile.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from practicus_mfa.core.parse.rules import MOST_DAYS
from practicus_mfa.core.policy import MfaRules, RememberMeRules
from practicus_mfa.core.settings_page import Flat, Value, flat, known, nested
from practicus_mfa.web.visit import Visit

SEEN: Final = "seen"
CHANGES: Final = "changes"

LEAST_DAYS: Final[Mapping[str, int]] = {"mfa.gracePeriodDays": 0, "rememberMe.days": 1}
"""As the operator has it too; told here in the page's words."""

_WHOLE: Final = re.compile(r"[0-9]{1,5}", re.ASCII)
_USUAL: Final = flat(MfaRules(), RememberMeRules())
"""Which values are true or false, and which are days."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Typed:
    """What a form holds.

    Attributes:
        values: What was typed, by path, as it is to be shown again; empty where a change was confirmed.
        seen: The values that the form was shown with.
        changes: What of it is to be changed.
        faulty: Paths whose value is no number of days that there can be.
    """

    values: Mapping[str, str | bool]
    seen: Flat
    changes: Flat
    faulty: frozenset[str] = frozenset()

    @property
    def confirmed(self) -> bool:
        """Whether it comes from the page that asks whether a change is really meant."""
        return not self.values


def shown(values: Mapping[str, Value]) -> dict[str, str | bool]:
    """Return *values* as fields of the form."""
    return {path: value if isinstance(value, bool) else str(value) for path, value in values.items()}


def packed(values: Flat) -> str:
    """Return *values* as a hidden field."""
    return json.dumps(nested(values), separators=(",", ":"))


def _unpacked(text: str) -> dict[str, Value | None] | None:
    try:
        return known(json.loads(text))
    except (ValueError, RecursionError):
        return None


def typed(visit: Visit) -> Typed | None:
    """Return what the form holds; ``None`` where it is not one that was shown."""
    if visit.text(CHANGES):
        confirmed = _unpacked(visit.text(CHANGES))
        return Typed(values={}, seen={}, changes=confirmed) if confirmed else None
    seen = _unpacked(visit.text(SEEN))
    if seen is None or seen.keys() != _USUAL.keys():
        return None
    values: dict[str, str | bool] = {}
    wanted: dict[str, Value | None] = {}
    faulty = set()
    for path, usual in _USUAL.items():
        if isinstance(usual, bool):
            values[path] = ticked = bool(visit.text(path))
            wanted[path] = ticked
            continue
        values[path] = text = visit.text(path).strip()
        if text == str(seen[path]):
            wanted[path] = seen[path]
        elif _WHOLE.fullmatch(text) and LEAST_DAYS[path] <= int(text) <= MOST_DAYS:
            wanted[path] = int(text)
        else:
            faulty.add(path)
    changes = {path: value for path, value in wanted.items() if value != seen[path]}
    return Typed(values=values, seen=seen, changes=changes, faulty=frozenset(faulty))
