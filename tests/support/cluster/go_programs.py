"""Programs that are built by Go, once for a machine: Kubernetes itself, Helm, kubeconform, Caddy.

Their sources' versions stand in ``programs/go.mod`` (Kubernetes, with a checksum of every module) and in
:data:`RELEASES` here. What is built lies in a folder of the user's cache that is named by all that the result
depends on, so another version never gets in the way. Of several processes that ask for the same programs (the
workers of a test run, several runs) one builds while the others wait.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

KUBERNETES: Final = "v1.36.3"
"""The version that ``programs/go.mod`` requires; the sources don't know it, so the build says it."""

CONTROL_PLANE: Final = ("kube-apiserver", "kube-controller-manager", "kubectl")
NODE: Final = ("kube-scheduler", "kubelet", "kube-proxy")
"""What runs pods, beside a container runtime."""

RELEASES: Final = {
    "helm3": "helm.sh/helm/v3/cmd/helm@v3.22.0",
    "helm4": "helm.sh/helm/v4/cmd/helm@v4.3.1",
    "kubeconform": "github.com/yannh/kubeconform/cmd/kubeconform@v0.8.0",
    "caddy": "github.com/caddyserver/caddy/v2/cmd/caddy@v2.11.9",
}
"""Programs that are modules of their own."""

CHART: Final = ("helm3", "helm4", "kubeconform")
"""What a chart is tested with."""

PROXIES: Final = ("caddy",)
"""What forward-auth is tested with, beside the system's nginx."""

REMEDY: Final = (
    "Install Go 1.26 or newer (https://go.dev/dl/), then run `make programs`: 10 minutes and 5 GB, once."
)

MODULE: Final = Path(__file__).parent / "programs"

_VERSION: Final = "k8s.io/component-base/version"
_NUMBERS: Final = KUBERNETES.removeprefix("v").split(".")
_LINKER: Final = (
    f"-s -w -X {_VERSION}.gitVersion={KUBERNETES} -X {_VERSION}.gitMajor={_NUMBERS[0]} "
    f"-X {_VERSION}.gitMinor={_NUMBERS[1]}"
)
_FLAGS: Final = ("-trimpath", "-ldflags", _LINKER)

_PAUSE_SECONDS: Final = 0.2
"""Between two looks at what another process builds."""


class ProgramsMissingError(Exception):
    """A program is not there and can't be had here; the message says how to get it."""


def cache() -> Path:
    """Return the folder of everything that tests keep between runs."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "practicus-mfa-test"


def path(name: str) -> Path:
    """Return where the program is once it is built."""
    if name in RELEASES:
        return cache() / f"{name}-{RELEASES[name].rpartition('@')[2]}" / name
    if name not in CONTROL_PLANE + NODE:
        raise ValueError(f"{name} is not among the programs that tests build.")
    digest = hashlib.sha256(repr(_FLAGS).encode())
    for file in ("go.mod", "go.sum"):
        digest.update((MODULE / file).read_bytes())
    return cache() / f"kubernetes-{KUBERNETES}-{digest.hexdigest()[:12]}" / name


def missing(names: Sequence[str]) -> list[str]:
    """Return those that are not built yet."""
    return [name for name in names if not path(name).exists()]


def ensure(names: Sequence[str]) -> None:
    """Build what is missing of these programs, or wait for the process that does.

    Raises:
        ProgramsMissingError: There is no Go, or it could not build them.
    """
    while missing(names):
        with _lock() as lock:
            if lock is not None:
                _build(missing(names), lock)
                return
        time.sleep(_PAUSE_SECONDS)


@contextmanager
def _lock() -> Iterator[int | None]:
    """Hold the right to build, if nobody else does; it ends with the last process that has the file open."""
    cache().mkdir(parents=True, exist_ok=True)
    with (cache() / "lock").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield None
        else:
            yield file.fileno()


def _build(names: Sequence[str], lock: int) -> None:
    if not names:
        return
    if shutil.which("go") is None:
        raise ProgramsMissingError(f"{', '.join(names)}: not built yet, and there is no Go. {REMEDY}")
    together = [name for name in names if name not in RELEASES]
    if together:
        packages = [f"k8s.io/kubernetes/cmd/{name}" for name in together]
        _run(["build", *_FLAGS], packages, together, MODULE, lock)
    for name in names:
        if name in RELEASES:
            _run(["install", "-trimpath", "-ldflags", "-s -w"], [RELEASES[name]], [name], cache(), lock)


def _run(how: Sequence[str], packages: Sequence[str], names: Sequence[str], where: Path, lock: int) -> None:
    """Build into a folder beside the last one: what is there under its name is whole."""
    folder = path(names[0]).parent
    folder.mkdir(parents=True, exist_ok=True)
    fresh = folder / "being-built"
    shutil.rmtree(fresh, ignore_errors=True)
    fresh.mkdir()
    output = ["-o", f"{fresh}{os.sep}"] if how[0] == "build" else []
    command = ["nice", "go", *how, *output, *packages]
    environment = os.environ | {"CGO_ENABLED": "0", "GOBIN": str(fresh), "GOWORK": "off"}
    # Go keeps the lock open, so that nobody builds beside it when this process is killed.
    done = subprocess.run(
        command,
        cwd=where,
        env=environment,
        pass_fds=[lock],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        raise ProgramsMissingError(
            f"Go could not build {', '.join(names)}. {REMEDY}\n{done.stderr.strip()[-3000:]}"
        )
    for name, package in zip(names, packages, strict=True):
        (fresh / package.rpartition("/")[2].partition("@")[0]).replace(folder / name)
    fresh.rmdir()
