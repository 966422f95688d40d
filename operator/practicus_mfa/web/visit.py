"""A visit: one request as a view sees it, its cookies looked up and its form read and checked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from starlette.responses import HTMLResponse, RedirectResponse, Response

from practicus_mfa.core.login.redirect import safe_target
from practicus_mfa.crypto.opaque import form_token
from practicus_mfa.login.account import Current
from practicus_mfa.login.context import Acting, Client, LoginContext
from practicus_mfa.login.session_start import HalfState, Tokens
from practicus_mfa.web.cookies import Cookies
from practicus_mfa.web.pages import page
from practicus_mfa.web.service import Service
from practicus_mfa.web.translations import Language

if TYPE_CHECKING:
    from starlette.requests import Request


def with_target(path: str, target: str) -> str:
    """Return the address of one of our pages that leads on to *target*."""
    if not target:
        return path
    return f"{path}{'&' if '?' in path else '?'}rd={quote(target, safe='')}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Visit:
    """One request.

    Attributes:
        service: The replica.
        request: The request.
        cookies: Their names.
        language: What to answer in.
        client: Who asks.
        form_cookie: What the form token of the answer's page is derived from.
        form: The posted fields; none for a GET.
        half: The half-login, where the gate asked for one.
        current: The session, where there is one.
    """

    service: Service
    request: Request
    cookies: Cookies
    language: Language
    client: Client
    form_cookie: str = field(repr=False)
    form: Mapping[str, str] = field(default_factory=dict, repr=False)
    half: HalfState | None = None
    current: Current | None = None

    @property
    def ctx(self) -> LoginContext:
        """The surroundings of use cases."""
        return self.service.ctx

    @property
    def acting(self) -> Acting:
        """The logged-in user; only behind a gate that asks for one."""
        assert self.current is not None  # noqa: S101 - the gate saw to it
        return replace(self.current.acting, address=self.client.address, device=self.client.device)

    @property
    def half_token(self) -> str:
        """The half-login's token, '' where there is none."""
        return self.request.cookies.get(self.cookies.half, "")

    @property
    def session_token(self) -> str:
        """The session's token, '' where there is none."""
        return self.request.cookies.get(self.cookies.session, "")

    def text(self, name: str) -> str:
        """Return a field of the form, '' where it is not there."""
        return self.form.get(name, "")

    def target(self) -> str:
        """Return where the user wants to go, by the address or the form; '' for nowhere."""
        given = self.form.get("rd") or self.request.query_params.get("rd") or ""
        return self.safe(given)

    def safe(self, target: str) -> str:
        """Return *target* where a browser may be sent there, '' otherwise."""
        config = self.service.config
        return (
            safe_target(
                target,
                login_origin=config.origin,
                cookie_domain=config.cookie_domain,
                login_host=config.host,
            )
            or ""
        )

    def page(self, template: str, *, status: int = 200, target: str = "", **values: Any) -> HTMLResponse:  # noqa: ANN401
        """Return a page; see :func:`practicus_mfa.web.pages.page`."""
        shown = {
            "form_token": form_token(self.form_cookie),
            "too_late": self._too_late(),
            "account": self.current.account if self.current else None,
            # Where a language leads to: the same page, with the same way on from it.
            "path": with_target(self._path(), self.target()),
            **values,
        }
        return page(template, self.language, self.service.config, status=status, target=target, **shown)

    def _too_late(self) -> str:
        """Return why a form was not taken that this page is the answer to; '' where it is none."""
        if not self.text("expired"):
            return ""
        if self.cookies.form not in self.request.cookies and not self.half and not self.current:
            return self.say(
                "Your browser did not send back our cookie. Allow cookies for this site, then try again."
            )
        return self.say("This page had been open for too long, or a log-in came in between. Try again.")

    def _path(self) -> str:
        wanted = self.form.get("next") or self.request.query_params.get("next")
        path = self.request.url.path
        return f"{path}?next={quote(wanted, safe='')}" if wanted else path

    def go(self, path: str) -> Response:
        """Return a redirect that is fetched with GET."""
        return RedirectResponse(path, status_code=303)

    def with_session(self, response: Response, tokens: Tokens) -> Response:
        """Hand *tokens* to the browser with *response*."""
        self.cookies.log_in(response, tokens)
        return response

    def say(self, text: str) -> str:
        """Return *text* in the visitor's language."""
        return self.language.gettext(text)
