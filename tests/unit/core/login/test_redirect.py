"""Where a browser may be sent."""

from __future__ import annotations

from typing import Final

import pytest

from practicus_mfa.core.login.redirect import LONGEST, is_ours, origin_of, safe_target

HOST: Final = "login.example.com"


def target(
    rd: str, *, origin: str = f"https://{HOST}", domain: str = "example.com", host: str = HOST
) -> str | None:
    return safe_target(rd, login_origin=origin, cookie_domain=domain, login_host=host)


@pytest.mark.parametrize(
    "rd",
    [
        "/",
        "/account",
        "/account?a=b&c=//d#e",
        "/a//b",
        "/@evil.com",
        "/%2fevil.com",
        "https://login.example.com",
        "https://login.example.com/",
        "https://example.com/",
        "https://app.example.com/x?y=https://evil.com/#z",
        "https://a.b.example.com:8443/x",
        "https://app.example.com?x",
        "https://app.example.com#x",
        "HTTPS://APP.EXAMPLE.COM/",
        "https://app.example.com/@evil.com",
    ],
)
def test_it_may_be_sent_to_what_is_ours(rd: str) -> None:
    assert target(rd) == rd


@pytest.mark.parametrize(
    "rd",
    [
        "",
        "account",
        "?x",
        "#x",
        # a host that looks like a path
        "//evil.com",
        "///evil.com",
        "/\\evil.com",
        "\\\\evil.com",
        "\\/evil.com",
        "/\t/evil.com",
        "/\n/evil.com",
        "/ /evil.com",
        " //evil.com",
        # other schemes, and none
        "javascript:alert(1)",
        "JavaScript://app.example.com/%0aalert(1)",
        "data:text/html,x",
        "ftp://app.example.com/",
        "http://app.example.com/",
        "https:evil.com",
        "https:/evil.com",
        "https:///evil.com",
        "https:app.example.com",
        "https:\\\\app.example.com",
        "ht\ttps://app.example.com/",
        "\x00https://app.example.com/",
        " https://app.example.com/",
        "https://app.example.com/\n",
        "https://app.example.com/a\\b",
        # hosts of others
        "https://evil.com",
        "https://evil.com/app.example.com",
        "https://evil.com?.example.com",
        "https://evil.com#.example.com",
        "https://evil.com\\.example.com",
        "https://evil.com\t.example.com",
        "https://evilexample.com",
        "https://example.com.evil.com",
        "https://example.com.",
        "https://app.example.com./",
        "https://.example.com",
        "https://-.example.com",
        "https://a..example.com",
        "https://a_b.example.com",
        "https://app.example.com@evil.com/",
        "https://app.example.com:443@evil.com/",
        "https://user@app.example.com/",
        "https://:@app.example.com/",
        "https://[::1]/",
        "https://[::ffff:1.2.3.4]/",
        "https://127.0.0.1/",
        "https://2130706433/",
        "https://evil%2ecom/.example.com",
        "https://evil.com%2f.example.com/",
        "https://evil.com%23.example.com/",
        "https://app%2eexample%2ecom/",
        # letters that browsers turn into others
        "https://app\uff0eexample\uff0ecom/",
        "https://app\u3002example.com/",
        "https://evil.com\uff0f.example.com/",
        "https://evil.com\u2100.example.com/",
        "https://ex\u00adample.com/",
        "https://app.\u212bxample.com/",
        "https://\u212a.example.com/",
        "http\u017f://app.example.com/",
        "https://login.example.com\u0000/",
        "\uff0f\uff0fevil.com",
        "/\u00a0",
        "/caf\u00e9",
        # ports
        "https://app.example.com:/",
        "https://app.example.com:x/",
        "https://app.example.com:443:80/",
        "https://app.example.com:123456/",
        "https://app.example.com:\u0664/",
        "/" + "a" * LONGEST,
    ],
)
def test_it_is_not_sent_elsewhere(rd: str) -> None:
    assert target(rd) is None


def test_the_longest_address() -> None:
    longest = "/" + "a" * (LONGEST - 1)
    assert target(longest) == longest


def test_without_a_cookie_domain_only_this_host_is_ours() -> None:
    assert target("https://login.example.com/x", domain="") is not None
    for other in ("https://app.example.com/", "https://example.com/", "https://com/", "https://a/"):
        assert target(other, domain="") is None


def test_no_host_at_all_is_ours() -> None:
    for host in ("", "."):
        assert not is_ours(host, cookie_domain="", login_host=HOST)


def test_plain_http_is_for_a_demo_that_is_itself() -> None:
    demo = {"origin": "http://127.0.0.1:8443", "domain": "", "host": "127.0.0.1:8443"}
    assert target("http://127.0.0.1:8443/x", **demo) == "http://127.0.0.1:8443/x"
    assert target("http://127.0.0.1:9000/x", **demo) is not None
    assert target("http://127.0.0.2:8443/x", **demo) is None
    assert target("http://127.0.0.1/", **(demo | {"origin": "https://127.0.0.1:8443"})) is None


@pytest.mark.parametrize(
    ("url", "origin"),
    [
        ("/account", ""),
        ("https://app.example.com", "https://app.example.com"),
        ("HTTPS://App.example.com:8443/x?y", "https://app.example.com:8443"),
    ],
)
def test_the_origin_of_a_target(url: str, origin: str) -> None:
    assert target(url) == url
    assert origin_of(url) == origin
