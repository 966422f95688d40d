"""What a browser calls itself, in words for its owner."""

from __future__ import annotations


def device_name(user_agent: str) -> str:
    """Return, for example, "Firefox, Linux"; '' where it can't be told."""
    # Hundreds of patterns, which only an account page has a use for.
    from ua_parser import parse

    found = parse(user_agent)
    parts = (found.user_agent, found.os)
    return ", ".join(part.family for part in parts if part is not None and part.family != "Other")
