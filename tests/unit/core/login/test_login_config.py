"""Reading ``login``."""

from __future__ import annotations

from ipaddress import ip_network
from typing import Any

import pytest

from practicus_mfa.core.login.access import AccessRule
from practicus_mfa.core.login.config import Branding, LoginConfig
from practicus_mfa.core.parse.login import login_config
from practicus_mfa.core.policy import SettingsPage
from practicus_mfa.faults import InvalidConfiguration

HOST = "login.example.com"


def lines(tree: object) -> list[str]:
    with pytest.raises(InvalidConfiguration) as caught:
        login_config(tree)
    return [fault.line for fault in caught.value.faults]


def paths(tree: dict[str, Any]) -> list[str]:
    return [line.partition(": ")[0] for line in lines({"host": HOST} | tree)]


def test_everything_that_may_stand_there() -> None:
    tree = {
        "enabled": True,
        "replicas": 2,
        "service": {"type": "ClusterIP"},
        "ingress": {"enabled": True},
        "httpRoute": {"parentRefs": [{"name": "gateway"}]},
        "traefikMiddleware": {"enabled": True},
        "autoscaling": {"enabled": True},
        "podDisruptionBudget": {"maxUnavailable": "25%"},
        "topologySpreadConstraints": [],
        "resources": {"limits": {"memory": "1Gi"}},
        "serviceAccount": {"create": False},
        "terminationGracePeriodSeconds": 60,
        "host": "Login.example.com:8443",
        "cookieDomain": ".Example.com",
        "trustedProxies": ["10.0.0.0/8", "2001:db8::1", "192.168.1.7/24"],
        "access": [
            {"hosts": ["Grafana.example.com", "*.apps.example.com"], "paths": ["/admin/*", "/a b"]},
            {"groups": ["ops", "a.b-c_d"], "deny": True},
            None,
        ],
        "outageGraceSeconds": 0,
        "branding": {
            "title": "ACME: log in",
            "logoUrl": "/static/logo.svg",
            "helpText": "Call 1234.\nOr come by.",
            "helpUrl": "mailto:help@example.com",
        },
    }
    assert login_config(tree) == LoginConfig(
        host="login.example.com:8443",
        cookie_domain="example.com",
        trusted_proxies=(
            ip_network("10.0.0.0/8"),
            ip_network("2001:db8::1/128"),
            ip_network("192.168.1.0/24"),
        ),
        access=(
            AccessRule(hosts=("grafana.example.com", "*.apps.example.com"), paths=("/admin/*", "/a b")),
            AccessRule(groups=("ops", "a.b-c_d"), deny=True),
            AccessRule(),
        ),
        outage_grace_seconds=0,
        branding=Branding(
            title="ACME: log in",
            issuer="ACME: log in",
            logo_url="/static/logo.svg",
            help_text="Call 1234.\nOr come by.",
            help_url="mailto:help@example.com",
        ),
    )


def test_a_host_is_enough() -> None:
    assert login_config({"host": HOST}) == LoginConfig(host=HOST)


@pytest.mark.parametrize(
    ("host", "kept", "origin", "insecure"),
    [
        ("login.example.com", "login.example.com", "https://login.example.com", False),
        ("login.example.com:443", "login.example.com", "https://login.example.com", False),
        ("login.example.com:80", "login.example.com:80", "https://login.example.com:80", False),
        ("127.0.0.1:8443", "127.0.0.1:8443", "http://127.0.0.1:8443", True),
        ("localhost:80", "localhost", "http://localhost", True),
        ("localhost.example.com", "localhost.example.com", "https://localhost.example.com", False),
    ],
)
def test_the_origin_is_as_browsers_write_it(host: str, kept: str, origin: str, *, insecure: bool) -> None:
    config = login_config({"host": host})
    assert (config.host, config.origin, config.insecure) == (kept, origin, insecure)
    assert config.hostname == kept.partition(":")[0]


@pytest.mark.parametrize(
    "host",
    [
        "https://login.example.com",
        "login.example.com.",
        "a b",
        "-a",
        "a_b",
        "a:0",
        "a:65536",
        "[::1]:80",
        "*.a",
        "\u015f",
    ],
)
def test_what_is_no_host(host: str) -> None:
    assert [line.split(";")[0] for line in lines({"host": host})] == ["host: not a host"]


def test_a_host_is_needed() -> None:
    assert lines({}) == ["host: missing; write it, for example host: login.example.com"]


@pytest.mark.parametrize(
    ("domain", "problem"),
    [
        ("example.org", "example.org is no parent of login.example.com"),
        ("ample.com", "ample.com is no parent of login.example.com"),
        ("a.login.example.com", "a.login.example.com is no parent of login.example.com"),
        ("example..com", "not a domain"),
        ("example.com:8443", "not a domain"),
        ("*.example.com", "not a domain"),
    ],
)
def test_a_cookie_domain_is_a_parent_of_the_host(domain: str, problem: str) -> None:
    (line,) = lines({"host": HOST, "cookieDomain": domain})
    assert line.startswith(f"cookieDomain: {problem}; ")


def test_an_address_is_no_cookie_domain() -> None:
    (line,) = lines({"host": "10.0.0.1", "cookieDomain": "0.1"})
    assert line.startswith("cookieDomain: not a domain; ")


@pytest.mark.parametrize(
    ("tree", "faulty"),
    [
        ({"trustedProxies": ["nginx", "10.0.0.0/33"]}, ["trustedProxies[0]", "trustedProxies[1]"]),
        ({"trustedProxies": ["0.0.0.0/0", "::/0"]}, ["trustedProxies[0]", "trustedProxies[1]"]),
        ({"outageGraceSeconds": 301}, ["outageGraceSeconds"]),
        ({"cookieDomian": "example.com"}, ["cookieDomian"]),
        ({"access": [{"host": "a"}]}, ["access[0].host"]),
        ({"access": [{"hosts": ["a", "a/b", "*"]}]}, ["access[0].hosts[1]", "access[0].hosts[2]"]),
        ({"access": [{"groups": ["a b", "a" * 65]}]}, ["access[0].groups[0]", "access[0].groups[1]"]),
        ({"access": [{"deny": True}, {"deny": False}]}, ["access[0]"]),
        ({"branding": {"title": "a\nb"}}, ["branding.title"]),
        ({"branding": {"title": "a", "issuer": "b" * 101}}, ["branding.issuer"]),
        (
            {"branding": {"logoUrl": "javascript:alert(1)", "helpUrl": "help.example.com"}},
            ["branding.logoUrl", "branding.helpUrl"],
        ),
    ],
)
def test_what_is_wrong_is_named_by_its_place(tree: dict[str, Any], faulty: list[str]) -> None:
    assert paths(tree) == faulty


@pytest.mark.parametrize(
    "path",
    [
        "admin",
        "*",
        "/*/a",
        "/a*",
        "/**",
        "/a/../b",
        "/a//b",
        "/a?b",
        "/a#b",
        "/%61",
        "/100%",
        "/a;b",
        "/a\\b",
        "/\ud800",
    ],
)
def test_what_is_no_path_of_a_rule(path: str) -> None:
    assert paths({"access": [{"paths": [path]}]}) == ["access[0].paths[0]"]


@pytest.mark.parametrize("path", ["/", "/*", "/a", "/a/", "/a/*", "/a b/\u015f"])
def test_what_is_a_path_of_a_rule(path: str) -> None:
    assert login_config({"host": HOST, "access": [{"paths": [path]}]}).access == (AccessRule(paths=(path,)),)


def test_all_faults_are_told_at_once() -> None:
    tree = {"host": 1, "access": [{"paths": ["x"]}], "trustedProxies": "10.0.0.1", "branding": []}
    assert len(lines(tree)) == 4


@pytest.mark.parametrize("mode", SettingsPage)
def test_the_settings_page_does_what_it_is_told(mode: SettingsPage) -> None:
    assert login_config({"host": HOST, "settingsPage": str(mode)}).settings_page is mode


@pytest.mark.parametrize("nothing", [{}, {"settingsPage": None}, {"settingsPage": ""}])
def test_it_edits_unless_told_otherwise(nothing: dict[str, Any]) -> None:
    assert login_config({"host": HOST} | nothing).settings_page is SettingsPage.EDIT


@pytest.mark.parametrize("wrong", ["Edit", "write", "edit "])
def test_what_it_may_do_is_never_guessed(wrong: str) -> None:
    assert lines({"host": HOST, "settingsPage": wrong}) == [
        "settingsPage: none of the ways that there are; write one of edit, tighten, read"
    ]
    assert paths({"settingsPage": True}) == ["settingsPage"]
