"""The policy on content, and which posts are ours."""

from __future__ import annotations

from typing import Final

import pytest
from starlette.requests import Request

from practicus_mfa.core.login.config import Branding, LoginConfig
from practicus_mfa.crypto.opaque import form_token
from practicus_mfa.web.security import content_policy, is_our_form

CONFIG: Final = LoginConfig(host="login.example.com", cookie_domain="example.com")
DEMO: Final = LoginConfig(host="127.0.0.1:8080")
COOKIE: Final = "a-cookie"


def directives(policy: str) -> dict[str, list[str]]:
    return {part.split()[0]: part.split()[1:] for part in policy.split("; ")}


def test_a_page_may_show_our_own_and_nothing_else() -> None:
    assert directives(content_policy(CONFIG, "")) == {
        "default-src": ["'none'"],
        "style-src": ["'self'"],
        "base-uri": ["'none'"],
        "frame-ancestors": ["'none'"],
        "img-src": ["'self'", "data:"],
        "form-action": ["'self'"],
    }


@pytest.mark.parametrize(
    ("target", "origin"),
    [
        ("https://app.example.com/x?y=https://evil.net", ["https://app.example.com"]),
        ("https://APP.example.com:8443", ["https://app.example.com:8443"]),
        ("/account", []),
        ("//evil.net", []),
        ("https://app.example.com; script-src *", []),
    ],
)
def test_a_form_may_lead_to_its_target(target: str, origin: list[str]) -> None:
    assert directives(content_policy(CONFIG, target))["form-action"] == ["'self'", *origin]
    assert len(directives(content_policy(CONFIG, target))) == 6


@pytest.mark.parametrize(
    ("logo", "origin"),
    [("https://cdn.example.net/logo.svg?x=1", ["https://cdn.example.net"]), ("/static/logo.svg", [])],
)
def test_a_logo_may_come_from_its_host(logo: str, origin: list[str]) -> None:
    config = LoginConfig(host="login.example.com", branding=Branding(logo_url=logo))
    assert directives(content_policy(config, ""))["img-src"] == ["'self'", "data:", *origin]


def ours(headers: dict[str, str], *, config: LoginConfig = CONFIG, cookie: str | None = COOKIE) -> bool:
    scope = {"type": "http", "headers": [(name.encode(), value.encode()) for name, value in headers.items()]}
    return is_our_form(Request(scope), config, cookie=cookie, given=form_token(COOKIE))


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({"sec-fetch-site": "same-origin"}, True),
        ({"sec-fetch-site": "same-origin", "origin": "https://login.example.com"}, True),
        ({"origin": "https://login.example.com"}, True),
        ({"sec-fetch-site": "same-site", "origin": "https://login.example.com"}, False),
        ({"sec-fetch-site": "cross-site"}, False),
        ({"sec-fetch-site": "none"}, False),
        ({"sec-fetch-site": "Same-Origin"}, False),
        ({"origin": "https://login.example.com:443"}, False),
        ({"origin": "http://login.example.com"}, False),
        ({"origin": "https://app.example.com"}, False),
        ({"origin": "null"}, False),
        ({"origin": ""}, False),
        ({"referer": "https://login.example.com/login"}, False),
        ({}, False),
    ],
)
def test_a_post_is_ours_where_the_browser_says_so(headers: dict[str, str], expected: bool) -> None:
    assert ours(headers) is expected


def test_a_post_is_ours_with_the_token_of_the_cookie_alone() -> None:
    here = {"sec-fetch-site": "same-origin"}
    assert ours(here, cookie="another") is False
    assert ours(here, cookie="") is False
    assert ours(here, cookie=None) is False


def test_a_demo_has_its_own_origin() -> None:
    assert ours({"origin": "http://127.0.0.1:8080"}, config=DEMO) is True
    assert ours({"origin": "http://127.0.0.1:8081"}, config=DEMO) is False
    assert ours({"origin": "https://127.0.0.1:8080"}, config=DEMO) is False
