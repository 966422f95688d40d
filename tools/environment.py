"""Make the environment that everything runs in: ``python3 tools/environment.py FOLDER run|dev``.

Needs Python and its ``venv``, nothing else. What is installed is pinned and checked by hash (requirements/),
the package itself is installed in place. A second run only does what changed. An older Python than ours must
still be able to read this file, to be told that it is too old.
"""

import importlib
import shutil
import subprocess
import sys
from pathlib import Path

NEEDED = (3, 11)
"""The oldest Python that the package supports; pyproject.toml says the same."""

NEWEST_LOOKED_FOR = 19
"""How far to look for another ``python3.N`` on this machine."""

PURPOSES = {"run": "run the product", "dev": "develop and test"}
"""dev.txt holds all of run.txt, in the same versions."""

ROOT = Path(__file__).resolve().parent.parent


class SetUpError(Exception):
    """The environment can't be made; the message says why and what to do."""


def main(folder: Path, purpose: str) -> None:
    """Make the environment, or bring the one that is there up to date."""
    check_python()
    if not is_usable(folder):
        make(folder)
    install(folder, purpose)
    stamp = folder / f".installed-{purpose}"
    stamp.write_text("The Makefile compares this file's age with requirements/ and pyproject.toml.\n")


def check_python() -> None:
    """Refuse a Python that is too old or comes without what makes environments."""
    if sys.version_info < NEEDED:
        found = ".".join(map(str, sys.version_info[:2]))
        problem = f"Python 3.{NEEDED[1]} or newer is needed, and {sys.executable} is Python {found}."
        names = [f"python3.{minor}" for minor in range(NEWEST_LOOKED_FOR, NEEDED[1] - 1, -1)]
        other = next(filter(runs, names), None)
        if other:
            raise SetUpError(f"{problem}\nThis machine has a newer one: make PYTHON={other} ...")
        raise SetUpError(f"{problem}\nInstall one and say which: make PYTHON=/path/to/python3 ...")
    for module in ("venv", "ensurepip"):
        try:
            importlib.import_module(module)
        except ImportError as error:
            raise SetUpError(
                f"{sys.executable} comes without {module}, which environments are made with.\n"
                "Install it (Debian, Ubuntu: apt-get install python3-venv) and run make again."
            ) from error


def runs(python: str) -> bool:
    """Say whether there is such a Python; a version manager's shim may stand for one that is not there."""
    path = shutil.which(python)
    return (
        path is not None
        and subprocess.run([path, "-c", ""], stderr=subprocess.DEVNULL, check=False).returncode == 0
    )


def is_usable(folder: Path) -> bool:
    """Say whether the folder holds an environment that runs and is new enough."""
    check = f"import sys, pip; sys.exit(sys.version_info < {NEEDED})"
    try:
        done = subprocess.run([str(python_of(folder)), "-c", check], stderr=subprocess.DEVNULL, check=False)
    except OSError:
        return False
    return done.returncode == 0


def make(folder: Path) -> None:
    """Make an empty environment, also in place of a broken one; a folder of anything else is left alone."""
    if folder.is_dir() and any(folder.iterdir()) and not (folder / "pyvenv.cfg").exists():
        raise SetUpError(f"{folder} is no Python environment.\nMove it, or choose another: make VENV=...")
    print(f"Making a Python environment in {folder} (once).", flush=True)
    if subprocess.run([sys.executable, "-m", "venv", "--clear", str(folder)], check=False).returncode != 0:
        raise SetUpError(
            f"No environment could be made in {folder}; the reason stands above.\n"
            "On Debian and Ubuntu this mostly helps: apt-get install python3-venv"
        )


def install(folder: Path, purpose: str) -> None:
    """Install what is locked, then the package itself, in place, by means of what is locked alone."""
    print(f"Installing what is needed to {PURPOSES[purpose]} (pinned, checked by hash).", flush=True)
    locked = [str(ROOT / "requirements" / name) for name in (f"{purpose}.txt", "build.txt")]
    pip = [
        str(python_of(folder)),
        "-m",
        "pip",
        "install",
        "--quiet",
        "--disable-pip-version-check",
        "--no-input",
    ]
    for arguments in (
        # The lists are whole. An older pip that resolves them once more takes `name[extra]` for something
        # that is not pinned as soon as a newer release of it is out.
        ["--no-deps", "--require-hashes", "-r", locked[0], "-r", locked[1]],
        ["--no-deps", "--no-build-isolation", "--editable", str(ROOT)],
    ):
        if subprocess.run(pip + arguments, check=False).returncode != 0:
            raise SetUpError(
                "pip could not install that; the reason stands above.\n"
                "Once it is mended (often the network), run make again: it goes on from there."
            )


def python_of(folder: Path) -> Path:
    """Return the path of the environment's own Python."""
    return folder / "bin" / "python"


if __name__ == "__main__":
    try:
        main(Path(sys.argv[1]), sys.argv[2])
    except SetUpError as error:
        sys.exit(f"\n{error}")
