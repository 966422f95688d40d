"""What a schema says of a value's type, in the words of the reference."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

NAMES: Final = {
    "array": "list",
    "boolean": "true or false",
    "integer": "whole number",
    "object": "section",
    "string": "text",
}


def type_told(schema: Mapping[str, Any]) -> str:
    """Return a type with its choices or bounds, for example ``whole number, 1 to 3,600``."""
    kinds = schema.get("type", "object")
    named = (NAMES[kind] for kind in ([kinds] if isinstance(kinds, str) else kinds) if kind != "null")
    told = "time" if schema.get("format") == "date-time" else " or ".join(named)
    below = schema.get("items", {}).get("type")
    if isinstance(below, str) and below != "object":
        told = f"{told} of {NAMES[below]}"
    if choices := schema.get("enum"):
        told = ", ".join(f"`{choice}`" for choice in choices if choice is not None)
    low, high = schema.get("minimum"), schema.get("maximum")
    if low is not None and high is not None:
        return f"{told}, {low:,} to {high:,}"
    if low is not None:
        return f"{told}, at least {low:,}"
    return told if high is None else f"{told}, at most {high:,}"
