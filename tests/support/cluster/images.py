"""Images for a node's pods, made without a registry of images: the project's, and one that holds a pod.

The project's image is built from its Dockerfile as it stands. What that starts from, ``python:3.13-slim``,
is made from Debian's packages and put where the builder looks for the real one. Packages of Python come
from wherever pip takes them on this machine. Everything lies in the user's cache under names that say what
it was made from, so a change of the package or of the Dockerfile makes an image anew, and nothing else
does.
"""

from __future__ import annotations

import fcntl
import hashlib
import shutil
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

from tests.support.cluster import pip_settings
from tests.support.cluster.commands import run
from tests.support.cluster.go_programs import cache
from tests.support.cluster.node import ImageFile
from tests.support.cluster.ways import ROOT, find

if TYPE_CHECKING:
    from collections.abc import Iterator

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
)
"""What the project's image is made of."""

KEPT: Final = 3
"""How many of the project's images stay in the cache, the last used ones."""

_DEPENDENCIES: Final = "localhost/practicus-mfa-dependencies:latest"
"""Names the stage of the Dockerfile that takes longest, so that a tidy store still has it."""

_PAUSE: Final = Path(__file__).parent / "pause.c"


def project() -> ImageFile:
    """Return the project's image as the tree is now, built if need be.

    Raises:
        NoClusterError: A program for it is not here.
        CommandError: The build failed; the message holds the end of its output.
    """
    tag = _digest(*(ROOT / name for name in INPUTS))
    image = ImageFile(f"localhost/practicus-mfa:{tag}", _folder() / f"practicus-mfa-{tag}.tar")
    with _lock():
        if not image.file.exists():
            if not _built(BASE):
                _build_base()
            _build_project(image.name)
            _export(image)
            _tidy(image)
        image.file.touch()
    return image


def pause() -> ImageFile:
    """Return the image of the process that holds a pod's namespaces, made if need be."""
    tag = _digest(_PAUSE)
    image = ImageFile(f"localhost/practicus-mfa-pause:{tag}", _folder() / f"pause-{tag}.tar")
    with _lock(), tempfile.TemporaryDirectory() as folder:
        if not image.file.exists():
            run(find("gcc"), "-static", "-Os", "-s", "-o", f"{folder}/pause", _PAUSE)
            container = _buildah("from", "scratch").strip()
            _buildah("copy", container, f"{folder}/pause", "/pause")
            _buildah("config", "--entrypoint", '["/pause"]', "--user", "65535:65535", container)
            _buildah("commit", "--rm", container, image.name)
            _export(image)
    return image


def _build_base() -> None:
    with tempfile.TemporaryDirectory(dir=_folder(), ignore_cleanup_errors=True) as name:
        root = Path(name, "root")
        include = f"--include={','.join(PACKAGES)}"
        run(find("debootstrap"), "--variant=minbase", include, SUITE, root)
        for leftovers in ("var/cache/apt/archives", "var/lib/apt/lists"):
            shutil.rmtree(root / leftovers)
        container = _buildah("from", "scratch").strip()
        _buildah("add", container, str(root), "/")
        _buildah("config", "--cmd", "python3", container)
        _buildah("commit", "--rm", container, BASE)


def _build_project(name: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        secret, volumes = pip_settings.for_build(Path(folder))
        # The base comes from no registry; packages come the way that they come to this machine.
        how = [
            "--pull-never",
            "--isolation=chroot",
            "--network=host",
            "--layers",
            f"--secret=id=pip,src={secret}",
        ]
        how += [f"--volume={path}:{path}:ro" for path in volumes]
        _buildah("build", *how, "--target=dependencies", f"--tag={_DEPENDENCIES}", str(ROOT))
        _buildah("build", *how, f"--tag={name}", str(ROOT))


def _export(image: ImageFile) -> None:
    fresh = image.file.with_suffix(".fresh")
    fresh.unlink(missing_ok=True)
    _buildah("push", image.name, f"docker-archive:{fresh}:{image.name}")
    # What is there under its name is whole.
    fresh.rename(image.file)


def _tidy(newest: ImageFile) -> None:
    """Remove older images of the project: they are hundreds of megabytes each."""
    files = sorted(_folder().glob("practicus-mfa-*.tar"), key=lambda file: file.stat().st_mtime, reverse=True)
    for file in files[KEPT:]:
        file.unlink()
    repository = newest.name.rpartition(":")[0]
    listed = _buildah("images", "--format={{.Name}}:{{.Tag}}").split()
    older = [name for name in listed if name.rpartition(":")[0] == repository and name != newest.name]
    if older:
        _buildah("rmi", *older)
    _buildah("rmi", "--prune")


def _built(name: str) -> bool:
    return name in _buildah("images", "--format={{.Name}}:{{.Tag}}").split()


def _buildah(*arguments: str) -> str:
    # A store of its own: nobody's containers are touched, and no other store has to suit.
    where = (f"--root={_folder() / 'store'}", f"--runroot={_folder() / 'run'}", "--storage-driver=overlay")
    return run(find("buildah"), *where, *arguments)


def _digest(*paths: Path) -> str:
    """Return a name for the content of files and folders."""
    digest = hashlib.sha256()
    for path in paths:
        for file in [path] if path.is_file() else sorted(path.rglob("*")):
            if file.is_file() and "__pycache__" not in file.parts:
                digest.update(f"{file.relative_to(path.parent)}\0{file.stat().st_size}\0".encode())
                digest.update(file.read_bytes())
    return digest.hexdigest()[:12]


def _folder() -> Path:
    return cache() / "images"


@contextmanager
def _lock() -> Iterator[None]:
    """Let one process build while others wait for the result."""
    _folder().mkdir(parents=True, exist_ok=True)
    with (_folder() / "lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
