"""Whatever is sent to the login service: no fault of the program, and nobody in who gave no proof."""

from __future__ import annotations

import asyncio
import os
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Final
from urllib.parse import quote, urlencode

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from practicus_mfa.core.login.config import LoginConfig
from practicus_mfa.crypto.opaque import form_token
from practicus_mfa.login import administer
from practicus_mfa.login.session_uses import SessionUses
from practicus_mfa.web.app import PAGES, make_app
from practicus_mfa.web.health import Readiness
from practicus_mfa.web.metrics import LoginMetrics
from practicus_mfa.web.service import Service
from tests.support.logging_in import Desk
from tests.support.people import PASSWORD
from tests.support.stores import ready

if TYPE_CHECKING:
    from collections.abc import Iterator

    from starlette.applications import Starlette

HOST: Final = "login.example.com"
CASES: Final = int(os.environ.get("PRACTICUS_MFA_TEST_CASES", "5000"))

PATHS: Final = sorted({page.path.replace("{token}", "some-token") for page in PAGES})
NAMES: Final = [f"mfa_{name}" for name in ("session", "login", "form", "device", "language", "bounce")]

texts = st.text(max_size=80)
latin = st.text(st.characters(min_codepoint=0x20, max_codepoint=0xFF, exclude_characters="\x7f"), max_size=80)
targets = st.one_of(
    texts,
    st.sampled_from(
        ["//evil.test", "https://evil.test", "/\\evil.test", "https://login.example.com@evil.test"]
    ),
)
fields = st.dictionaries(
    st.sampled_from(["username", "password", "code", "remember", "rd", "next", "session", "new_password"])
    | texts,
    texts | targets | st.sampled_from(["ada", PASSWORD, "000000", "1", "others"]),
    max_size=6,
)
cookies = st.dictionaries(
    st.sampled_from([f"__Host-{name}" for name in NAMES]) | st.just("__Secure-mfa_verify"),
    latin | st.just("known"),
    max_size=4,
)
headers = st.dictionaries(
    st.sampled_from(
        ["accept-language", "x-forwarded-for", "user-agent", "origin", "sec-fetch-site", "content-type"]
    ),
    latin | st.sampled_from(["same-origin", "tr;q=x", "10.0.0.1, ::1", "https://login.example.com"]),
    max_size=5,
)


@pytest.fixture(scope="module")
def app() -> Iterator[Starlette]:
    with tempfile.TemporaryDirectory() as folder, ready(f"sqlite:///{Path(folder) / 'mfa.db'}") as db:
        desk = Desk(db)
        desk.enrolled("ada", is_superuser=True)
        administer.set_password(db, "ada", PASSWORD, actor="test")
        config = LoginConfig(host=HOST, cookie_domain="example.com")
        service = Service(
            ctx=replace(desk.ctx, config=config),
            uses=SessionUses(lambda _uses, _deadlines: None),
            cache=None,  # type: ignore[arg-type]  # of forward-auth alone
            config=config,
            ready=Readiness,
            metrics=LoginMetrics(),
            bulk=desk.runner,
        )
        yield make_app(service)


@settings(
    max_examples=CASES,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(
    method=st.sampled_from(["GET", "POST", "HEAD", "PUT", "OPTIONS"]),
    path=st.sampled_from(PATHS) | texts.map(lambda text: "/" + quote(text)),
    query=st.dictionaries(st.sampled_from(["rd", "lang", "note", "next"]), texts | targets, max_size=3),
    sent=headers,
    held=cookies,
    form=fields,
    with_token=st.booleans(),
)
def test_no_request_fails_the_program_or_gets_in(
    app: Starlette,
    method: str,
    path: str,
    query: dict[str, str],
    sent: dict[str, str],
    held: dict[str, str],
    form: dict[str, str],
    with_token: bool,
) -> None:
    if with_token:
        # As far as anybody gets who was never given a session: the form of the log-in page.
        held["__Host-mfa_form"] = "known"
        form["form_token"] = form_token("known")
        sent.update({"sec-fetch-site": "same-origin", "content-type": "application/x-www-form-urlencoded"})
    request = {name.encode(): value.encode("latin-1").strip() for name, value in sent.items()}
    request[b"host"] = HOST.encode()
    request[b"cookie"] = (
        "; ".join(f"{name}={value}" for name, value in held.items()).encode("latin-1").strip()
    )
    asked = f"https://{HOST}{path}?{urlencode(query, errors='surrogatepass')}"
    body = urlencode(form, errors="surrogatepass").encode() if method == "POST" else b""
    answer = asyncio.run(_answer(app, method, asked, request, body))
    assert answer.status_code < 500, answer.text
    given = answer.headers.get_list("set-cookie")
    assert not [one for one in given if one.startswith("__Host-mfa_session=") and '=""' not in one]
    location = answer.headers.get("location", "/")
    assert location.startswith("/"), location
    assert not location.startswith(("//", "/\\")), location
    if answer.status_code == 200 and path.startswith("/account"):
        raise AssertionError(answer.text)


async def _answer(
    app: Starlette, method: str, url: str, headers: dict[bytes, bytes], body: bytes
) -> httpx.Response:
    transport = httpx.ASGITransport(app, raise_app_exceptions=True)
    async with httpx.AsyncClient(transport=transport) as client:
        return await client.request(method, url, headers=list(headers.items()), content=body)
