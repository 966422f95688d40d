"""The login service as it runs: the real program over TLS, on a database with given values.

The platform reconciles once, so that keyring and policy are there, and one or more replicas are started on
free ports, under a certificate of an authority of the test's own. :meth:`Site.change` changes values.yaml and
reconciles again beside the replicas.
"""

from __future__ import annotations

import signal
import ssl
import subprocess
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import httpx
import trustme

from practicus_mfa.crypto.keys import generate_key
from practicus_mfa.documents import dump_yaml
from tests.support.cluster.ports import free_ports
from tests.support.installation import ENVIRONMENT, PROGRAM, Installation
from tests.support.waiting import LIMIT_SECONDS, until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

HOST = "login.example.test"
"""What browsers call it; a browser is told to look for it on the loopback address."""

DOMAIN = "example.test"

LOOPBACK = "127.0.0.1"


def free_port() -> int:
    """A port that nobody listens on at this moment."""
    return free_ports(1, LOOPBACK)[0]


@dataclass
class Replica:
    """One running login service.

    Attributes:
        port: Where it listens on the loopback address.
        metrics_port: Where its metrics are.
        process: The process; its log is in *log*.
    """

    port: int
    metrics_port: int
    process: subprocess.Popen[bytes]
    log: Path
    host: str
    tls: ssl.SSLContext

    @property
    def url(self) -> str:
        """Its address by the name of the certificate."""
        return f"https://{self.host}:{self.port}"

    @property
    def direct(self) -> str:
        """Its address on the loopback address."""
        return f"https://{LOOPBACK}:{self.port}"

    def get(self, path: str, **options: Any) -> httpx.Response:  # noqa: ANN401 - httpx's own
        """Ask it, past any name server."""
        # Probes ask by the address.
        host = LOOPBACK if path == "/readyz" else self.host
        headers = {"Host": f"{host}:{self.port}", **options.pop("headers", {})}
        return httpx.get(
            f"{self.direct}{path}", verify=self.tls, headers=headers, timeout=LIMIT_SECONDS, **options
        )

    def ready(self) -> httpx.Response | None:
        """What /readyz answers; ``None`` while nobody listens."""
        try:
            return self.get("/readyz")
        except httpx.TransportError:
            return None

    def await_ready(self) -> None:
        """Wait until it is ready."""

        def there() -> bool:
            if self.process.poll() is not None:
                raise AssertionError(f"it ended:\n{self.log.read_text()}")
            answer = self.ready()
            return answer is not None and answer.status_code == 200

        until(there, "the replica to be ready")

    def metrics(self) -> str:
        """What it tells Prometheus."""
        return httpx.get(f"http://{LOOPBACK}:{self.metrics_port}/metrics", timeout=LIMIT_SECONDS).text

    def stop(self, number: int = signal.SIGTERM) -> int:
        """End it by a signal, and return its exit code."""
        if self.process.poll() is None:
            self.process.send_signal(number)
        return self.process.wait(LIMIT_SECONDS)


@dataclass
class Site:
    """An installation and its replicas.

    Attributes:
        installation: values.yaml and data folder.
        authority: What signed the certificate.
        login: ``login`` of the replicas' configuration.
        key: The active key.
    """

    installation: Installation
    authority: trustme.CA
    login: dict[str, Any]
    sections: dict[str, Any]
    key: str
    rolling: str = ""
    replicas: list[Replica] = field(default_factory=list)

    @property
    def ca_file(self) -> Path:
        """The authority's certificate, for a browser or a client."""
        path = self.installation.root / "ca.pem"
        self.authority.cert_pem.write_to_path(str(path))
        return path

    @property
    def first(self) -> Replica:
        """The replica that was started first."""
        return self.replicas[0]

    def change(self, *, active: str = "", rolling: str | None = None, **user_login: object) -> None:
        """Change values.yaml and reconcile until nothing is left to do; replicas go on meanwhile."""
        self.key = active or self.key
        self.rolling = self.rolling if rolling is None else rolling
        if user_login:
            self.sections["userLogin"] = {**self.sections.get("userLogin", {}), **user_login}
        ended = self.installation.up_once(self.key, self.rolling, **self.sections)
        assert ended.code == 0, ended.err

    def start(self, **login: object) -> Replica:
        """Start a replica, and wait until it is ready."""
        replica = self.launch(**login)
        replica.await_ready()
        return replica

    def start_with_keyring(self, keyring: Path) -> Replica:
        """Start a replica that follows another file than the platform's keyring."""
        url = self.installation.root / "database-url"
        url.write_text(self.installation.database_url, encoding="utf-8")
        replica = self._launch({}, ["--database-url-file", str(url), "--keyring", str(keyring)])
        replica.await_ready()
        return replica

    def launch(self, **login: object) -> Replica:
        """Start a replica."""
        return self._launch(login, ["--data-dir", str(self.installation.folder.root)])

    def _launch(self, login: dict[str, object], place: list[str]) -> Replica:
        root, number = self.installation.root, len(self.replicas)
        port, metrics_port = free_port(), free_port()
        host = str(self.login.get("host", HOST))
        certificate, key = root / "tls.crt", root / "tls.key"
        if not certificate.exists():
            issued = self.authority.issue_cert(host, f"*.{DOMAIN}", DOMAIN, LOOPBACK)
            issued.cert_chain_pems[0].write_to_path(str(certificate))
            issued.private_key_pem.write_to_path(str(key))
        config = root / f"login-{number}.yaml"
        tree = {
            "host": f"{host}:{port}",
            "listen": f"{LOOPBACK}:{port}",
            "metricsAddress": f"{LOOPBACK}:{metrics_port}",
            "tls": {"certificate": str(certificate), "key": str(key)},
            **{name: value for name, value in self.login.items() if name != "host"},
            **login,
        }
        config.write_text(dump_yaml(tree), encoding="utf-8")
        log = root / f"login-{number}.log"
        command = [*PROGRAM, "login", "--config", str(config), *place]
        with log.open("wb") as said:
            process = subprocess.Popen(command, stderr=said, stdin=subprocess.DEVNULL, env=ENVIRONMENT)
        tls = ssl.create_default_context()
        self.authority.configure_trust(tls)
        replica = Replica(port, metrics_port, process, log, host, tls)
        self.replicas.append(replica)
        return replica


@contextmanager
def login_site(
    root: Path,
    *,
    database_url: str = "",
    login: dict[str, Any] | None = None,
    replicas: int = 1,
    **sections: Any,  # noqa: ANN401 - sections of values.yaml
) -> Iterator[Site]:
    """A site with its replicas ready, ended at the end.

    Args:
        root: An empty folder.
        database_url: A database; '' for SQLite in the data folder.
        login: ``login`` of the configuration: cookieDomain, trustedProxies …
        replicas: How many are started.
        sections: Further sections of values.yaml, such as ``userLogin={"mfa": {"mandatory": True}}``.
    """
    site = Site(
        Installation(root, database_url=database_url),
        trustme.CA(),
        dict(login or {}),
        dict(sections),
        generate_key().text,
    )
    try:
        site.change()
        for _ in range(replicas):
            site.launch()
        for replica in site.replicas:
            replica.await_ready()
        yield site
    finally:
        for replica in site.replicas:
            if replica.process.poll() is None:
                replica.process.send_signal(signal.SIGTERM)
        for replica in site.replicas:
            replica.process.wait(LIMIT_SECONDS)
