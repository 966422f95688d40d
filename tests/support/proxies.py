"""A real nginx and a real Caddy before an application, configured as our documents say.

The examples are taken from the document itself; only addresses, ports and files are put in place of theirs.
"""

from __future__ import annotations

import http.client
import re
import socket
import ssl
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from tests.support.cluster.guarded import GuardedProgram
from tests.support.cluster.ports import free_ports
from tests.support.waiting import LIMIT_SECONDS, until

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

ROOT: Final = Path(__file__).parents[2]
GUIDE: Final = ROOT / "docs" / "how-to" / "protect-an-application.md"

LOGIN: Final = "login.example.com"
APP: Final = "app.example.com"
OPEN: Final = "open.example.com"
"""Another application, which everybody may enter."""
ELSEWHERE: Final = "app.example.org"
"""An application outside of the cookie domain."""
HOSTS: Final = (LOGIN, APP, OPEN, ELSEWHERE)

_UPSTREAM: Final = "mfa-login.login.svc:8080"
_APPLICATION: Final = "app.default.svc:8000"

_NGINX: Final = """
daemon off;
pid nginx.pid;
error_log stderr;
user root;
worker_processes 1;
events {{}}
http {{
    access_log off;
    large_client_header_buffers 4 32k;
    client_body_temp_path body;
    proxy_temp_path proxy;
    fastcgi_temp_path fastcgi;
    uwsgi_temp_path uwsgi;
    scgi_temp_path scgi;
{example}
}}
"""

_CADDY: Final = """
{{
	admin off
	auto_https off
	persist_config off
	storage file_system {folder}/caddy
	http_port {spare}
	https_port {port}
}}
{example}
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Behind:
    """What a proxy stands before, and what it shows.

    Attributes:
        folder: For its files.
        login_port: Of the login service, on the loopback address.
        app_port: Of the application.
        certificate: For all hosts, with its chain; PEM.
        key: Its private key.
        authority: Who signed it.
    """

    folder: Path
    login_port: int
    app_port: int
    certificate: Path
    key: Path
    authority: Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """What a client got."""

    status: int
    headers: Mapping[str, str]
    body: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ProxySite:
    """A proxy that runs.

    Attributes:
        port: Where it serves TLS, on the loopback address.
        authority: Who signed its certificate.
    """

    port: int
    authority: Path

    def ask(
        self,
        target: str,
        *,
        host: str = APP,
        method: str = "GET",
        headers: Sequence[tuple[str, str]] = (),
        host_header: str | None = None,
        body: bytes = b"",
    ) -> Reply:
        """Send a request exactly so over TLS.

        Args:
            target: The request's target, unchanged.
            host: Which server is meant, by its name in TLS.
            method: GET, POST, …
            headers: Beside Host.
            host_header: What Host says, if not *host*.
            body: The request's content.
        """
        with self._connection(host) as connection:
            connection.putrequest(method, target, skip_host=True, skip_accept_encoding=True)
            connection.putheader("Host", host_header or f"{host}:{self.port}")
            for name, value in headers:
                connection.putheader(name, value.encode("utf-8"))
            if body:
                connection.putheader("Content-Length", str(len(body)))
            connection.endheaders(body or None)
            answer = connection.getresponse()
            found = {name.lower(): value for name, value in answer.getheaders()}
            return Reply(status=answer.status, headers=found, body=answer.read().decode("utf-8"))

    @contextmanager
    def _connection(self, host: str) -> Iterator[http.client.HTTPConnection]:
        tls = ssl.create_default_context(cafile=str(self.authority))
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=LIMIT_SECONDS)
        with socket.create_connection(("127.0.0.1", self.port), timeout=LIMIT_SECONDS) as plain:
            connection.sock = tls.wrap_socket(plain, server_hostname=host)
            try:
                yield connection
            finally:
                connection.close()


def examples(language: str) -> list[str]:
    """Return the guide's examples in a language, in order."""
    return re.findall(rf"^```{language}\n(.*?)^```$", GUIDE.read_text("utf-8"), re.MULTILINE | re.DOTALL)


@contextmanager
def nginx(program: Path, behind: Behind) -> Iterator[ProxySite]:
    """Run nginx as documented, with the same application at two more hosts."""
    (example,) = examples("nginx")
    port = free_ports(1, "127.0.0.1")[0]
    replaced = {
        _UPSTREAM: f"127.0.0.1:{behind.login_port}",
        _APPLICATION: f"127.0.0.1:{behind.app_port}",
        "listen 443 ssl;": f"listen 127.0.0.1:{port} ssl;",
        "/etc/nginx/tls/tls.crt": str(behind.certificate),
        "/etc/nginx/tls/tls.key": str(behind.key),
    }
    application = _one(
        r"^server \{\n    listen 443 ssl;\n    server_name app\.example\.com;\n.*?^\}\n", example
    )
    for host in (OPEN, ELSEWHERE):
        example += application.replace(APP, host)
    (behind.folder / "nginx.conf").write_text(_NGINX.format(example=_replaced(example, replaced)), "utf-8")
    command: list[str | Path] = [program, "-p", behind.folder, "-c", behind.folder / "nginx.conf"]
    with _running(behind, "nginx", command, port) as site:
        yield site


@contextmanager
def caddy(program: Path, behind: Behind) -> Iterator[ProxySite]:
    """Run Caddy as documented, with the same application at two more hosts."""
    (example,) = examples("caddyfile")
    port, spare = free_ports(2, "127.0.0.1")
    application = _one(r"^app\.example\.com \{\n.*?^\}\n", example)
    for host in (OPEN, ELSEWHERE):
        example += application.replace(APP, host)
    replaced = {
        _UPSTREAM: f"127.0.0.1:{behind.login_port}",
        _APPLICATION: f"127.0.0.1:{behind.app_port}",
    }
    for host in HOSTS:
        replaced[f"{host} {{"] = (
            f"https://{host}:{port} {{\n\tbind 127.0.0.1\n\ttls {behind.certificate} {behind.key}"
        )
    text = _CADDY.format(folder=behind.folder, port=port, spare=spare, example=_replaced(example, replaced))
    (behind.folder / "Caddyfile").write_text(text, "utf-8")
    file = behind.folder / "Caddyfile"
    command: list[str | Path] = [program, "run", "--adapter", "caddyfile", "--config", file]
    with _running(behind, "caddy", command, port) as site:
        yield site


@contextmanager
def _running(behind: Behind, name: str, command: Sequence[str | Path], port: int) -> Iterator[ProxySite]:
    proxy = GuardedProgram(behind.folder, name, command)
    proxy.start()
    try:
        until(lambda: not proxy.running or _listens(port), f"{name} to listen")
        assert proxy.running, proxy.log_end()
        yield ProxySite(port=port, authority=behind.authority)
    finally:
        proxy.stop()


def _listens(port: int) -> bool:
    with socket.socket() as tried:
        return tried.connect_ex(("127.0.0.1", port)) == 0


def _one(pattern: str, text: str) -> str:
    (found,) = re.findall(pattern, text, re.MULTILINE | re.DOTALL)
    return str(found)


def _replaced(text: str, pairs: Mapping[str, str]) -> str:
    for old, new in pairs.items():
        assert old in text, old
        text = text.replace(old, new)
    return text
