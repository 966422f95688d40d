"""Answers to a proxy, as ASGI's two messages: a start and a body."""

from __future__ import annotations

from collections.abc import MutableMapping
from typing import Any, Final

from practicus_mfa.login.session_cache import CachedSession
from practicus_mfa.web.identity_headers import identity_headers

Message = MutableMapping[str, Any]
Answer = tuple[Message, Message]

_PLAIN: Final = [
    (b"content-type", b"text/plain; charset=utf-8"),
    (b"cache-control", b"no-store"),
    (b"x-content-type-options", b"nosniff"),
]
_NO_BODY: Final[Message] = {"type": "http.response.body", "body": b""}


def let_in(cached: CachedSession) -> Answer:
    """Let a request through, and say whose it is; made once for each account that is held."""
    start = cached.front
    if start is None:
        headers = [
            *identity_headers(cached.account),
            (b"cache-control", b"no-store"),
            (b"content-length", b"0"),
        ]
        start = cached.front = {"type": "http.response.start", "status": 200, "headers": headers}
    return start, _NO_BODY  # type: ignore[return-value]  # nobody else keeps anything there


def refused(reason: str) -> Answer:
    """Refuse with 403, and say why."""
    # nginx shows no body of ours; the documented configuration shows this header.
    return text(403, reason, (b"x-refusal", reason.encode("ascii")))


def text(status: int, content: str, *headers: tuple[bytes, bytes]) -> Answer:
    """Answer with a line of text."""
    body = content.encode() + b"\n"
    start = {
        "type": "http.response.start",
        "status": status,
        "headers": [*_PLAIN, (b"content-length", b"%d" % len(body)), *headers],
    }
    return start, {"type": "http.response.body", "body": body}
