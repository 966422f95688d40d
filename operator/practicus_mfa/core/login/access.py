"""Who may enter which application: ``login.access``, judged on the path that the application will see.

A path can be written in many ways that an application reads as one (``/admin``, ``/./admin``, ``/%61dmin``,
``//admin``, ``/admin;v=1``). It is brought into one form before any rule looks (RFC 3986, section 6.2.2), and
what can't be, because servers differ in how they read it, is refused. So is a way up (``/admin/../x``):
proxies hand it on as it came, and to some applications it is ``/x``, to others something below ``/admin``.
Browsers take it out themselves (WHATWG URL, "double-dot path segment").

Servers also differ about capitals. Rules that let in mean theirs exactly; rules that refuse mean any: a path
that one server takes for another must not slip past.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Final
from urllib.parse import unquote_to_bytes

_AMBIGUOUS: Final = re.compile(r"%(?:2f|5c)|[^!-~]|[\\#]", re.IGNORECASE)
"""An encoded slash is a slash to some servers and a letter to others; likewise the backslash. The rest has no
place in a request: browsers encode it, or keep it to themselves."""

_CODED_AGAIN: Final = re.compile(r"%[0-9a-f]{2}", re.IGNORECASE)
"""What a server that decodes twice would read as something else: a slash, or a letter of a rule's path."""

_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f-\x9f]")
_BAD_CODE: Final = re.compile(r"%(?![0-9A-Fa-f]{2})")


@dataclass(frozen=True, slots=True, kw_only=True)
class AccessRule:
    """One of ``login.access``; what is empty fits all.

    Attributes:
        hosts: Hosts, in lower case; ``*.example.com`` stands for all below it.
        paths: Paths, with or without a slash at the end; ``/admin/*`` stands for ``/admin`` and all below it.
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
        and (not rule.paths or any(_is_path(path, one, any_case=rule.deny) for one in rule.paths))
        and (not rule.groups or any(one in groups for one in rule.groups))
    )


def _is_host(host: str, pattern: str) -> bool:
    return host.endswith(pattern[1:]) if pattern.startswith("*.") else host == pattern


def _is_path(path: str, pattern: str, *, any_case: bool) -> bool:
    if any_case:
        path, pattern = path.casefold(), pattern.casefold()
    if pattern.endswith("/*"):
        return f"{path}/".startswith(pattern[:-1])
    # To many servers a slash at the end makes no difference.
    return path.rstrip("/") == pattern.rstrip("/")


def clean_path(raw: str) -> str | None:
    """Return the path of a request's target: decoded once, without dots, doubled slashes and parameters.

    Args:
        raw: Path and query as the request had them, for example ``/a/./b%20c?d=e``.

    Returns:
        ``None`` where servers may read it in different ways: it is to be refused.
    """
    path = raw.partition("?")[0]
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
        # Some servers cut off what follows a semicolon (RFC 3986, section 3.3: parameters of a segment).
        name = segment.partition(";")[0]
        if name == ".." or (name == "." and name != segment):
            # A way up, or none, to these servers; a name to the others.
            return None
        if name not in {"", "."}:
            kept.append(name)
    tail = "/" if kept and segments[-1] in {"", "."} else ""
    return f"/{'/'.join(kept)}{tail}"
