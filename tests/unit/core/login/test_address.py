"""Whose address a request came from."""

from __future__ import annotations

from ipaddress import ip_network
from typing import Final

import pytest

from practicus_mfa.core.login.address import ClientAddress, client_address, trusts

TRUSTED: Final = (ip_network("10.0.0.0/8"), ip_network("2001:db8::/32"))


@pytest.mark.parametrize(
    ("peer", "forwarded_for", "address", "real"),
    [
        ("10.0.0.1", ["198.51.100.7"], "198.51.100.7", True),
        ("10.0.0.1", ["6.6.6.6, 198.51.100.7"], "198.51.100.7", True),
        ("10.0.0.1", ["6.6.6.6", "198.51.100.7, 10.0.0.2"], "198.51.100.7", True),
        ("10.0.0.1", ["not an address, 198.51.100.7"], "198.51.100.7", True),
        ("2001:db8::1", ["2a00::1"], "2a00::1", True),
        ("::ffff:10.0.0.1", ["::ffff:198.51.100.7"], "198.51.100.7", True),
        # as some proxies write it
        ("10.0.0.1", ["198.51.100.7:4711"], "198.51.100.7", True),
        ("10.0.0.1", ["[2a00::1]:4711"], "2a00::1", True),
        ("10.0.0.1", ["[2a00::1]"], "2a00::1", True),
        # what can't be told
        ("10.0.0.1", [], "10.0.0.1", False),
        ("10.0.0.1", [""], "10.0.0.1", False),
        ("10.0.0.1", ["198.51.100.7, unknown"], "10.0.0.1", False),
        ("10.0.0.1", ["198.51.100.7, []:80"], "10.0.0.1", False),
        ("10.0.0.1", ["198.51.100.7, unknown, 10.0.0.2"], "10.0.0.2", False),
        ("10.0.0.1", ["10.0.0.3, 10.0.0.2"], "10.0.0.3", False),
        ("", ["198.51.100.7"], "", False),
        ("fe80::1%eth0", [], "fe80::1", True),
        # who is not trusted speaks for nobody
        ("198.51.100.8", ["6.6.6.6"], "198.51.100.8", True),
        ("192.168.0.9", ["6.6.6.6"], "192.168.0.9", True),
    ],
)
def test_where_a_request_comes_from(peer: str, forwarded_for: list[str], address: str, *, real: bool) -> None:
    assert client_address(peer, forwarded_for, TRUSTED) == ClientAddress(address, real=real)


@pytest.mark.parametrize(("peer", "real"), [("8.8.8.8", True), ("10.0.0.1", False), ("127.0.0.1", False)])
def test_where_no_proxy_is_trusted_a_private_peer_may_be_one(peer: str, *, real: bool) -> None:
    assert client_address(peer, ["6.6.6.6"], ()) == ClientAddress(peer, real=real)


@pytest.mark.parametrize(
    ("peer", "trusted"),
    [
        ("10.255.255.255", True),
        ("::ffff:10.0.0.1", True),
        ("2001:db8::1", True),
        ("11.0.0.0", False),
        ("", False),
        ("nginx", False),
    ],
)
def test_who_is_trusted(peer: str, *, trusted: bool) -> None:
    assert trusts(peer, TRUSTED) is trusted
    assert not trusts(peer, ())
