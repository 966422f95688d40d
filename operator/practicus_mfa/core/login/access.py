"""Who may enter which application: ``login.access``, judged on the path that the application will see.

A path can be written in many ways that an application reads as one (``/admin``, ``/x/../admin``,
``/%61dmin``, ``//admin``). It is brought into one form before any rule looks, and what can't be, because
servers differ in how they read it, is refused.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Final
from urllib.parse import unquote_to_bytes

_AMBIGUOUS: Final = re.compile(r"%(?:2f|5c|00)|\\", re.IGNORECASE)
"""An encoded slash is a slash to some servers and a letter to others; likewise the backslash."""

_CODED_AGAIN: Final = re.compile(r"%(?:2[ef5]|5c|00)", re.IGNORECASE)
"""What a server that decodes twice would see."""

_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f]")
_BAD_CODE: Final = re.compile(r"%(?![0-9A-Fa-f]{2})")


@dataclass(frozen=True, slots=True, kw_only=True)
class AccessRule:
    """One of ``login.access``; what is empty fits all.

    Attributes:
        hosts: Hosts, in lower case; ``*.example.com`` stands for all below it.
        paths: Paths; ``/admin/*`` stands for ``/admin`` and all below it.
        groups: The user is in one of them.
        deny: Who fits is refused instead of let in.
    """

    hosts: tuple[str, ...] = ()
    paths: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    deny: bool = False


def allowed(rules: Sequence[AccessRule], groups: Collection[str], host: str, path: str) -> bool:
    """Tell whether a logged-in user may enter: the first rule that fits decides.

    Args:
        rules: The rules; none at all lets everybody in, and where there are some, who fits none stays out.
        groups: The user's.
        host: In lower case, without a port.
        path: As :func:`clean_path` gives it.
    """
    for rule in rules:
        if _fits(rule, groups, host, path):
            return not rule.deny
    return not rules


def _fits(rule: AccessRule, groups: Collection[str], host: str, path: str) -> bool:
    return (
        (not rule.hosts or any(_is_host(host, one) for one in rule.hosts))
        and (not rule.paths or any(_is_path(path, one) for one in rule.paths))
        and (not rule.groups or any(one in groups for one in rule.groups))
    )


def _is_host(host: str, pattern: str) -> bool:
    return host.endswith(pattern[1:]) if pattern.startswith("*.") else host == pattern


def _is_path(path: str, pattern: str) -> bool:
    if not pattern.endswith("/*"):
        return path == pattern
    return path == pattern[:-2] or path.startswith(pattern[:-1])


def clean_path(raw: str) -> str | None:
    """Return the path of a request's target, decoded once, without dots and doubled slashes.

    Args:
        raw: Path and query as the request had them, for example ``/a/./b%20c?d=e``.

    Returns:
        ``None`` where servers may read it in different ways: it is to be refused.
    """
    path = re.split(r"[?#]", raw, maxsplit=1)[0]
    if not path.startswith("/") or _AMBIGUOUS.search(path) or _BAD_CODE.search(path):
        return None
    try:
        decoded = unquote_to_bytes(path).decode("utf-8")
    except UnicodeError:
        return None
    if _CONTROL.search(decoded) or _CODED_AGAIN.search(decoded):
        return None
    kept: list[str] = []
    segments = decoded.split("/")
    for segment in segments:
        # Some servers cut off what follows a semicolon: "..;x" is a way up there.
        name = segment.partition(";")[0]
        if name in {".", ".."} and name != segment:
            return None
        if segment == "..":
            if not kept:
                return None
            kept.pop()
        elif segment not in {"", "."}:
            kept.append(segment)
    tail = "/" if kept and segments[-1] in {"", ".", ".."} else ""
    return f"/{'/'.join(kept)}{tail}"
