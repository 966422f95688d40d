"""The project's image built a second time, elsewhere and later, and the list of what is in it.

Not all of it: packages are checked by their hashes and take longest, so the layer that holds them is the
first build's.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import stat
import tarfile
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from tests.support.cluster.builder import build_options, buildah, lock
from tests.support.cluster.images import DEPENDENCIES, INPUTS
from tests.support.cluster.ways import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from tests.support.cluster.node import ImageFile

PRODUCT: Final = "opt/practicus-mfa"
"""Where an image has the package, and all that comes with it."""

_AGAIN: Final = "localhost/practicus-mfa-again:latest"


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A file or folder of a layer, without its time, which the builder sets."""

    mode: int
    owner: tuple[int, int]
    link: str
    content: str


@dataclass(frozen=True, slots=True)
class BuiltAgain:
    """What the second build made: the product's own layer by its paths, and the list (CycloneDX)."""

    product: Mapping[str, Entry]
    bill_of_materials: str


def built_again() -> BuiltAgain:
    """Build the product's own layer again, from files that are newer and of another mode, in another folder.

    Raises:
        NoClusterError: A program for it is not here.
        CommandError: The build failed.
    """
    with lock(), tempfile.TemporaryDirectory() as name:
        source, secrets, listed = (Path(name, folder) for folder in ("source", "secrets", "listed"))
        for folder in (source, secrets):
            folder.mkdir()
        _copy(source)
        how = build_options(secrets)
        buildah("build", *how, "--target=dependencies", f"--tag={DEPENDENCIES}", str(source))
        anew = ("--no-cache", f"--build-context=dependencies=docker-image://{DEPENDENCIES}")
        buildah("build", *how, *anew, "--target=listed", f"--tag={_AGAIN}", str(source))
        buildah("build", *how, anew[1], "--target=sbom", f"--output={listed}", str(source))
        container = buildah("from", "--pull-never", _AGAIN).strip()
        try:
            product = dict(_entries(Path(buildah("mount", container).strip(), "build", "product")))
        finally:
            buildah("rm", container)
            buildah("rmi", "--force", _AGAIN)
        (bill,) = listed.iterdir()
        return BuiltAgain(product, bill.read_text("utf-8"))


def product_layer(image: ImageFile) -> Mapping[str, Entry]:
    """Return the last layer of an image, which is the product's own."""
    with tarfile.open(image.file) as archive:
        manifest = archive.extractfile("manifest.json")
        assert manifest is not None
        with tarfile.open(fileobj=archive.extractfile(json.load(manifest)[0]["Layers"][-1])) as layer:
            return dict(_members(layer))


def _copy(target: Path) -> None:
    """Copy what the image is made of, as it would be checked out by somebody else at another time."""
    for name in INPUTS:
        there = target / name
        there.parent.mkdir(parents=True, exist_ok=True)
        if (ROOT / name).is_dir():
            skipped = shutil.ignore_patterns("__pycache__")
            shutil.copytree(ROOT / name, there, copy_function=shutil.copy, ignore=skipped)
        else:
            shutil.copy(ROOT / name, there)
    for path in target.rglob("*"):
        # Git keeps no more of a mode than who may execute; the rest is the umask's.
        path.chmod(path.stat().st_mode | stat.S_IWGRP)


def _entries(root: Path) -> Iterator[tuple[str, Entry]]:
    for path in root.rglob("*"):
        found = path.lstat()
        yield (
            str(path.relative_to(root)),
            Entry(
                mode=found.st_mode,
                owner=(found.st_uid, found.st_gid),
                link=str(path.readlink()) if path.is_symlink() else "",
                content=_hash(path.read_bytes()) if stat.S_ISREG(found.st_mode) else "",
            ),
        )


def _members(layer: tarfile.TarFile) -> Iterator[tuple[str, Entry]]:
    kinds = {tarfile.REGTYPE: stat.S_IFREG, tarfile.DIRTYPE: stat.S_IFDIR, tarfile.SYMTYPE: stat.S_IFLNK}
    for member in layer:
        inside = member.name.removeprefix(PRODUCT).strip("/")
        if inside == member.name or not inside:
            continue
        file = layer.extractfile(member) if member.isreg() else None
        yield (
            inside,
            Entry(
                # Some writers of archives leave out of the mode what kind of file it is.
                mode=kinds[member.type] | stat.S_IMODE(member.mode),
                owner=(member.uid, member.gid),
                link=member.linkname,
                content=_hash(file.read()) if file else "",
            ),
        )


def _hash(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
