"""What every answer says to browsers, and which requests are not even looked at.

The policy on content allows nothing but our own style sheet and pictures: a page has no script, and none that
somebody smuggled into one runs. Forms may lead here, and to the application that a log-in was asked for: the
answer to a form is a redirect there, which browsers judge by the same rule.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse

from practicus_mfa.core.login.config import LoginConfig
from practicus_mfa.core.login.redirect import origin_of
from practicus_mfa.crypto.opaque import is_form_token

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

PROBES: Final = frozenset({"/healthz", "/readyz"})
"""Asked by the pod's address, not by the service's host."""

_ALWAYS: Final[Mapping[str, str]] = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    # Without a referrer our own forms would say "Origin: null", which the check of forms refuses.
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
}

_YEAR: Final = "max-age=31536000"


def content_policy(config: LoginConfig, target: str) -> str:
    """Return the Content-Security-Policy of a page whose form may lead to *target*."""
    forms = " ".join(["'self'", *filter(None, [origin_of(target)])])
    pictures = " ".join(["'self'", "data:", *filter(None, [_origin(config.branding.logo_url)])])
    return (
        "default-src 'none'; style-src 'self'; base-uri 'none'; frame-ancestors 'none'; "
        f"img-src {pictures}; form-action {forms}"
    )


def _origin(url: str) -> str:
    scheme, separator, rest = url.partition("://")
    return f"{scheme}://{rest.partition('/')[0]}" if separator else ""


def is_front_door(config: LoginConfig, host: str) -> bool:
    """Whether a Host header names this service as browsers know it."""
    # A browser leaves the usual port out; other clients may not.
    return host.lower().removesuffix("" if config.insecure else ":443") == config.host


class Guard:
    """Answers what is not for this host, and puts the headers on everything."""

    def __init__(self, app: ASGIApp, config: LoginConfig) -> None:
        """Guard *app*."""
        self._app = app
        self._config = config
        self._origin = config.origin
        self._headers = dict(_ALWAYS)
        if not config.insecure:
            self._headers["Strict-Transport-Security"] = _YEAR
        self._policy = content_policy(config, "")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def sent(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in self._headers.items():
                    headers[name] = value
                headers.setdefault("Content-Security-Policy", self._policy)
                headers.setdefault("Cache-Control", "no-store")
            await send(message)

        host = Headers(scope=scope).get("host", "")
        if not is_front_door(self._config, host) and scope["path"] not in PROBES:
            refusal = PlainTextResponse(f"Go to {self._origin}/\n", status_code=421)
            await refusal(scope, receive, sent)
            return
        await self._app(scope, receive, sent)


def is_led_here(request: Request) -> bool:
    """Whether a page of another site or application sent the browser here; typed addresses are nobody's.

    Looking at a page is nothing that a stranger could not lead to. What is written down as somebody's act is.
    """
    return request.headers.get("sec-fetch-site") in {"cross-site", "same-site"}


def is_our_form(request: Request, config: LoginConfig, *, cookie: str | None, given: str) -> bool:
    """Whether a post comes from a page of ours that this browser was given.

    Args:
        request: The post.
        config: How the service is reached.
        cookie: The token in the cookie that the page's form token was derived from.
        given: The form token.
    """
    site, origin = request.headers.get("sec-fetch-site"), request.headers.get("origin")
    from_here = site == "same-origin" if site else origin == config.origin
    return from_here and cookie is not None and is_form_token(cookie, given)
