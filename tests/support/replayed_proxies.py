"""Traefik's and Envoy's side of forward-auth, as their sources have it, told by our guide's examples.

* Traefik v3, ``pkg/middlewares/auth/forward.go`` (``writeHeader``, ``ServeHTTP``): a GET with the client's
  headers but for hop-by-hop ones and, with ``trustForwardHeader: false``, X-Forwarded-*, which it writes
  itself. A status of 2xx lets the request through, with each of ``authResponseHeaders`` taken from the answer
  and from nowhere else; any other answer is the client's.
* Envoy, ``source/extensions/filters/common/ext_authz/ext_authz_http_impl.cc``: the request's own method and
  authority, its path behind ``path_prefix``, no content, and of the headers the allowed ones. 200 alone lets
  it through, with ``allowed_upstream_headers`` of the answer in place of what the client sent; any other
  answer is the client's.
"""

from __future__ import annotations

import http.client
from contextlib import closing
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlsplit

import yaml

from tests.support.proxies import Reply, examples
from tests.support.waiting import LIMIT_SECONDS

Pairs = list[tuple[str, str]]

CLIENT: Final = "203.0.113.9"
_HOP_BY_HOP: Final = {"connection", "keep-alive", "te", "trailers", "transfer-encoding", "upgrade"}
_FORWARDED: Final = {
    f"x-forwarded-{name}"
    for name in ("proto", "for", "host", "port", "server", "uri", "method", "prefix", "tls-client-cert")
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What a client sends to the proxy, over TLS."""

    host: str
    target: str
    method: str = "GET"
    headers: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What came of it.

    Attributes:
        reply: What the login service answered; the client gets it, unless the request goes on.
        handed_on: The headers that the application gets, ``None`` where the request doesn't reach it.
    """

    reply: Reply
    handed_on: Pairs | None


def _documents() -> dict[str, Any]:
    found = [tree for text in examples("yaml") for tree in yaml.safe_load_all(text)]
    return {tree["kind"]: tree["spec"] for tree in found if "kind" in tree}


def traefik(port: int, request: Request) -> Outcome:
    """Send *request* through a Traefik before the login service at *port*."""
    forward_auth = _documents()["Middleware"]["forwardAuth"]
    assert forward_auth["trustForwardHeader"] is False
    gone = _HOP_BY_HOP | _FORWARDED
    headers = [(name, value) for name, value in request.headers if name.lower() not in gone]
    headers += [
        ("X-Forwarded-For", CLIENT),
        ("X-Forwarded-Method", request.method),
        ("X-Forwarded-Proto", "https"),
        ("X-Forwarded-Port", "443"),
        ("X-Forwarded-Host", request.host),
        ("X-Forwarded-Uri", request.target),
        ("Accept-Encoding", "gzip"),
    ]
    address = urlsplit(forward_auth["address"])
    reply = _send(port, "GET", address.path, address.netloc, headers)
    return _outcome(request, reply, forward_auth["authResponseHeaders"], passes=200 <= reply.status < 300)


def envoy(port: int, request: Request) -> Outcome:
    """Send *request* through an Envoy before the login service at *port*."""
    ext_auth = _documents()["SecurityPolicy"]["extAuth"]
    assert ext_auth["failOpen"] is False
    allowed = {*ext_auth["headersToExtAuth"], "authorization"}
    headers = [(name.lower(), value) for name, value in request.headers if name.lower() in allowed]
    headers += [
        ("content-length", "0"),
        ("x-envoy-internal", "true"),
        ("x-forwarded-for", "10.1.2.3"),
        ("x-envoy-expected-rq-timeout-ms", "10000"),
    ]
    path = ext_auth["http"]["path"] + request.target
    reply = _send(port, request.method, path, request.host, headers)
    return _outcome(request, reply, ext_auth["http"]["headersToBackend"], passes=reply.status == 200)


def _outcome(request: Request, reply: Reply, names: list[str], *, passes: bool) -> Outcome:
    if not passes:
        return Outcome(reply=reply, handed_on=None)
    taken = {name.lower() for name in names}
    kept = [(name, value) for name, value in request.headers if name.lower() not in taken]
    given = [(name, value) for name, value in reply.headers.items() if name in taken]
    return Outcome(reply=reply, handed_on=[*kept, *given])


def _send(port: int, method: str, target: str, host: str, headers: Pairs) -> Reply:
    with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=LIMIT_SECONDS)) as connection:
        connection.putrequest(method, target, skip_host=True, skip_accept_encoding=True)
        for name, value in [("Host", host), *headers]:
            connection.putheader(name, value.encode("utf-8"))
        connection.endheaders()
        answer = connection.getresponse()
        found = {name.lower(): value.encode("latin-1").decode("utf-8") for name, value in answer.getheaders()}
        return Reply(status=answer.status, headers=found, body=answer.read().decode("utf-8"))
