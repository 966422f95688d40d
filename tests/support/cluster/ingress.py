"""A real nginx on a node, as an ingress controller on the node's network is: TLS ends there.

It is configured as our guide says, and knows the login service by the address of its Service, which
kube-proxy leads to the pods that are ready. Its certificate stays the same for as long as the node is there:
a browser that was told to trust it goes on after a restart.
"""

from __future__ import annotations

import re
import socket
import ssl
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import httpx
import trustme

from tests.support.cluster import ways
from tests.support.login_site import HOST
from tests.support.proxies import LOGIN, examples
from tests.support.waiting import until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.support.cluster.machine import Machine

PORT: Final = 443
"""Nobody else has it on a machine of its own."""

_GIVES_UP_SECONDS: Final = 90
"""Longer than nginx waits for who does not answer, a minute: what it then says is what is to be known."""

_UPSTREAM: Final = "mfa-login.login.svc:8080"
_FRAME: Final = """
daemon off;
pid nginx.pid;
error_log stderr;
# One process: who ends it ends all of it.
master_process off;
events {{}}
http {{
    access_log off;
    client_body_temp_path body;
    proxy_temp_path proxy;
    fastcgi_temp_path fastcgi;
    uwsgi_temp_path uwsgi;
    scgi_temp_path scgi;
{example}
}}
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ingress:
    """Where people come to the login service.

    Attributes:
        address: Of the node, as this machine sees it.
        tls: Trusts who signed its certificate.
        host: What browsers call it.
        port: Where it serves TLS.
    """

    address: str
    tls: ssl.SSLContext
    host: str = HOST
    port: int = PORT

    @property
    def direct(self) -> str:
        """Its address as a URL."""
        return f"https://{self.address}:{self.port}"


@contextmanager
def ingress(machine: Machine, service: str) -> Iterator[Ingress]:
    """Run it.

    Args:
        machine: The node's.
        service: The address of the login service's Service.
    """
    folder = certificate(machine).parent
    file = _configured(folder, machine.address, service)
    proxy = machine.program("ingress", ways.find("nginx"), "-e", "stderr", "-p", folder, "-c", file)
    proxy.start()
    try:
        until(lambda: not proxy.running or _listens(machine.address), "nginx to listen")
        assert proxy.running, proxy.log_end()
        tls = ssl.create_default_context(cafile=folder / "ca.crt")
        there = Ingress(address=machine.address, tls=tls)
        until(lambda: _leads_to_a_pod(there), "the Service to lead to a pod", seconds=240)
        yield there
    finally:
        proxy.stop()
        until(lambda: not _listens(machine.address), "nginx to end")


def certificate(machine: Machine) -> Path:
    """Return the certificate of a node's ingress, for a browser; it is made when it is first asked for."""
    folder = machine.folder / "ingress"
    shown = folder / "tls.crt"
    if not shown.exists():
        folder.mkdir()
        authority = trustme.CA()
        issued = authority.issue_cert(HOST, machine.address)
        authority.cert_pem.write_to_path(str(folder / "ca.crt"))
        issued.private_key_pem.write_to_path(str(folder / "tls.key"))
        issued.cert_chain_pems[0].write_to_path(str(shown))
    return shown


def _configured(folder: Path, address: str, service: str) -> Path:
    """Write the guide's login host, with the addresses and files that there are here."""
    (example,) = examples("nginx")
    upstream = re.search(r"^upstream \w+ \{.*?^\}\n", example, re.MULTILINE | re.DOTALL)
    servers = re.findall(r"^server \{.*?^\}\n", example, re.MULTILINE | re.DOTALL)
    (login,) = [server for server in servers if f"server_name {LOGIN};" in server]
    assert upstream
    text = upstream[0] + login
    for old, new in {
        _UPSTREAM: f"{service}:8080",
        "listen 443 ssl;": f"listen {address}:{PORT} ssl;",
        LOGIN: HOST,
        "/etc/nginx/tls": str(folder),
    }.items():
        assert old in text, old
        text = text.replace(old, new)
    file = folder / "nginx.conf"
    file.write_text(_FRAME.format(example=text), "utf-8")
    return file


def _leads_to_a_pod(there: Ingress) -> bool:
    """Whether what was asked came from the login service.

    A Deployment tells of ready pods some seconds before kube-proxy leads anybody to them, longer where the
    machine is busy: until then the first to come would meet a 502, or a 504 where it does not know the
    Service at all.
    """
    host = {"Host": there.host}
    try:
        asked = httpx.get(
            f"{there.direct}/healthz", headers=host, verify=there.tls, timeout=_GIVES_UP_SECONDS
        )
    except httpx.TransportError:
        return False
    return asked.status_code not in {httpx.codes.BAD_GATEWAY, httpx.codes.GATEWAY_TIMEOUT}


def _listens(address: str) -> bool:
    with socket.socket() as tried:
        return tried.connect_ex((address, PORT)) == 0
