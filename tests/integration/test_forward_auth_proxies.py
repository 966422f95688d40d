"""An application behind a real nginx and a real Caddy, set up as our guide says, over TLS."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final
from urllib.parse import parse_qs, urlsplit

import pytest

from practicus_mfa.storage import sessions
from practicus_mfa.storage.users import NewUser
from tests.support import proxies
from tests.support.cluster import ways
from tests.support.echo_application import EchoApplication, echo_application
from tests.support.forward_auth_site import ForwardAuthSite, behind, forward_auth_site, logged_in
from tests.support.proxies import APP, ELSEWHERE, LOGIN, OPEN, ProxySite, Reply
from tests.support.unavailable import without
from tests.support.waiting import LIMIT_SECONDS, until

if TYPE_CHECKING:
    from collections.abc import Iterator

PAGE: Final = ("Accept", "text/html,*/*;q=0.8")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ForwardAuthSite]:
    folder = tmp_path_factory.mktemp("forward-auth")
    with forward_auth_site(folder, f"sqlite:///{folder / 'mfa.db'}", patience=LIMIT_SECONDS) as running:
        yield running


@pytest.fixture(scope="module")
def application() -> Iterator[EchoApplication]:
    with echo_application() as running:
        yield running


@pytest.fixture(scope="module", params=["nginx", "caddy"])
def proxy(
    request: pytest.FixtureRequest,
    tmp_path_factory: pytest.TempPathFactory,
    site: ForwardAuthSite,
    application: EchoApplication,
) -> Iterator[ProxySite]:
    try:
        program = ways.find(request.param)
    except ways.NoClusterError as error:
        without(error)
    folder = tmp_path_factory.mktemp(request.param)
    before = behind(folder, login_port=site.port, app_port=application.port)
    with {"nginx": proxies.nginx, "caddy": proxies.caddy}[request.param](program, before) as running:
        yield running


def seen(reply: Reply) -> dict[str, str]:
    """What the application was told of who asks; a header that came twice is an error."""
    assert reply.status == 200, reply
    pairs = [(name.lower(), value) for name, value in json.loads(reply.body)["headers"]]
    found = [(name, value) for name, value in pairs if name.replace("_", "-").startswith("remote-")]
    assert len(dict(found)) == len(found)
    return dict(found)


def wanted(reply: Reply) -> str:
    """Where a browser that is sent to log in would come back to."""
    assert reply.status in {302, 303}, reply
    url = urlsplit(reply.headers["location"])
    assert (url.scheme, url.netloc, url.path) == ("https", LOGIN, "/login")
    query = parse_qs(url.query, strict_parsing=True)
    assert list(query) == ["rd"]
    (target,) = query["rd"]
    return target


def test_without_a_session_a_browser_is_sent_to_log_in_and_knows_the_way_back(
    proxy: ProxySite, application: EchoApplication
) -> None:
    before = len(application.reached)
    target = "/a%20page?x=1&y=%26&rd=https://evil.org/#"[:-1]
    reply = proxy.ask(target, headers=[PAGE])
    assert wanted(reply) == f"https://{APP}:{proxy.port}{target}"
    location = urlsplit(reply.headers["location"])
    page = proxy.ask(f"{location.path}?{location.query}", host=LOGIN)
    assert (page.status, page.body) == (200, f"log in\n{location.query}")
    assert len(application.reached) == before


def test_a_script_without_a_session_is_told_401(proxy: ProxySite) -> None:
    for headers in ([("Accept", "application/json")], [PAGE, ("Sec-Fetch-Mode", "cors")]):
        reply = proxy.ask("/", headers=headers)
        assert reply.status == 401
        assert "location" not in reply.headers


def test_a_form_that_is_posted_without_a_session_comes_back_as_a_get(proxy: ProxySite) -> None:
    assert proxy.ask("/form", method="POST", headers=[PAGE], body=b"a=b").status == 303


def test_the_application_is_told_who_is_logged_in(proxy: ProxySite, site: ForwardAuthSite) -> None:
    assert seen(proxy.ask("/", headers=[site.ada.cookie])) == {
        "remote-user": "ada",
        "remote-email": "ada@example.com",
        "remote-groups": "dev,ops",
        "remote-name": "Ada Şükrü",
    }


def test_a_post_goes_through_with_its_content(proxy: ProxySite, site: ForwardAuthSite) -> None:
    assert seen(proxy.ask("/", method="POST", headers=[site.ada.cookie], body=b"x" * 100_000))


def test_who_is_in_no_group_that_may_is_refused_and_told_why(
    proxy: ProxySite, site: ForwardAuthSite, application: EchoApplication
) -> None:
    before = len(application.reached)
    reply = proxy.ask("/", headers=[site.bob.cookie, PAGE])
    assert (reply.status, reply.body) == (
        403,
        f"You are logged in, and may not go to this page of {APP}.\n",
    )
    assert len(application.reached) == before
    assert seen(proxy.ask("/", host=OPEN, headers=[site.bob.cookie]))["remote-user"] == "bob"


def test_a_header_that_the_client_made_up_never_arrives(proxy: ProxySite, site: ForwardAuthSite) -> None:
    names = ("Remote-User", "remote-email", "Remote-Groups", "REMOTE-NAME", "Remote_User", "remote_groups")
    smuggled = [(name, "root") for name in names]
    told = seen(proxy.ask("/", host=OPEN, headers=[site.bob.cookie, *smuggled, *smuggled]))
    assert {name: value for name, value in told.items() if value} == {"remote-user": "bob"}


SPOOFED: Final = (
    ("X-Original-URL", f"https://{OPEN}/"),
    ("X-Original-URI", "/"),
    ("X-Original-Method", "GET"),
    ("X-Forwarded-Host", OPEN),
    ("X-Forwarded-Uri", "/"),
    ("X-Forwarded-URI", "/"),
    ("X-Forwarded-Method", "GET"),
    ("X-Forwarded-Proto", "https"),
    ("X-Forwarded-For", "127.0.0.1"),
    ("X-Forwarded-Server", OPEN),
    ("X-Rewrite-URL", "/"),
    ("Forwarded", f"host={OPEN}"),
)


@pytest.mark.parametrize("path", ["/", "/admin/x"])
def test_no_header_of_the_client_says_which_page_is_meant(
    proxy: ProxySite, site: ForwardAuthSite, path: str
) -> None:
    for one in SPOOFED:
        assert proxy.ask(path, headers=[site.bob.cookie, one]).status == 403, one
    assert proxy.ask(path, headers=[site.bob.cookie, *SPOOFED, *SPOOFED]).status == 403


def test_nor_does_another_host_in_the_request_line_or_in_host(
    proxy: ProxySite, site: ForwardAuthSite
) -> None:
    """Whichever application is chosen, its own rules are asked."""
    for target in (f"https://{APP}:{proxy.port}/", f"https://{OPEN}:{proxy.port}/"):
        for host_header in (APP, OPEN, ELSEWHERE):
            for server in (APP, OPEN):
                reply = proxy.ask(target, host=server, host_header=host_header, headers=[site.bob.cookie])
                assert reply.status != 200 or OPEN in target or host_header == OPEN == server, reply


TRICKS: Final = (
    "/admin",
    "/admin/",
    "/admin/x",
    "//admin/x",
    "/./admin/x",
    "/x/../admin/x",
    "/x/%2e%2e/admin/x",
    "/admin/../x",
    "/admin/%2E./x",
    "/admin/x/..//../../x",
    "/x/..%2fadmin/x",
    "/x/..;/admin/x",
    "/%61dmin/x",
    "/x/%252e%252e/admin/x",
    "/admin%2fx",
    "/admin%2Fx",
    "/%2fadmin/x",
    "/%5cadmin/x",
    "/x%5c..%5cadmin/x",
    "/admin/x%00",
    "/admin%3f/../x/../admin/x",
    "/admin/x?y=/x",
)


@pytest.mark.parametrize("target", TRICKS)
def test_no_spelling_of_a_path_gets_past_its_rule(
    proxy: ProxySite, site: ForwardAuthSite, application: EchoApplication, target: str
) -> None:
    before = len(application.reached)
    assert proxy.ask(target, headers=[site.ada.cookie]).status in {400, 403}
    assert len(application.reached) == before


@pytest.mark.parametrize(
    "target",
    [
        "//evil.org/",
        "//evil.org/%2e%2e",
        "///evil.org",
        "/%09/evil.org",
        "/@evil.org",
        "/?rd=https://evil.org",
        "/?x=1&rd=https://evil.org&rd=//evil.org",
        "/x?https://evil.org/",
        "/:443@evil.org",
        "/https://evil.org",
        "/%E2%80%AEevil",
        "/;https://evil.org",
    ],
)
def test_the_way_back_never_leads_anywhere_else(proxy: ProxySite, target: str) -> None:
    reply = proxy.ask(target, headers=[PAGE])
    if reply.status in {400, 403}:
        assert "location" not in reply.headers
        return
    back = urlsplit(wanted(reply))
    assert (back.scheme, back.netloc) == ("https", f"{APP}:{proxy.port}")


@pytest.mark.parametrize("target", ["/%0d%0aLocation:%20https://evil.org", "/x%0aSet-Cookie:a=b", "/%00"])
def test_no_path_makes_a_header_of_its_own(proxy: ProxySite, target: str) -> None:
    reply = proxy.ask(target, headers=[PAGE])
    assert reply.status in {400, 403}
    assert not {"location", "set-cookie"} & set(reply.headers)


def test_an_application_outside_of_the_cookie_domain_gets_a_page_that_says_so(
    proxy: ProxySite, site: ForwardAuthSite
) -> None:
    for headers in ([PAGE], [PAGE, site.ada.cookie]):
        reply = proxy.ask("/", host=ELSEWHERE, headers=headers)
        assert reply.status == 403
        assert reply.body.startswith(f"{ELSEWHERE} is not below example.com, so log-ins at {LOGIN} can't")


def test_the_question_itself_can_not_be_asked_from_outside(proxy: ProxySite, site: ForwardAuthSite) -> None:
    """nginx asks at a path of its own, which is for itself alone."""
    reply = proxy.ask("/practicus-mfa", host=OPEN, headers=[site.bob.cookie])
    assert reply.status == 404 or seen(reply)["remote-user"] == "bob"


def test_a_session_that_ends_counts_no_more(proxy: ProxySite, site: ForwardAuthSite) -> None:
    user = logged_in(site.db, NewUser(username=f"eve{proxy.port}"))
    assert seen(proxy.ask("/", host=OPEN, headers=[user.cookie]))
    with site.db.write() as connection:
        assert sessions.end_all(connection, user.user_id) == 1
    until(lambda: proxy.ask("/", host=OPEN, headers=[user.cookie]).status == 401, "the session's end")
