"""Kubeconfig files: an API server's address, its authority, and one user with a certificate or a token."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import yaml

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.cluster.certificates import Certificate

NAME: Final = "practicus-mfa-test"
"""Names cluster, user and context, so that a person sees in a prompt what they are pointed at."""


@dataclass(frozen=True, slots=True)
class Server:
    """An API server as its clients know it.

    Attributes:
        url: ``https://address:port``.
        authority: The PEM text of the certificate that signed the server's.
    """

    url: str
    authority: bytes


def with_certificate(file: Path, server: Server, certificate: Certificate) -> Path:
    """Write a kubeconfig whose user shows a client certificate; it holds all, no other file is needed."""
    return _write(
        file,
        server,
        {
            "client-certificate-data": _base64(certificate.file.read_bytes()),
            "client-key-data": _base64(certificate.key_file.read_bytes()),
        },
        "default",
    )


def with_token(file: Path, server: Server, token: str, namespace: str) -> Path:
    """Write a kubeconfig whose user shows a bearer token, with that namespace as its default."""
    return _write(file, server, {"token": token}, namespace)


def server_of(kubeconfig: Path) -> Server:
    """Read the API server of the current context.

    Raises:
        ValueError: The file keeps its authority elsewhere or trusts every server: not a form that tests make.
    """
    tree: Any = yaml.safe_load(kubeconfig.read_text("utf-8"))
    contexts = {entry["name"]: entry["context"] for entry in tree["contexts"]}
    clusters = {entry["name"]: entry["cluster"] for entry in tree["clusters"]}
    cluster = clusters[contexts[tree["current-context"]]["cluster"]]
    if data := cluster.get("certificate-authority-data"):
        return Server(cluster["server"], base64.b64decode(data))
    if file := cluster.get("certificate-authority"):
        return Server(cluster["server"], (kubeconfig.parent / file).read_bytes())
    raise ValueError(f"{kubeconfig} names no certificate authority of its server.")


def _write(file: Path, server: Server, user: dict[str, str], namespace: str) -> Path:
    cluster = {"server": server.url, "certificate-authority-data": _base64(server.authority)}
    tree = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": NAME,
        "clusters": [{"name": NAME, "cluster": cluster}],
        "users": [{"name": NAME, "user": user}],
        "contexts": [{"name": NAME, "context": {"cluster": NAME, "user": NAME, "namespace": namespace}}],
    }
    file.touch(mode=0o600)
    file.write_text(yaml.safe_dump(tree), "utf-8")
    return file


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii")
