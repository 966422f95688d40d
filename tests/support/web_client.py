"""A browser without a window, and the login service's application that it talks to: no server, no network.

The browser keeps cookies as browsers do, sends forms as their pages have them, says where a request comes
from, and does not follow a redirect that the content policy of the form's page forbids.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field, replace
from html.parser import HTMLParser
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

import httpx

from practicus_mfa.core.login.config import Branding, LoginConfig
from practicus_mfa.crypto.totp import parse_secret
from practicus_mfa.login.hashing import Hashing
from practicus_mfa.login.session_cache import SessionCache
from practicus_mfa.login.session_reading import SessionReader
from practicus_mfa.login.session_uses import SessionUses, writer
from practicus_mfa.web.app import make_app
from practicus_mfa.web.cookies import Cookies
from practicus_mfa.web.health import Readiness
from practicus_mfa.web.metrics import LoginMetrics
from practicus_mfa.web.service import Service

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from starlette.applications import Starlette

    from practicus_mfa.crypto.keys import HeldKeys
    from practicus_mfa.login.session_start import Tokens
    from tests.support.logging_in import Desk

ADDRESS: Final = "198.51.100.7"

VOID: Final = frozenset({"br", "hr", "img", "input", "link", "meta", "path"})


@dataclass
class Form:
    """A form of a page: where it leads, its fields with values, its boxes without a tick, its buttons."""

    action: str
    fields: dict[str, str] = field(default_factory=dict)
    boxes: set[str] = field(default_factory=set)
    buttons: list[tuple[str, str]] = field(default_factory=list)


class Page(HTMLParser):
    """What a person finds on a page.

    Attributes:
        forms: Its forms.
        links: Where it leads.
        codes: What it shows to be copied.
        alerts: What is wrong.
        notes: What else it says in answer.
        language: What it is written in.
        texts: All that can be read on it, and read out.
    """

    def __init__(self, text: str) -> None:
        super().__init__()
        self.forms: list[Form] = []
        self.links: list[str] = []
        self.codes: list[str] = []
        self.alerts: list[str] = []
        self.notes: list[str] = []
        self.texts: list[str] = []
        self.language = ""
        self.title = ""
        self._open: list[tuple[str, Mapping[str, str | None]]] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if tag not in VOID:
            self._open.append((tag, given))
        self.texts += [given[name] for name in ("aria-label", "alt", "title") if given.get(name)]
        if tag == "html":
            self.language = given.get("lang", "")
        elif tag == "a":
            self.links.append(given.get("href", ""))
        elif tag == "form":
            self.forms.append(Form(given["action"]))
        elif tag == "input" and given.get("type") in {"checkbox", "radio"} and "checked" not in given:
            self.forms[-1].boxes.add(given["name"])
        elif tag == "input":
            self.forms[-1].fields[given["name"]] = given.get("value", "")
        elif tag == "option" and ("selected" in given or self._select() not in self.forms[-1].fields):
            self.forms[-1].fields[self._select()] = given.get("value", "")
        elif tag == "button":
            self.forms[-1].buttons.append((given.get("name", ""), given.get("value", "")))

    def _select(self) -> str:
        """Return the name of the menu that an option stands in."""
        return next(str(given["name"]) for tag, given in reversed(self._open) if tag == "select")

    def handle_endtag(self, tag: str) -> None:
        while self._open and self._open.pop()[0] != tag:
            pass

    def handle_data(self, data: str) -> None:
        text = " ".join(data.split())
        if not text or not self._open:
            return
        self.texts.append(text)
        tag = self._open[-1][0]
        if tag == "code":
            self.codes.append(text)
        elif tag == "title":
            self.title = text
        role = next((known.get("role") for _, known in reversed(self._open) if known.get("role")), None)
        if role == "alert":
            self.alerts.append(text)
        elif role == "status":
            self.notes.append(text)

    def form(self, action: str) -> Form:
        """Return the form that leads there; the last one where there are several."""
        found = [form for form in self.forms if form.action == action]
        assert found, f"no form leads to {action}: {[form.action for form in self.forms]}"
        return found[-1]


@dataclass
class WebDesk:
    """The application over a desk.

    Attributes:
        desk: Users, policy and clock.
        config: How the service is reached.
        keys: What the replica holds; by default the desk's. Another one may be put there.
        hashing: Where passwords are hashed.
    """

    desk: Desk
    config: LoginConfig = field(default_factory=lambda: LoginConfig(host="login.example.com"))
    keys: Callable[[], HeldKeys] | None = None
    hashing: Hashing = field(default_factory=lambda: Hashing(at_once=2, waiting=64))

    def __post_init__(self) -> None:
        self.metrics = LoginMetrics()
        self.uses = SessionUses(writer(self.desk.db))
        self.cookies = Cookies(self.config)
        self.runner = asyncio.Runner()
        self.app = self.make()

    def make(self) -> Starlette:
        """Return the application."""
        return make_app(
            Service(
                ctx=replace(
                    self.desk.ctx,
                    config=self.config,
                    hashing=self.hashing,
                    keys=lambda: self.keys() if self.keys else self.desk.held,
                ),
                uses=self.uses,
                cache=SessionCache(SessionReader(self.desk.db), self.uses, grace_seconds=30),
                config=self.config,
                ready=Readiness,
                metrics=self.metrics,
                bulk=self.desk.runner,
            )
        )

    def browser(self, *, language: str = "en", address: str = ADDRESS) -> Browser:
        """Return a browser that was never here."""
        return Browser(self, language=language, address=address)

    def close(self) -> None:
        """End it."""
        self.runner.close()


def with_domain(**branding: str) -> LoginConfig:
    """Return a configuration whose applications are below example.com."""
    return LoginConfig(
        host="login.example.com", cookie_domain="example.com", branding=replace(Branding(), **branding)
    )


def secret_of(page: httpx.Response) -> bytes:
    """Return the secret that a page offers."""
    (text,) = Page(page.text).codes
    return parse_secret(text)


class Browser:
    """A browser: its cookies, and the answer it got last."""

    def __init__(self, web: WebDesk, *, language: str, address: str) -> None:
        self.web = web
        self.address = address
        self.headers = {"Accept-Language": language, "User-Agent": "Mozilla/5.0 Firefox/153.0"}
        self._client = httpx.AsyncClient(
            transport=httpx.ASGITransport(web.app, client=(address, 40_000)), base_url=web.config.origin
        )

    @property
    def jar(self) -> httpx.Cookies:
        """Its cookies."""
        return self._client.cookies

    def has(self, name: str) -> bool:
        """Whether it holds a cookie."""
        return name in self.jar

    def keep(self, name: str, value: str) -> Browser:
        """Put a cookie of the login host into the jar."""
        self.jar.set(name, value, domain=self.web.config.hostname, path="/")
        return self

    def logged_in(self, tokens: Tokens) -> Browser:
        """Hold a session's token."""
        return self.keep(self.web.cookies.session, tokens.session)

    def request(
        self,
        method: str,
        path: str,
        *,
        data: Mapping[str, str] | None = None,
        headers: Mapping[str, str | None] | None = None,
    ) -> httpx.Response:
        """Send a request as it is; a header that is ``None`` is left out."""
        given = {**self.headers, **(headers or {})}
        sent = {name: value for name, value in given.items() if value is not None}
        return self.web.runner.run(self._client.request(method, path, data=data, headers=sent))

    def get(self, path: str, **headers: str) -> httpx.Response:
        """Look at a page; redirects are not followed."""
        return self.request("GET", path, headers=headers)

    def post(self, path: str, data: Mapping[str, str], **headers: str | None) -> httpx.Response:
        """Post, from a page of this service."""
        ours = {"Sec-Fetch-Site": "same-origin", "Origin": self.web.config.origin}
        given = {name.replace("_", "-"): value for name, value in headers.items()}
        return self.request("POST", path, data=data, headers={**ours, **given})

    def send(self, path: str, body: bytes, headers: Mapping[str, str]) -> httpx.Response:
        """Post any bytes."""
        given = {**self.headers, "Sec-Fetch-Site": "same-origin", **headers}
        return self.web.runner.run(self._client.post(path, content=body, headers=given))

    def submit(
        self, page: httpx.Response, action: str, *, button: tuple[str, str] | None = None, **typed: str
    ) -> httpx.Response:
        """Fill in and send the form of *page* that leads to *action*, by its first or by another button."""
        return self.fill(page, action, typed, button=button)

    def fill(
        self,
        page: httpx.Response,
        action: str,
        typed: Mapping[str, str],
        *,
        button: tuple[str, str] | None = None,
    ) -> httpx.Response:
        """Do the same with fields of any names."""
        form = Page(page.text).form(action)
        pressed = form.buttons[0] if button is None else button
        assert pressed in form.buttons, (pressed, form.buttons)
        unknown = set(typed) - set(form.fields) - form.boxes - {"remember"}
        assert not unknown, unknown
        fields = {**form.fields, **typed, **({pressed[0]: pressed[1]} if pressed[0] else {})}
        answer = self.post(action, fields)
        _check_policy(page, answer)
        return answer

    def follow(self, answer: httpx.Response) -> httpx.Response:
        """Go where a redirect leads, to the end; to another host nowhere."""
        for _ in range(10):
            if answer.status_code != 303:
                return answer
            location = answer.headers["location"]
            if urlsplit(location).netloc not in {"", self.web.config.host}:
                return answer
            answer = self.get(location)
        raise AssertionError(f"redirected in circles, {answer.headers['location']} at last")


def _check_policy(page: httpx.Response, answer: httpx.Response) -> None:
    """Fail where a browser would drop the redirect that answers a form (CSP 3, form-action)."""
    if answer.status_code != 303:
        return
    origin = "{0.scheme}://{0.netloc}".format(urlsplit(answer.headers["location"]))
    policy = page.headers["content-security-policy"]
    allowed = policy.partition("form-action ")[2].partition(";")[0].split()
    assert origin == "://" or origin in allowed, f"a browser drops the redirect to {origin}: {allowed}"
