"""What Traefik and Envoy send is answered in their way; set up as our guide says, by a real server."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final
from urllib.parse import quote

import pytest

from tests.support.forward_auth_site import ForwardAuthSite, forward_auth_site
from tests.support.proxies import APP, ELSEWHERE, LOGIN, OPEN
from tests.support.replayed_proxies import Outcome, Request, envoy, traefik
from tests.support.waiting import LIMIT_SECONDS

if TYPE_CHECKING:
    from collections.abc import Iterator

PAGE: Final = ("Accept", "text/html,*/*;q=0.8")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ForwardAuthSite]:
    folder = tmp_path_factory.mktemp("forward-auth")
    with forward_auth_site(folder, f"sqlite:///{folder / 'mfa.db'}", patience=LIMIT_SECONDS) as running:
        yield running


class Ask:
    """Sends requests through one of them."""

    def __init__(self, name: str, site: ForwardAuthSite) -> None:
        self.send = {"traefik": traefik, "envoy": envoy}[name]
        self.site = site

    def __call__(
        self, target: str, *headers: tuple[str, str], host: str = APP, method: str = "GET"
    ) -> Outcome:
        request = Request(host=host, target=target, method=method, headers=headers)
        return self.send(self.site.port, request)


@pytest.fixture(params=["traefik", "envoy"])
def ask(request: pytest.FixtureRequest, site: ForwardAuthSite) -> Ask:
    return Ask(request.param, site)


@pytest.mark.parametrize(("method", "status"), [("GET", 302), ("HEAD", 302), ("POST", 303), ("DELETE", 303)])
def test_without_a_session_a_browser_is_sent_to_log_in(ask: Ask, method: str, status: int) -> None:
    outcome = ask("/a%20b?x=1&y=2", PAGE, ("Connection", "close"), method=method)
    assert outcome.handed_on is None
    assert outcome.reply.status == status
    back = quote(f"https://{APP}/a%20b?x=1&y=2", safe="")
    assert outcome.reply.headers["location"] == f"https://{LOGIN}/login?rd={back}"


def test_a_script_without_a_session_is_told_401(ask: Ask) -> None:
    assert ask("/", ("Accept", "*/*")).reply.status == 401
    assert ask("/", PAGE, ("Sec-Fetch-Mode", "cors")).reply.status == 401
    assert ask("/", PAGE, ("X-Requested-With", "XMLHttpRequest")).reply.status == 401


def test_the_application_is_told_who_is_logged_in(ask: Ask, site: ForwardAuthSite) -> None:
    outcome = ask("/", site.ada.cookie, PAGE, method="POST")
    assert outcome.handed_on is not None
    told = {name: value for name, value in outcome.handed_on if name.lower().startswith("remote")}
    assert told == {
        "remote-user": "ada",
        "remote-email": "ada@example.com",
        "remote-groups": "dev,ops",
        "remote-name": "Ada Şükrü",
    }


def test_a_header_that_the_client_made_up_never_arrives(ask: Ask, site: ForwardAuthSite) -> None:
    smuggled = [(f"Remote-{name}", "root") for name in ("User", "Email", "Groups", "Name")]
    outcome = ask("/", site.bob.cookie, *smuggled, host=OPEN)
    assert outcome.handed_on is not None
    told = [(name, value) for name, value in outcome.handed_on if name.lower().startswith("remote")]
    assert sorted(told) == [
        ("remote-email", ""),
        ("remote-groups", ""),
        ("remote-name", ""),
        ("remote-user", "bob"),
    ]


@pytest.mark.parametrize("target", ["/", "/admin/x", "//admin/x", "/%61dmin/x"])
def test_who_may_not_go_there_is_refused_and_told_why(ask: Ask, site: ForwardAuthSite, target: str) -> None:
    outcome = ask(target, site.bob.cookie, PAGE)
    assert (outcome.handed_on, outcome.reply.status) == (None, 403)
    assert outcome.reply.body == f"You are logged in, and may not go to this page of {APP}.\n"
    assert (ask(target, site.ada.cookie).handed_on is None) == (target != "/")


@pytest.mark.parametrize(
    "target", ["/x%2fadmin", "/%5cadmin", "/x%00", "/x/../admin", "/x/%2e%2e/admin", "/%zz"]
)
def test_a_path_that_can_not_be_judged_is_refused(ask: Ask, site: ForwardAuthSite, target: str) -> None:
    assert ask(target, site.ada.cookie).reply.status == 403


def test_no_header_of_the_client_says_which_page_is_meant(ask: Ask, site: ForwardAuthSite) -> None:
    spoofed = (
        ("X-Forwarded-Host", OPEN),
        ("X-Forwarded-Uri", "/"),
        ("X-Forwarded-Method", "GET"),
        ("X-Original-URL", f"https://{OPEN}/"),
        ("X-Forwarded-For", "127.0.0.1"),
    )
    assert ask("/", site.bob.cookie, *spoofed).reply.status == 403
    assert ask("/admin/x", site.ada.cookie, *spoofed).reply.status == 403


@pytest.mark.parametrize("host", [f"{OPEN}.", f"{OPEN.upper()}:8443"])
def test_a_host_is_the_same_in_all_its_spellings(ask: Ask, site: ForwardAuthSite, host: str) -> None:
    assert ask("/", site.bob.cookie, host=host).handed_on is not None


@pytest.mark.parametrize("host", [ELSEWHERE, "evil.org", f"{APP}@evil.org", f"evil.org/{APP}"])
def test_outside_of_the_cookie_domain_nobody_is_sent_anywhere(ask: Ask, host: str) -> None:
    reply = ask("/", PAGE, host=host).reply
    assert reply.status in {400, 403}
    assert "location" not in reply.headers


@pytest.mark.parametrize(
    "target", ["//evil.org/", "/\\evil.org", "/@evil.org", "/?rd=https://evil.org", "/%0d%0ax:y"]
)
def test_the_way_back_never_leads_anywhere_else(ask: Ask, target: str) -> None:
    reply = ask(target, PAGE).reply
    expected = f"https://{LOGIN}/login?rd=" + quote(f"https://{APP}{target}", safe="")
    assert reply.status == 403 or reply.headers["location"] == expected
