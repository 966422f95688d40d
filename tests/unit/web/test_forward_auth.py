"""Forward-auth's answers, in the words of each proxy."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from ipaddress import ip_network
from typing import Any, Final
from urllib.parse import quote

import pytest

from practicus_mfa.core.login.access import AccessRule
from practicus_mfa.core.login.account import Account
from practicus_mfa.core.login.config import LoginConfig
from practicus_mfa.core.login.rules import LoginRules
from practicus_mfa.core.policy import MfaRules
from practicus_mfa.web.forward_auth import ForwardAuth, Receive, Scope, Send
from practicus_mfa.web.proxy_answers import Message
from tests.support.sessions_read import ADA, AWAY, KEY, TOKEN, VERIFY_KEY, VERIFY_TOKEN, ReadWorld, session_of

PROXY: Final = "10.0.0.7"
CONFIG: Final = LoginConfig(
    host="login.example.com", cookie_domain="example.com", trusted_proxies=(ip_network("10.0.0.0/24"),)
)
PAGE: Final = {"accept": "text/html,application/xhtml+xml,*/*;q=0.8"}
SESSION: Final = {"cookie": f"__Host-mfa_session={TOKEN}"}
VERIFY: Final = {"cookie": f"theme=dark; __Secure-mfa_verify={VERIFY_TOKEN}; lang=tr"}
APP: Final = "https://app.example.com/page?a=1&b=2"
LOG_IN: Final = "https://login.example.com/login?rd=https%3A%2F%2Fapp.example.com%2Fpage%3Fa%3D1%26b%3D2"


@dataclass
class Answer:
    """What a proxy gets."""

    status: int
    headers: Mapping[str, str]
    body: str
    handed_on: bool = False


@dataclass
class Front:
    """Forward-auth over a world that a test sets."""

    world: ReadWorld = field(default_factory=ReadWorld)
    config: LoginConfig = CONFIG
    seen: list[float] = field(default_factory=list)

    def __post_init__(self) -> None:
        cache = self.world.cache()
        steady = lambda: self.world.seconds  # noqa: E731
        self.unanswered = 0
        self.app = ForwardAuth(
            self._within,
            cache,
            self.config,
            observe=self.seen.append,
            unavailable=self._count,
            steady=steady,
        )

    def _count(self) -> None:
        self.unanswered += 1

    @staticmethod
    async def _within(_scope: Scope, _receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 418, "headers": []})
        await send({"type": "http.response.body", "body": b"within"})

    def ask(
        self,
        path: str,
        headers: Mapping[str, str] | list[tuple[str, str]],
        *,
        method: str = "GET",
        peer: str | None = PROXY,
    ) -> Answer:
        """Send a request as a server hands it on."""
        raw, _, query = path.partition("?")
        pairs = headers if isinstance(headers, list) else list(headers.items())
        scope = {
            "type": "http",
            "method": method,
            "path": raw,
            "raw_path": raw.encode("latin-1"),
            "query_string": query.encode("latin-1"),
            "headers": [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in pairs],
            "client": None if peer is None else (peer, 40_000),
        }
        sent: list[Message] = []

        async def send(message: Message) -> None:
            sent.append(message)

        asyncio.run(self.app(scope, None, send))  # type: ignore[arg-type]
        start, body = sent
        found = {name.decode(): value.decode() for name, value in start["headers"]}
        assert len(found) == len(start["headers"])
        return Answer(start["status"], found, body["body"].decode(), handed_on=start["status"] == 418)

    def nginx(self, *parts: Mapping[str, str], url: str = APP, peer: str = PROXY) -> Answer:
        """Ask as nginx does."""
        headers = {"X-Original-URL": url}
        for part in parts:
            headers |= part
        return self.ask("/auth/verify", headers, peer=peer)

    def traefik(self, *parts: Mapping[str, str], method: str = "GET", uri: str = "/page?a=1&b=2") -> Answer:
        """Ask as Traefik and Caddy do."""
        headers = {
            "X-Forwarded-Method": method,
            "X-Forwarded-Proto": "https",
            "X-Forwarded-Host": "app.example.com",
            "X-Forwarded-Uri": uri,
        }
        for part in parts:
            headers |= part
        return self.ask("/auth/verify/traefik", headers)

    def envoy(self, *parts: Mapping[str, str], method: str = "GET", target: str = "/page?a=1&b=2") -> Answer:
        """Ask as Envoy does."""
        headers = {"Host": "app.example.com"}
        for part in parts:
            headers |= part
        return self.ask(f"/auth/verify/envoy{target}", headers, method=method)

    def by(self, proxy: str, *parts: Mapping[str, str]) -> Answer:
        """Ask as the proxy of that name does."""
        ask: Any = getattr(self, proxy)
        answer: Answer = ask(*parts)
        return answer


ALL: Final = pytest.mark.parametrize("proxy", ["nginx", "traefik", "envoy"])


@ALL
@pytest.mark.parametrize("cookie", [SESSION, VERIFY])
def test_who_is_logged_in_is_named_to_the_application(proxy: str, cookie: dict[str, str]) -> None:
    answer = Front().by(proxy, cookie)
    assert answer.status == 200
    assert answer.headers == {
        "remote-user": "ada",
        "remote-email": "ada@example.com",
        "remote-groups": "dev,ops",
        "remote-name": "Ada",
        "cache-control": "no-store",
        "content-length": "0",
    }
    assert answer.body == ""


@ALL
def test_a_header_that_nothing_is_known_for_is_sent_empty(proxy: str) -> None:
    world = ReadWorld(rows={KEY: session_of(Account(id=2, username="bob", enrolled=True))})
    answer = Front(world).by(proxy, SESSION)
    names = ("remote-user", "remote-email", "remote-groups", "remote-name")
    assert [answer.headers[name] for name in names] == ["bob", "", "", ""]


def test_values_are_utf_8_and_can_not_begin_another_header() -> None:
    account = replace(
        ADA, username="Şükrü", name="Ada\r\nRemote-User: root\u0085\u2028x", email=" a@b.c\x00 "
    )
    answer = Front(ReadWorld(rows={KEY: session_of(account)})).nginx(SESSION)
    assert answer.headers["remote-user"] == "Şükrü"
    assert answer.headers["remote-name"] == "Ada  Remote-User: root  x"
    assert answer.headers["remote-email"] == "a@b.c"


def test_nginx_is_told_401_and_where_to_log_in() -> None:
    answer = Front().nginx(PAGE)
    assert (answer.status, answer.headers["x-login-url"]) == (401, LOG_IN)


@pytest.mark.parametrize(
    ("method", "status"), [("GET", 302), ("HEAD", 302), ("POST", 303), ("PUT", 303), ("DELETE", 303)]
)
@pytest.mark.parametrize("proxy", ["traefik", "envoy"])
def test_the_others_are_given_a_redirect(proxy: str, method: str, status: int) -> None:
    ask: Any = getattr(Front(), proxy)
    answer = ask(PAGE, method=method)
    assert (answer.status, answer.headers["location"]) == (status, LOG_IN)


@ALL
@pytest.mark.parametrize(
    "asked",
    [
        {"accept": "application/json"},
        {"accept": "*/*"},
        {},
        PAGE | {"x-requested-with": "XMLHttpRequest"},
        PAGE | {"sec-fetch-mode": "cors"},
    ],
)
def test_a_script_is_told_401_and_led_nowhere(proxy: str, asked: dict[str, str]) -> None:
    answer = Front().by(proxy, asked)
    assert answer.status == 401
    assert not {"location", "x-login-url"} & set(answer.headers)


@ALL
def test_a_browser_that_goes_somewhere_wants_a_page_whatever_it_accepts(proxy: str) -> None:
    answer = Front().by(proxy, {"sec-fetch-mode": "navigate"})
    assert LOG_IN in {answer.headers.get("location"), answer.headers.get("x-login-url")}


@ALL
@pytest.mark.parametrize(
    "cookie",
    [
        f"__Host-mfa_session={VERIFY_TOKEN}",  # each token in its own cookie alone
        f"__Secure-mfa_verify={TOKEN}",
        f"__Host-mfa_session={'x' * 43}",
        f"__Host-mfa_session={TOKEN}x",
        f"__Host-mfa_session={TOKEN[1:]}",
        f'__Host-mfa_session="{TOKEN}"',
        f"x__Host-mfa_session={TOKEN}",
        f"__host-mfa_session={TOKEN}",
        f"__Host-mfa_login={TOKEN}",
        "__Host-mfa_session=",
        "",
    ],
)
def test_another_cookie_is_no_session(proxy: str, cookie: str) -> None:
    assert Front().by(proxy, {"cookie": cookie}).status == 401


def test_a_cookie_that_another_application_planted_does_not_hide_ours() -> None:
    planted = f"__Secure-mfa_verify={'x' * 43}; "
    assert Front().nginx({"cookie": planted + VERIFY["cookie"]}).status == 200
    assert Front().nginx({"cookie": planted * 4 + VERIFY["cookie"]}).status == 401


def test_pieces_of_a_cookie_header_are_put_together() -> None:
    pieces = [("x-original-url", APP), ("cookie", "a=b"), ("cookie", SESSION["cookie"])]
    assert Front().ask("/auth/verify", pieces).status == 200


@ALL
def test_what_is_no_token_costs_no_query(proxy: str) -> None:
    front = Front()
    front.by(proxy, {"cookie": "__Host-mfa_session=short"})
    assert front.world.readings == []


@ALL
@pytest.mark.parametrize(
    ("mfa", "account"),
    [
        (MfaRules(), replace(ADA, enrolled=True)),  # a code was never given in this session
        (MfaRules(mandatory=True), ADA),  # enrolment is due
        (MfaRules(), replace(ADA, is_active=False)),
    ],
)
def test_a_session_that_is_worth_nothing_now_is_led_to_the_log_in_and_not_refused(
    proxy: str, mfa: MfaRules, account: Account
) -> None:
    row = session_of(account)
    row = replace(row, session=replace(row.session, second_factor_at=None))
    world = ReadWorld(rows={KEY: row}, rules=LoginRules(mfa=mfa))
    answer = Front(world).by(proxy, SESSION, PAGE)
    assert answer.status in {401, 302}
    assert LOG_IN in {answer.headers.get("location"), answer.headers.get("x-login-url")}


RULES: Final = (
    AccessRule(paths=("/admin/*",), groups=("root",)),
    AccessRule(paths=("/admin/*",), deny=True),
    AccessRule(hosts=("app.example.com",), groups=("ops",)),
)


@ALL
def test_who_may_not_go_there_is_refused_and_told_why(proxy: str) -> None:
    config = replace(CONFIG, access=(AccessRule(hosts=("app.example.com",), groups=("root",)),))
    answer = Front(config=config).by(proxy, SESSION, PAGE)
    assert answer.status == 403
    told = "You are logged in, and may not go to this page of app.example.com."
    assert (answer.headers["x-refusal"], answer.body) == (told, told + "\n")


@pytest.mark.parametrize(
    ("target", "status"),
    [
        ("/", 200),
        ("/admin", 403),
        ("/admin/x", 403),
        ("//admin/x", 403),
        ("/x/../admin/", 403),
        ("/%61dmin/", 403),
        ("/x?/admin/", 200),
        ("/x%2f..%2fadmin", 403),
        ("/x%5cadmin", 403),
        ("/x\\admin", 403),
        ("/x%00", 403),
        ("/../x", 403),
        ("/%ff", 403),
        ("/\u00e9", 403),
        ("/x y", 403),
    ],
)
def test_rules_judge_the_path_that_the_application_will_see(target: str, status: int) -> None:
    front = Front(config=replace(CONFIG, access=RULES))
    assert front.nginx(SESSION, url=f"https://app.example.com{target}").status == status
    assert front.traefik(SESSION, uri=target).status == status
    assert front.envoy(SESSION, target=target).status == status


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("app.example.com", 200),
        ("APP.EXAMPLE.COM", 200),
        ("app.example.com.", 200),
        ("app.example.com:8443", 200),
        ("a.b.example.com", 200),
        ("example.com", 200),
        ("login.example.com", 200),
        ("example.org", 403),
        ("badexample.com", 403),
        ("example.com.evil.org", 403),
        ("app.example.com@evil.org", 403),
        ("app.example.com, evil.org", 403),
        ("app.example.com:port", 403),
        ("[::1]", 403),
        ("", 403),
    ],
)
def test_only_hosts_that_a_log_in_here_reaches_are_judged(host: str, status: int) -> None:
    front = Front()
    assert front.nginx(SESSION, url=f"https://{host}/").status == status
    assert front.traefik(SESSION, {"X-Forwarded-Host": host}).status == status
    assert front.envoy(SESSION, {"Host": host}).status == status


def test_the_page_about_a_wrong_cookie_domain_says_what_is_wrong() -> None:
    told = (
        "app.example.org is not below example.com, so log-ins at login.example.com can't reach it:"
        " see login.cookieDomain."
    )
    assert Front().nginx(PAGE, url="https://app.example.org/").headers["x-refusal"] == told
    alone = Front(config=replace(CONFIG, cookie_domain=""))
    told = "Log-ins at login.example.com count there alone, not at app.example.com: see login.cookieDomain."
    assert alone.traefik(SESSION).body == told + "\n"
    assert alone.nginx(SESSION, url="https://login.example.com/x").status == 200


ORIGINALS: Final = {
    "X-Original-URL": "https://app.example.com/",
    "X-Original-URI": "/",
    "X-Forwarded-Host": "app.example.com",
    "X-Forwarded-Uri": "/",
    "X-Forwarded-Proto": "https",
    "X-Forwarded-Method": "GET",
    "Host": "app.example.com",
}


@pytest.mark.parametrize(
    ("path", "read"),
    [
        ("/auth/verify", {"X-Original-URL"}),
        ("/auth/verify/traefik", {"X-Forwarded-Host", "X-Forwarded-Uri"}),
        ("/auth/verify/envoy/", {"Host"}),
    ],
)
@pytest.mark.parametrize("spoofed", ORIGINALS)
def test_each_proxy_is_believed_in_its_own_headers_alone(path: str, read: set[str], spoofed: str) -> None:
    evil = {"X-Original-URL": "https://evil.org/", "X-Forwarded-Uri": "evil"}.get(spoofed, "evil.org")
    answer = Front().ask(path, SESSION | ORIGINALS | {spoofed: evil})
    assert answer.status == (403 if spoofed in read else 200)
    without = {name: value for name, value in ORIGINALS.items() if name != spoofed}
    assert Front().ask(path, SESSION | without).status == (403 if spoofed in read else 200)
    twice = [*SESSION.items(), *ORIGINALS.items(), (spoofed, ORIGINALS[spoofed])]
    believed = read | ({"X-Forwarded-Method"} if path.endswith("traefik") else set())
    assert Front().ask(path, twice).status == (403 if spoofed in believed else 200)


@ALL
@pytest.mark.parametrize("peer", ["192.0.2.1", "10.0.1.7", "::1", "", None, "unix:"])
def test_a_peer_that_is_not_trusted_is_refused_and_named_once_a_minute(
    proxy: str, peer: str | None, caplog: pytest.LogCaptureFixture
) -> None:
    front, path = Front(), {"nginx": "", "traefik": "/traefik", "envoy": "/envoy/"}[proxy]
    with caplog.at_level(logging.WARNING):
        for _ in range(5):
            answer = front.ask(f"/auth/verify{path}", SESSION | ORIGINALS, peer=peer)
            assert answer.status == 403
            front.world.seconds += 11.9
        assert [record.getMessage() for record in caplog.records] == [
            f"forward-auth was asked by {peer or ''}, which is not in login.trustedProxies: refused"
        ]
        front.world.seconds += 1
        front.ask(f"/auth/verify{path}", SESSION | ORIGINALS, peer=peer)
        assert len(caplog.records) == 2
    assert front.world.readings == []


def test_by_default_nobody_is_trusted() -> None:
    config = LoginConfig(host="login.example.com")
    assert Front(config=config).nginx(SESSION, peer="127.0.0.1").status == 403


def test_while_the_database_is_away_each_proxy_is_told_in_its_way() -> None:
    front = Front(ReadWorld(fault=AWAY))
    nginx = front.nginx(SESSION, PAGE)
    assert (nginx.status, nginx.headers["x-login-url"]) == (401, LOG_IN)
    for answer in (front.traefik(SESSION, PAGE), front.envoy(SESSION, PAGE)):
        assert (answer.status, answer.headers["retry-after"]) == (503, "5")
        assert answer.body == "Log-ins can't be checked at the moment. Try again in a few seconds.\n"
    assert front.unanswered == 3


def test_where_one_cookie_can_not_be_judged_another_may_do() -> None:
    front = Front()
    assert front.nginx(VERIFY).status == 200
    front.world.fault = AWAY
    both = {"cookie": f"{SESSION['cookie']}; {VERIFY['cookie']}"}
    assert front.nginx(both).status == 200
    assert front.unanswered == 0


@pytest.mark.parametrize(("port", "kept"), [(":443", ""), (":80", ":80"), (":8443", ":8443"), ("", "")])
def test_the_way_back_names_a_port_where_it_is_not_the_usual_one(port: str, kept: str) -> None:
    answer = Front().nginx(PAGE, url=f"https://app.example.com{port}/")
    back = quote(f"https://app.example.com{kept}/", safe="")
    assert answer.headers["x-login-url"] == f"https://login.example.com/login?rd={back}"


def test_a_way_back_that_is_too_long_is_left_out() -> None:
    answer = Front().traefik(PAGE, uri="/" + "x" * 3000)
    assert answer.headers["location"] == "https://login.example.com/login"


def test_on_the_loopback_address_all_is_plain() -> None:
    config = LoginConfig(host="127.0.0.1:8443", trusted_proxies=CONFIG.trusted_proxies)
    front = Front(config=config)
    url = "http://127.0.0.1:9000/x"
    assert front.nginx({"cookie": f"mfa_session_8443={TOKEN}"}, url=url).status == 200
    assert front.nginx(SESSION, url=url).status == 401
    answer = front.nginx(PAGE, url=url)
    assert answer.headers["x-login-url"] == "http://127.0.0.1:8443/login?rd=http%3A%2F%2F127.0.0.1%3A9000%2Fx"


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/login",
        "/auth/verify/",
        "/auth/verify/x",
        "/auth/verify2",
        "/auth/verify/envoyx",
        "/auth/%76erify",
    ],
)
def test_all_else_is_for_the_application_within(path: str) -> None:
    front = Front()
    assert front.ask(path, {}).handed_on
    assert front.seen == []


def test_no_answer_may_be_kept_and_each_is_measured() -> None:
    front = Front()
    answers = [front.nginx(), front.nginx(SESSION), front.traefik(PAGE), front.nginx(url="x"), front.envoy()]
    assert {answer.headers["cache-control"] for answer in answers} == {"no-store"}
    assert [int(answer.headers["content-length"]) for answer in answers] == [
        len(answer.body.encode()) for answer in answers
    ]
    assert len(front.seen) == len(answers)


def test_the_account_of_a_session_is_what_was_read_last() -> None:
    front = Front()
    front.nginx(VERIFY)
    front.world.rows[VERIFY_KEY] = replace(session_of(replace(ADA, groups=())), for_verify=True)
    front.world.seconds += 1
    assert front.nginx(VERIFY).headers["remote-groups"] == ""
