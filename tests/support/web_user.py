"""A person with a browser, as far as HTTP goes: keeps cookies, fills in the form of the last page."""

from __future__ import annotations

import html
import re
from typing import TYPE_CHECKING, Protocol

import httpx

from practicus_mfa.clock import utc_now
from practicus_mfa.crypto.totp import code_at, parse_secret
from tests.support.waiting import LIMIT_SECONDS

if TYPE_CHECKING:
    import ssl
    from typing import Self

_TOKEN = re.compile(r'name="form_token" value="([^"]+)"')
_SECRET = re.compile(r'<code class="secret" id="secret">([^<]+)</code>')


def code_now(secret: bytes, *, steps: int = 0) -> str:
    """The code that an app shows now."""
    return code_at(secret, int(utc_now().timestamp()) // 30 + steps)


class Reached(Protocol):
    """A login service, or what stands in front of it: how it is called, and where it is."""

    @property
    def host(self) -> str: ...
    @property
    def port(self) -> int: ...
    @property
    def tls(self) -> ssl.SSLContext: ...
    @property
    def direct(self) -> str: ...


class WebUser:
    """Speaks to one replica over a connection of its own."""

    def __init__(self, replica: Reached) -> None:
        self._replica = replica
        self._client = httpx.Client(verify=replica.tls, base_url=replica.direct, timeout=LIMIT_SECONDS)
        self.cookies: dict[str, str] = {}
        self.page = ""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._client.close()

    def get(self, path: str) -> httpx.Response:
        return self._noted(self._client.get(path, headers=self._headers()))

    def post(self, path: str, **fields: str) -> httpx.Response:
        """Post the form of the page that came last."""
        found = _TOKEN.search(self.page)
        data = {"form_token": found[1] if found else "", **fields}
        headers = {**self._headers(), "Sec-Fetch-Site": "same-origin"}
        return self._noted(self._client.post(path, data=data, headers=headers))

    def _headers(self) -> dict[str, str]:
        cookie = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        host = f"{self._replica.host}:{self._replica.port}"
        return {"Host": host, "Cookie": cookie} if cookie else {"Host": host}

    def _noted(self, answer: httpx.Response) -> httpx.Response:
        for line in answer.headers.get_list("set-cookie"):
            name, _, value = line.partition(";")[0].partition("=")
            if value.strip('"'):
                self.cookies[name] = value
            else:
                self.cookies.pop(name, None)
        self.page = answer.text
        return answer

    def log_in(self, name: str, password: str, secret: bytes | None = None) -> str:
        """Log in; return what went wrong, '' for nothing."""
        self.get("/login")
        answer = self.post("/login", username=name, password=password)
        if answer.headers.get("location") == "/login/totp" and secret is not None:
            self.get("/login/totp")
            answer = self.post("/login/totp", code=code_now(secret))
        elif answer.headers.get("location") == "/login/remember":
            self.get("/login/remember")
            answer = self.post("/login/remember", remember="no")
        done = "__Host-mfa_session" in self.cookies
        return "" if done else f"{name}: {answer.status_code} {said(answer.text)}"

    def enrol(self) -> tuple[str, bytes]:
        """Set up an app; return what went wrong, '' for nothing, and the secret."""
        page = self.get("/enroll")
        found = _SECRET.search(page.text)
        if found is None:
            return f"no secret: {page.status_code} {said(page.text)}", b""
        secret = parse_secret(found[1])
        answer = self.post("/enroll", code=code_now(secret))
        return (
            "" if "recovery-codes" in answer.text else f"{answer.status_code} {said(answer.text)}"
        ), secret


def said(page: str) -> str:
    """What a page says, in short."""
    alert = re.search(r'class="alert"[^>]*>([^<]*)<', page)
    title = re.search(r"<h1>([^<]*)</h1>", page)
    return html.unescape(" ".join(found[1] for found in (title, alert) if found))
