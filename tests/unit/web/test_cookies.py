"""How cookies are set and taken back, over TLS and on a demo's loopback address."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from http.cookies import SimpleCookie
from typing import Final

import pytest
from starlette.responses import Response

from practicus_mfa.core.login.config import LoginConfig
from practicus_mfa.login.session_start import Tokens
from practicus_mfa.web.cookies import Cookies

ALONE: Final = LoginConfig(host="login.example.com")
WITH_DOMAIN: Final = LoginConfig(host="login.example.com:8443", cookie_domain="example.com")
DEMO: Final = LoginConfig(host="127.0.0.1:8080")

NAMES: Final = ("session", "half", "form", "device", "language", "bounce")


def tokens(*, remembered: bool = False, verify: str | None = None, device: str | None = None) -> Tokens:
    until = datetime(2026, 7, 1, tzinfo=UTC)
    return Tokens(
        session="s",
        verify=verify,
        device=device,
        remembered=remembered,
        until=until,
        lasts=timedelta(seconds=60),
    )


def set_by(response: Response) -> SimpleCookie:
    found: SimpleCookie = SimpleCookie()
    for name, value in response.raw_headers:
        if name == b"set-cookie":
            found.load(value.decode())
    return found


@pytest.mark.parametrize("config", [ALONE, WITH_DOMAIN])
def test_names_are_bound_to_the_host_by_their_prefix(config: LoginConfig) -> None:
    cookies = Cookies(config)
    assert {getattr(cookies, name) for name in NAMES} == {
        "__Host-mfa_session",
        "__Host-mfa_login",
        "__Host-mfa_form",
        "__Host-mfa_device",
        "__Host-mfa_language",
        "__Host-mfa_bounce",
    }
    assert cookies.verify == "__Secure-mfa_verify"


def test_without_encryption_names_have_the_port_and_no_prefix() -> None:
    cookies = Cookies(DEMO)
    assert {getattr(cookies, name) for name in (*NAMES, "verify")} == {
        f"mfa_{what}_8080" for what in ("session", "login", "form", "device", "language", "bounce", "verify")
    }


@pytest.mark.parametrize(("config", "secure"), [(ALONE, True), (WITH_DOMAIN, True), (DEMO, "")])
def test_each_cookie_is_this_hosts_and_no_scripts(config: LoginConfig, secure: object) -> None:
    cookies, response = Cookies(config), Response()
    for name in NAMES:
        cookies.put(response, getattr(cookies, name), "x")
    for cookie in set_by(response).values():
        assert (cookie["secure"], cookie["httponly"]) == (secure, True)
        assert (cookie["samesite"], cookie["path"], cookie["domain"]) == ("lax", "/", "")
        assert (cookie["max-age"], cookie["expires"]) == ("", "")


def test_only_the_token_for_applications_has_the_domain() -> None:
    cookies, response = Cookies(WITH_DOMAIN), Response()
    cookies.log_in(response, tokens(verify="v", device="d"))
    domains = {name: cookie["domain"] for name, cookie in set_by(response).items() if cookie.value}
    assert domains == {cookies.session: "", cookies.verify: "example.com", cookies.device: ""}


@pytest.mark.parametrize(("remembered", "kept"), [(False, ""), (True, "60")])
def test_a_session_ends_with_the_browser_unless_it_is_remembered(remembered: bool, kept: str) -> None:
    cookies, response = Cookies(WITH_DOMAIN), Response()
    cookies.log_in(response, tokens(remembered=remembered, verify="v", device="d"))
    found = set_by(response)
    assert {found[name]["max-age"] for name in (cookies.session, cookies.verify)} == {kept}
    assert found[cookies.device]["max-age"] == str(365 * 24 * 3_600)


def test_a_log_in_takes_back_what_led_to_it() -> None:
    cookies, response = Cookies(ALONE), Response()
    cookies.log_in(response, tokens())
    found = set_by(response)
    assert {name for name, cookie in found.items() if cookie["max-age"] == "0"} == {
        cookies.half,
        cookies.form,
    }
    assert set(found) == {cookies.session, cookies.half, cookies.form}


@pytest.mark.parametrize("config", [ALONE, WITH_DOMAIN])
def test_a_log_out_takes_back_all_but_what_the_browser_is_known_by(config: LoginConfig) -> None:
    cookies, response = Cookies(config), Response()
    cookies.log_out(response)
    found = set_by(response)
    ours = {cookies.session, cookies.half, cookies.form}
    assert set(found) == (ours | {cookies.verify} if config.cookie_domain else ours)
    for name, cookie in found.items():
        assert (cookie.value, cookie["max-age"]) == ("", "0")
        # A browser takes back only what was set with the same domain; and __Host- only without one.
        assert cookie["domain"] == (config.cookie_domain if name == cookies.verify else "")
        assert cookie["secure"]
