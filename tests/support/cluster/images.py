"""Images for a node's pods, made without a registry of images: the project's, and one that holds a pod.

The project's image is built from its Dockerfile as it stands. What that starts from, ``python:3.13-slim``,
is made from Debian's packages and put where the builder looks for the real one. Packages of Python come
from wherever pip takes them on this machine. Everything lies in the user's cache under names that say what
it was made from, so a change of the package or of the Dockerfile makes an image anew, and nothing else
does. An earlier release's image is made in the same way from its own files, once.
"""

from __future__ import annotations

import hashlib
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Final

from tests.support.cluster.builder import build_options, buildah, folder, lock
from tests.support.cluster.commands import run
from tests.support.cluster.node import ImageFile
from tests.support.cluster.ways import ROOT, find
from tests.support.releases import unpack

if TYPE_CHECKING:
    from tests.support.releases import EarlierRelease

SUITE: Final = "trixie"
"""The Debian that brings Python 3.13."""

PACKAGES: Final = ("python3", "python3-venv", "ca-certificates")
"""What the official image has beyond a minimal Debian, as far as the Dockerfile needs it."""

BASE: Final = "docker.io/library/python:3.13-slim"
"""What the Dockerfile's FROM means in full."""

INPUTS: Final = (
    ".dockerignore",
    "Dockerfile",
    "LICENSE",
    "README.md",
    "operator",
    "pyproject.toml",
    "requirements",
    "tools/image",
)
"""What the project's image is made of."""

KEPT: Final = 3
"""How many of the project's images stay in the cache, the last used ones."""

DEPENDENCIES: Final = "localhost/practicus-mfa-dependencies:latest"
"""Names the stage of the Dockerfile that takes longest, so that a tidy store still has it."""

_PAUSE: Final = Path(__file__).parent / "pause.c"


def project() -> ImageFile:
    """Return the project's image as the tree is now, built if need be.

    Raises:
        NoClusterError: A program for it is not here.
        CommandError: The build failed; the message holds the end of its output.
    """
    tag = _digest(*(ROOT / name for name in INPUTS))
    image = ImageFile(f"localhost/practicus-mfa:{tag}", folder() / f"practicus-mfa-{tag}.tar")
    with lock():
        if not image.file.exists():
            if not _built(BASE):
                _build_base()
            _build_project(image.name, ROOT, f"--tag={DEPENDENCIES}")
            _export(image)
            _tidy(image)
        image.file.touch()
    return image


def released(release: EarlierRelease) -> ImageFile:
    """Return the image of an earlier release, built if need be by its own Dockerfile from its own files.

    Raises:
        HistoryMissingError: Its commit is not in this clone.
        NoClusterError: A program for it is not here.
        CommandError: The build failed; the message holds the end of its output.
    """
    tag = f"{release.version}-{release.commit[:12]}"
    image = ImageFile(f"localhost/practicus-mfa-released:{tag}", folder() / f"released-{tag}.tar")
    with lock(), tempfile.TemporaryDirectory() as name:
        if not image.file.exists():
            unpack(release, Path(name))
            if not _built(BASE):
                _build_base()
            _build_project(image.name, Path(name))
            _export(image)
            buildah("rmi", image.name)
    return image


def pause() -> ImageFile:
    """Return the image of the process that holds a pod's namespaces, made if need be."""
    tag = _digest(_PAUSE)
    image = ImageFile(f"localhost/practicus-mfa-pause:{tag}", folder() / f"pause-{tag}.tar")
    with lock(), tempfile.TemporaryDirectory() as name:
        if not image.file.exists():
            run(find("gcc"), "-static", "-Os", "-s", "-o", f"{name}/pause", _PAUSE)
            container = buildah("from", "scratch").strip()
            buildah("copy", container, f"{name}/pause", "/pause")
            buildah("config", "--entrypoint", '["/pause"]', "--user", "65535:65535", container)
            buildah("commit", "--rm", container, image.name)
            _export(image)
    return image


def _build_base() -> None:
    with tempfile.TemporaryDirectory(dir=folder(), ignore_cleanup_errors=True) as name:
        root = Path(name, "root")
        include = f"--include={','.join(PACKAGES)}"
        run(find("debootstrap"), "--variant=minbase", include, SUITE, root)
        for leftovers in ("var/cache/apt/archives", "var/lib/apt/lists"):
            shutil.rmtree(root / leftovers)
        container = buildah("from", "scratch").strip()
        buildah("add", container, str(root), "/")
        buildah("config", "--cmd", "python3", container)
        buildah("commit", "--rm", container, BASE)


def _build_project(name: str, source: Path, *dependencies: str) -> None:
    """Build the Dockerfile of *source*; *dependencies* are options for its stage that takes longest."""
    with tempfile.TemporaryDirectory() as secrets:
        how = build_options(Path(secrets))
        if dependencies:
            buildah("build", *how, "--target=dependencies", *dependencies, str(source))
        buildah("build", *how, f"--tag={name}", str(source))


def _export(image: ImageFile) -> None:
    fresh = image.file.with_suffix(".fresh")
    fresh.unlink(missing_ok=True)
    buildah("push", image.name, f"docker-archive:{fresh}:{image.name}")
    # What is there under its name is whole.
    fresh.rename(image.file)


def _tidy(newest: ImageFile) -> None:
    """Remove older images of the project: they are hundreds of megabytes each."""
    files = sorted(folder().glob("practicus-mfa-*.tar"), key=lambda file: file.stat().st_mtime, reverse=True)
    for file in files[KEPT:]:
        file.unlink()
    repository = newest.name.rpartition(":")[0]
    listed = buildah("images", "--format={{.Name}}:{{.Tag}}").split()
    older = [name for name in listed if name.rpartition(":")[0] == repository and name != newest.name]
    if older:
        buildah("rmi", *older)
    buildah("rmi", "--prune")


def _built(name: str) -> bool:
    return name in buildah("images", "--format={{.Name}}:{{.Tag}}").split()


def _digest(*paths: Path) -> str:
    """Return a name for the content of files and folders."""
    digest = hashlib.sha256()
    for path in paths:
        for file in [path] if path.is_file() else sorted(path.rglob("*")):
            if file.is_file() and "__pycache__" not in file.parts:
                digest.update(f"{file.relative_to(path.parent)}\0{file.stat().st_size}\0".encode())
                digest.update(file.read_bytes())
    return digest.hexdigest()[:12]
