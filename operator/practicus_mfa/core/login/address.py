"""Whose address a request came from: the peer's, or what trusted proxies say in X-Forwarded-For.

The header is a list that each proxy adds the address of its own peer to (RFC 7239, section 5.2, tells of the
same for ``Forwarded``); whoever is first can write anything there. So it is read from the right, past proxies
that are trusted, and the first other address is the client's. Some proxies write a port behind it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from typing import Final

IPNetwork = IPv4Network | IPv6Network

_WITH_PORT: Final = re.compile(r"(?:\[(?P<v6>[^]]*)\]|(?P<v4>[0-9.]+))(?::[0-9]{1,5})?", re.ASCII)


@dataclass(frozen=True, slots=True)
class ClientAddress:
    """An address, '' where it can't be told.

    Attributes:
        address: As text, an IPv4 address in IPv6 clothes undressed.
        real: It may be counted on as the client's own. A private address behind which a proxy nobody told
            us of may stand is not: all users would have it.
    """

    address: str
    real: bool


def client_address(peer: str, forwarded_for: Sequence[str], trusted: Sequence[IPNetwork]) -> ClientAddress:
    """Return where a request comes from.

    Args:
        peer: The address that the connection came from.
        forwarded_for: The values of all X-Forwarded-For headers, in order.
        trusted: The proxies that are believed.
    """
    present = plain_address(peer)
    if present is None:
        return ClientAddress("", real=False)
    if not _in(present, trusted):
        return ClientAddress(str(present), real=bool(trusted) or present.is_global)
    for text in reversed([part for value in forwarded_for for part in value.split(",")]):
        named = _named(text.strip())
        if named is None:
            return ClientAddress(str(present), real=False)
        if not _in(named, trusted):
            return ClientAddress(str(named), real=True)
        present = named
    return ClientAddress(str(present), real=False)


def trusts(peer: str, trusted: Sequence[IPNetwork]) -> bool:
    """Whether *peer* is one of the proxies that are believed."""
    address = plain_address(peer)
    return address is not None and _in(address, trusted)


def plain_address(text: str) -> IPv4Address | IPv6Address | None:
    """Return an address without its zone, an IPv4 address in IPv6 clothes undressed; ``None``: it is none."""
    try:
        address = ip_address(text.partition("%")[0])
    except ValueError:
        return None
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return mapped or address


def _named(text: str) -> IPv4Address | IPv6Address | None:
    found = _WITH_PORT.fullmatch(text)
    return plain_address(text if found is None else found["v6"] or found["v4"] or "")


def _in(address: IPv4Address | IPv6Address, networks: Sequence[IPNetwork]) -> bool:
    return any(address in network for network in networks)
