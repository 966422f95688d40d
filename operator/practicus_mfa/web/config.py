"""The login service's configuration: the names of ``login`` in values.yaml, and where this replica listens.

::

    host: login.example.com
    cookieDomain: example.com
    listen: 0.0.0.0:8443
    metricsAddress: 0.0.0.0:9465
    tls: {certificate: /tls/tls.crt, key: /tls/tls.key}
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from practicus_mfa.core.login.config import LoginConfig
from practicus_mfa.core.parse.address import network_address
from practicus_mfa.core.parse.login import login_config
from practicus_mfa.core.parse.reader import Section
from practicus_mfa.faults import Fault, InvalidConfiguration

LISTEN: Final = "0.0.0.0:8080"
METRICS_ADDRESS: Final = "0.0.0.0:9465"
"""The operator's is 9464: both may run on one machine."""

_OWN: Final = ("listen", "metricsAddress", "tls")


@dataclass(frozen=True, slots=True, kw_only=True)
class Tls:
    """The files that TLS is served with.

    Attributes:
        certificate: The certificate, and after it those of the authorities in between; PEM.
        key: Its private key; PEM.
    """

    certificate: Path
    key: Path


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceConfig:
    """The configuration of a replica, found valid.

    Attributes:
        login: How people reach the service, and what it says.
        listen: Host and port that it listens on; port 0 takes a free one.
        metrics: Host and port of /metrics; ``None`` for none.
        tls: What it serves TLS with; ``None`` behind a proxy that does.
    """

    login: LoginConfig
    listen: tuple[str, int]
    metrics: tuple[str, int] | None
    tls: Tls | None = None


def read_config(tree: object, *, source: str = "the login service's configuration") -> ServiceConfig:
    """Return *tree* (YAML values), found valid.

    Args:
        tree: What the file holds.
        source: How messages call it.

    Raises:
        InvalidConfiguration: With every fault.
    """
    faults: list[Fault] = []
    own: dict[object, object] = {}
    rest = tree
    if isinstance(tree, Mapping):
        own = {name: value for name, value in tree.items() if name in _OWN}
        rest = {name: value for name, value in tree.items() if name not in _OWN}
    top = Section(own, "", faults)
    listen = network_address(top, "listen", LISTEN)
    metrics = (
        None if own.get("metricsAddress") == "" else network_address(top, "metricsAddress", METRICS_ADDRESS)
    )
    tls = _tls(top.section("tls"))
    login: LoginConfig | None = None
    try:
        login = login_config(rest, source=source)
        check_cookie_domain(login, faults)
    except InvalidConfiguration as error:
        faults = [*error.faults, *faults]
    if faults or login is None:
        raise InvalidConfiguration(faults, source=source)
    return ServiceConfig(login=login, listen=listen, metrics=metrics, tls=tls)


def _tls(section: Section) -> Tls | None:
    with section as tls:
        certificate, key = tls.text("certificate"), tls.text("key")
        for name, given, other in (("certificate", certificate, key), ("key", key, certificate)):
            if other and not given:
                tls.fault(name, "missing", "TLS needs both: certificate and key, each a file's name")
    return Tls(certificate=Path(certificate), key=Path(key)) if certificate and key else None


def check_cookie_domain(config: LoginConfig, faults: list[Fault]) -> None:
    """Add a fault where browsers would refuse the cookie, or it would be everybody's.

    Below a public suffix (co.uk, github.io) live people who have nothing to do with each other.
    """
    domain = config.cookie_domain.strip(".")
    if not domain:
        return
    # A megabyte, used once.
    from publicsuffixlist import PublicSuffixList

    if PublicSuffixList().is_public(domain):
        remedy = "name the domain that is yours, for example example.com for login.example.com"
        faults.append(
            Fault(
                path="cookieDomain",
                problem=f"{domain} is a public suffix, below which anybody lives",
                remedy=remedy,
            )
        )
