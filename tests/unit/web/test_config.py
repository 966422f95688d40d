"""The login service's configuration file."""

from __future__ import annotations

from pathlib import Path

import pytest

from practicus_mfa.faults import InvalidConfiguration
from practicus_mfa.web.config import Tls, read_config


def test_a_host_is_all_that_is_needed() -> None:
    config = read_config({"host": "login.example.com"})
    assert config.login.origin == "https://login.example.com"
    assert config.listen == ("0.0.0.0", 8080)  # noqa: S104 - what it says
    assert config.metrics == ("0.0.0.0", 9465)  # noqa: S104 - as above
    assert config.tls is None


def test_all_of_it_is_read() -> None:
    config = read_config(
        {
            "host": "login.example.com",
            "cookieDomain": "example.com",
            "listen": "[::1]:8443",
            "metricsAddress": "",
            "tls": {"certificate": "/tls/tls.crt", "key": "/tls/tls.key"},
        }
    )
    assert config.listen == ("::1", 8443)
    assert config.metrics is None
    assert config.tls == Tls(certificate=Path("/tls/tls.crt"), key=Path("/tls/tls.key"))


@pytest.mark.parametrize("domain", ["co.uk", "github.io", "com", ".co.uk"])
def test_a_domain_below_which_anybody_lives_takes_no_cookie(domain: str) -> None:
    with pytest.raises(InvalidConfiguration, match="is a public suffix, below which anybody lives"):
        read_config({"host": f"login.{domain.strip('.')}", "cookieDomain": domain})


@pytest.mark.parametrize("domain", ["example.co.uk", "acme.github.io", "example.internal"])
def test_a_domain_of_ones_own_does(domain: str) -> None:
    assert read_config({"host": f"login.{domain}", "cookieDomain": domain}).login.cookie_domain == domain


def test_faults_of_both_parts_are_told_at_once() -> None:
    with pytest.raises(InvalidConfiguration) as caught:
        read_config({"hots": "a", "listen": "x", "tls": {"key": "/k"}}, source="login.yaml")
    assert [fault.path for fault in caught.value.faults] == ["host", "hots", "listen", "tls.certificate"]
    assert str(caught.value).startswith("login.yaml: 4 faults\n")


@pytest.mark.parametrize("tree", [None, [], "text"])
def test_what_is_no_configuration_is_refused(tree: object) -> None:
    with pytest.raises(InvalidConfiguration):
        read_config(tree)
