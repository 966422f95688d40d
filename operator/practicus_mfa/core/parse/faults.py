"""Words for a value that is not of the type that belongs there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from practicus_mfa.faults import Fault, InvalidConfiguration

__all__ = ["Fault", "InvalidConfiguration", "kind", "number", "wrong_type"]

_SAYABLE: Final = 10**12
"""Numbers from here on are not spelled out: a message is no place for a thousand digits."""


def kind(value: object) -> str:
    """Return what a value of YAML or JSON is, in words that a person who writes YAML knows."""
    match value:
        case None:
            return "nothing"
        case bool():
            return "true or false"
        case int():
            return "a whole number"
        case float():
            return "a number with a fraction"
        case str():
            return "text"
        case Mapping():
            return "a section"
        case Sequence():
            return "a list"
        case _:
            # YAML also makes dates and bytes of what looks like them.
            return f"a value of type {type(value).__name__}"


def number(value: int) -> str:
    """Return *value* for a sentence."""
    return str(value) if abs(value) < _SAYABLE else "a number of that size"


def wrong_type(path: str, value: object, expected: str, remedy: str) -> Fault:
    """Return the fault of a value of another type than *expected*; the value itself is not quoted."""
    return Fault(path=path, problem=f"{kind(value)} where {expected} is expected", remedy=remedy)
