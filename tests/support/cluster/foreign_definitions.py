"""Definitions of kinds that other projects' operators serve, as these projects publish them.

They stand in Go modules (22 MB together), which Go downloads and checks against its public log of checksums;
the same sums stand here. What tests need of them is kept, a file for each module.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import zipfile
from dataclasses import astuple, dataclass
from hashlib import sha256
from typing import TYPE_CHECKING, Final

import yaml

from tests.support.cluster.go_programs import REMEDY, ProgramsMissingError, cache
from tests.support.cluster.made_once import made_once

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """Where definitions stand.

    Attributes:
        module: The Go module, with its version.
        checksum: Of all its files, as go.sum has it.
        files: In the module.
        names: Of the definitions that are wanted; others of these files are left out.
    """

    module: str
    checksum: str
    files: tuple[str, ...]
    names: tuple[str, ...]


SOURCES: Final = (
    Source(
        module="sigs.k8s.io/gateway-api@v1.6.3",
        checksum="h1:lKpJa5bGlraC/QeACvCpsHLdmO6y0iKfzVl6gzaFEYc=",
        files=("config/crd/standard/gateway.networking.k8s.io_httproutes.yaml",),
        names=("httproutes.gateway.networking.k8s.io",),
    ),
    Source(
        module="github.com/prometheus-operator/prometheus-operator@v0.85.0",
        checksum="h1:M5xLCLEoaW2IJfnuCwFzzpL+jSVQu3KGT84Pye+fW8s=",
        files=tuple(
            f"example/prometheus-operator-crd/monitoring.coreos.com_{name}.yaml"
            for name in ("podmonitors", "prometheusrules")
        ),
        names=("podmonitors.monitoring.coreos.com", "prometheusrules.monitoring.coreos.com"),
    ),
    Source(
        module="github.com/traefik/traefik/v3@v3.7.13",
        checksum="h1:T8wy9KuaFzCkmXCqAzDy7t73pBDR1DHrJe3pqXpNXTw=",
        files=("docs/content/reference/dynamic-configuration/kubernetes-crd-definition-v1.yml",),
        names=("middlewares.traefik.io",),
    ),
)


def path() -> Path:
    """Return the folder with a file for each source, once they are downloaded."""
    digest = sha256(repr([astuple(source) for source in SOURCES]).encode())
    return cache() / f"foreign-definitions-{digest.hexdigest()[:12]}"


def missing() -> bool:
    """Say whether they are still to be downloaded."""
    return not path().exists()


def ensure() -> None:
    """Download them if need be.

    Raises:
        ProgramsMissingError: They can't be had, or are not what they were.
    """
    made_once(path(), _download)


def _download(folder: Path) -> None:
    if shutil.which("go") is None:
        raise ProgramsMissingError(f"Other projects' definitions: there is no Go to download them. {REMEDY}")
    for number, source in enumerate(SOURCES):
        with zipfile.ZipFile(_downloaded(source, folder)) as archive:
            texts = [archive.read(f"{source.module}/{name}").decode() for name in source.files]
        trees = [tree for text in texts for tree in yaml.safe_load_all(text) if tree]
        wanted = [tree for tree in trees if tree["metadata"]["name"] in source.names]
        if len(wanted) != len(source.names):
            raise ProgramsMissingError(f"{source.module} does not define all of {', '.join(source.names)}.")
        (folder / f"{number}.yaml").write_text(yaml.safe_dump_all(wanted), "utf-8")


def _downloaded(source: Source, where: Path) -> str:
    """Return where Go keeps the module's archive, which is that of the checksum."""
    done = subprocess.run(
        ["go", "mod", "download", "-json", source.module],
        cwd=where,
        env=os.environ | {"GOWORK": "off"},
        capture_output=True,
        text=True,
        check=False,
    )
    told = json.loads(done.stdout) if done.stdout else {}
    if done.returncode != 0 or "Error" in told:
        reason = told.get("Error") or done.stderr.strip()[-2000:]
        raise ProgramsMissingError(f"Go could not download {source.module}. {REMEDY}\n{reason}")
    if told["Sum"] != source.checksum:
        raise ProgramsMissingError(f"{source.module} is not what it was: its checksum is {told['Sum']}.")
    return str(told["Zip"])
