"""What a browser asked of a proxy, as the proxy tells it to forward-auth.

Each proxy says it in its own way, and only that way is read, so that a header which one proxy hands through
unread can't speak for another's. What stands there twice is not believed at all.

The scheme is not asked for: the session's cookie is Secure wherever the login service is reached by https, so
no other scheme could be meant.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from enum import StrEnum
from functools import lru_cache
from typing import Any, Final, NamedTuple

Headers = Iterable[tuple[bytes, bytes]]
Scope = Mapping[str, Any]


class Proxy(StrEnum):
    """How the proxy talks."""

    NGINX = "nginx"
    """``auth_request``: X-Original-URL, the whole address; set by the configuration that we document."""
    TRAEFIK = "traefik"
    """``forwardAuth``, and Caddy's ``forward_auth``: X-Forwarded-Host and X-Forwarded-Uri."""
    ENVOY = "envoy"
    """``ext_authz`` over HTTP: the request itself, its path behind ours, its Host as it was."""


PATHS: Final = {b"/auth/verify": Proxy.NGINX, b"/auth/verify/traefik": Proxy.TRAEFIK}
ENVOY_PATH: Final = b"/auth/verify/envoy"

_READ: Final = {
    Proxy.NGINX: frozenset({b"cookie", b"x-original-url"}),
    Proxy.TRAEFIK: frozenset({b"cookie", b"x-forwarded-host", b"x-forwarded-uri", b"x-forwarded-method"}),
    Proxy.ENVOY: frozenset({b"cookie", b"host"}),
}

_URL: Final = re.compile(rb"https?://([^/?#]+)(/[^#]*)?", re.IGNORECASE)
_AUTHORITY: Final = re.compile(rb"((?:[a-z0-9_-]+\.)*[a-z0-9_-]+)\.?(:[0-9]{1,5})?", re.IGNORECASE)
_PRINTABLE: Final = re.compile(rb"[!-~]*")


class Original(NamedTuple):
    """A request that a proxy has to decide about; a tuple, for one is made for each request.

    Attributes:
        host: In small letters, without a port.
        port: ``:8443``, or nothing.
        target: Path and query, as they were sent.
        method: GET, POST, …; nothing where the proxy doesn't say.
        cookies: The Cookie header.
    """

    host: str
    port: str
    target: str
    method: str
    cookies: bytes


def proxy_of(path: bytes) -> Proxy | None:
    """Return which proxy asks at this raw path, ``None`` where it is another page."""
    if (proxy := PATHS.get(path)) is not None:
        return proxy
    return Proxy.ENVOY if path == ENVOY_PATH or path.startswith(ENVOY_PATH + b"/") else None


def original_request(proxy: Proxy, scope: Scope) -> Original | None:
    """Return what was asked of *proxy*; ``None`` where it doesn't say, or can't be believed."""
    found = _read_once(scope["headers"], _READ[proxy])
    if found is None:
        return None
    method = b""
    match proxy:
        case Proxy.NGINX:
            whole = _URL.fullmatch(found.get(b"x-original-url", b""))
            if whole is None:
                return None
            authority, target = whole[1], whole[2] or b"/"
        case Proxy.TRAEFIK:
            authority, target = found.get(b"x-forwarded-host", b""), found.get(b"x-forwarded-uri", b"")
            method = found.get(b"x-forwarded-method", b"")
        case Proxy.ENVOY:
            authority, target = found.get(b"host", b""), scope["raw_path"][len(ENVOY_PATH) :]
            method = scope["method"].encode("latin-1")
            if scope["query_string"]:
                target += b"?" + scope["query_string"]
    host = _host(authority)
    if host is None or not target.startswith(b"/") or _PRINTABLE.fullmatch(target) is None:
        return None
    return Original(
        host=host[0],
        port=host[1],
        target=target.decode("ascii"),
        method=method.decode("latin-1"),
        cookies=found.get(b"cookie", b""),
    )


def wants_page(headers: Headers) -> bool:
    """Tell whether a person waits for a page, and not a script for an answer that it can't show.

    Browsers say it (Fetch Metadata, section 2.3); of older ones the wish for HTML has to do.
    """
    found = dict(headers)
    mode = found.get(b"sec-fetch-mode")
    if mode is not None:
        return mode == b"navigate"
    return b"text/html" in found.get(b"accept", b"").lower() and b"x-requested-with" not in found


def _read_once(headers: Headers, names: frozenset[bytes]) -> dict[bytes, bytes] | None:
    found: dict[bytes, bytes] = {}
    for name, value in headers:
        if name in names:
            if name not in found:
                found[name] = value
            elif name == b"cookie":
                # HTTP/2 may cut it into pieces (RFC 9113, section 8.2.3).
                found[name] += b"; " + value
            else:
                return None
    return found


@lru_cache(maxsize=1_000)
def _host(authority: bytes) -> tuple[str, str] | None:
    parts = _AUTHORITY.fullmatch(authority)
    if parts is None:
        return None
    host, port = parts.groups()
    return host.decode("ascii").lower(), (port or b"").decode("ascii")
