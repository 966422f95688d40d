"""A mistake in ``login`` is told by Helm, in the words of the product, and not by pods that don't start."""

from __future__ import annotations

from typing import Final

import pytest

from practicus_mfa.core.parse.login import login_config
from practicus_mfa.faults import InvalidConfiguration
from tests.chart.test_login import LEAST, login
from tests.support.chart import SEED, Helm, Tree

HOST: Final = "login.example.com"

# Each entry is wrong in every one of its values.
WRONG: Final[dict[str, Tree]] = {
    "a host with a scheme": {"host": "https://login.example.com"},
    "a host with an end": {"host": "login.example.com."},
    "a host with too big a port": {"host": "a:65536"},
    "a port of nothing": {"host": "a:0"},
    "an address of IPv6": {"host": "[::1]:80"},
    "a host that is not ASCII": {"host": "giri\u015f.example.com"},
    "another's domain": {"host": HOST, "cookieDomain": "example.org"},
    "the end of a domain": {"host": HOST, "cookieDomain": "ample.com"},
    "a domain below": {"host": HOST, "cookieDomain": "a.login.example.com"},
    "a domain with a port": {"host": HOST, "cookieDomain": "example.com:8443"},
    "a part of an address": {"host": "10.0.0.1", "cookieDomain": "0.1"},
    "no networks": {
        "host": HOST,
        "trustedProxies": ["nginx", "10.0.0.0/33", "10.0.0", "256.0.0.1", "2001:db8::1/129", "10.0.0.0/"],
    },
    "everybody": {"host": HOST, "trustedProxies": ["0.0.0.0/0", "::/0", "10.0.0.0/0"]},
    "no hosts": {"host": HOST, "access": [{"hosts": ["a/b", "*", "a b", "*.*.a"]}]},
    "no groups": {"host": HOST, "access": [{"groups": ["a b", "a" * 65, "\u015f"]}]},
    "no paths": {
        "host": HOST,
        "access": [
            {
                "paths": [
                    "admin", "*", "/*/a", "/a*", "/**", "/a/../b", "/a/..", "/a/./b", "/a//b", "/a?b", "/a#b",
                    "/%61", "/a;b", "/a\\b", "/a\tb",
                ]
            }
        ],
    },
    "a rule that leaves none to the next": {"host": HOST, "access": [{"deny": True}, {"deny": False}]},
    "a title of two lines": {"host": HOST, "branding": {"title": "a\nb"}},
    "an issuer that is too long": {"host": HOST, "branding": {"issuer": "b" * 101}},
    "no addresses": {
        "host": HOST,
        "branding": {"logoUrl": "javascript:alert(1)", "helpUrl": "help.example.com"},
    },
}  # fmt: skip

RIGHT: Final[dict[str, Tree]] = {
    "a port": {"host": "Login.example.com:8443"},
    "the loopback address": {"host": "127.0.0.1:8080"},
    "a leading dot": {"host": HOST, "cookieDomain": ".Example.com"},
    "the host itself": {"host": HOST, "cookieDomain": HOST},
    "networks": {
        "host": HOST,
        "trustedProxies": [
            "10.0.0.0/8", " 192.168.1.7/24 ", "10.1.2.3", "2001:db8::1", "::ffff:10.0.0.0/104",
            "fd00::/8", "10.0.0.0/255.0.0.0",
        ],
    },
    "rules": {
        "host": HOST,
        "access": [
            {"hosts": ["Grafana.example.com", "*.apps.example.com"], "groups": ["a.b-c_d"]},
            {"paths": ["/", "/*", "/a", "/a/", "/a/*", "/a b/\u015f", "/a.b/..c"]},
            None,
        ],
    },
    "branding": {
        "host": HOST,
        "branding": {
            "title": "\u015e" * 100,
            "logoUrl": "/static/logo.svg",
            "helpText": "Call 1234.\nOr come by.",
            "helpUrl": "mailto:help@example.com",
        },
    },
}  # fmt: skip


@pytest.mark.parametrize("values", WRONG.values(), ids=WRONG)
def test_what_the_product_refuses_helm_refuses_in_the_same_words(helm3: Helm, values: Tree) -> None:
    with pytest.raises(InvalidConfiguration) as caught:
        login_config(values)
    told = helm3.refusal(LEAST, {"login": values})
    lines = [line for line in told.splitlines() if line.startswith("login.")]
    # Place and remedy; what is wrong with it may quote the value there, and never does here.
    assert [(line.partition(":")[0], line.partition("; ")[2]) for line in lines] == [
        (f"login.{fault.path}", fault.remedy) for fault in caught.value.faults
    ]


@pytest.mark.parametrize("values", RIGHT.values(), ids=RIGHT)
def test_what_the_product_takes_helm_takes(helm3: Helm, values: Tree) -> None:
    login_config(values)
    assert helm3.render(LEAST, {"login": values})


@pytest.mark.parametrize(
    ("values", "told"),
    [
        ({"enabled": True, "host": ""}, "login.host: missing; write it, for example"),
        ({"cookieDomian": "x"}, "'cookieDomian' not allowed"),
        ({"settingsPage": "write"}, "at '/login/settingsPage'"),
        ({"outageGraceSeconds": 301}, "at '/login/outageGraceSeconds'"),
        ({"httpRoute": {"enabled": True}}, "login.httpRoute.parentRefs: empty; name the gateway"),
        (
            {"host": "localhost:8080", "ingress": {"enabled": True}},
            "login.ingress.enabled: nobody else reaches the loopback address",
        ),
        (
            {"enabled": False, "ingress": {"enabled": True}},
            "login.ingress.enabled: there is no login service",
        ),
        (
            {"host": "", "traefikMiddleware": {"enabled": True}},
            "login.traefikMiddleware.enabled: there is no login service",
        ),
        ({"traefikMiddleware": {"enabled": True}}, "login.trustedProxies: empty, so nobody"),
        ({"traefikMiddleware": {"enabled": True}}, "login.cookieDomain: empty, so no application"),
        (
            {"autoscaling": {"minReplicas": 3, "maxReplicas": 2}},
            "login.autoscaling.maxReplicas: less than minReplicas",
        ),
        (
            {"autoscaling": {"enabled": True}, "resources": None},
            "login.resources.requests.cpu: missing, and login.autoscaling compares with it",
        ),
        ({"podDisruptionBudget": {"maxUnavailable": 0}}, "at '/login/podDisruptionBudget/maxUnavailable'"),
        (
            {"podDisruptionBudget": {"maxUnavailable": "one"}},
            "at '/login/podDisruptionBudget/maxUnavailable'",
        ),
    ],
)
def test_a_mistake_is_named_with_its_place(helm3: Helm, values: Tree, told: str) -> None:
    assert told in helm3.refusal(*login(values))


def test_a_login_service_needs_a_database(helm: Helm) -> None:
    assert "login: needs a database, and none is named" in helm.refusal(SEED, {"login": {"host": HOST}})
    # A role for it alone leaves the operator without one.
    lesser = {"database": {"login": {"existingSecret": "own"}}}
    assert "login: needs a database" in helm.refusal(SEED, lesser, {"login": {"host": HOST}})


@pytest.mark.parametrize("release", ["other.name", "9-lives"])
def test_a_release_that_no_service_can_be_called_after_has_none(helm3: Helm, release: str) -> None:
    assert "login: a release of this name can't have it" in helm3.refusal(LEAST, release=release)
    assert helm3.render(SEED, release=release)
