"""The tool that makes the environment: what it says where it can't."""

from __future__ import annotations

import importlib
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tools import environment

if TYPE_CHECKING:
    from types import ModuleType


def test_an_old_python_is_told_which_one_to_take_instead(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _program(tmp_path / "python3.14", "exit 127")  # a version manager's shim for what is not installed
    _program(tmp_path / "python3.12", "exit 0")
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(sys, "version_info", (3, 10, 4))
    with pytest.raises(environment.SetUpError) as raised:
        environment.check_python()
    problem, remedy = str(raised.value).splitlines()
    assert problem == f"Python 3.11 or newer is needed, and {sys.executable} is Python 3.10."
    assert remedy == "This machine has a newer one: make PYTHON=python3.12 ..."


def test_an_old_python_alone_on_its_machine_is_told_to_get_another(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(sys, "version_info", (3, 6, 15))
    with pytest.raises(environment.SetUpError, match="Install one and say which: make PYTHON="):
        environment.check_python()


def test_a_python_without_ensurepip_is_told_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    load = importlib.import_module

    def without_ensurepip(name: str) -> ModuleType:
        if name == "ensurepip":
            raise ModuleNotFoundError(name)
        return load(name)

    monkeypatch.setattr(importlib, "import_module", without_ensurepip)
    with pytest.raises(environment.SetUpError, match=r"without ensurepip.*\n.*apt-get install python3-venv"):
        environment.check_python()


def test_a_folder_that_is_no_environment_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("years of work")
    with pytest.raises(environment.SetUpError, match="is no Python environment"):
        environment.make(tmp_path)
    assert (tmp_path / "thesis.txt").exists()


def test_the_tool_runs_as_a_program_and_shows_no_traceback(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").touch()
    done = subprocess.run(
        [sys.executable, environment.__file__, str(tmp_path), "run"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert done.stderr.strip().startswith(f"{tmp_path} is no Python environment.")


def _program(path: Path, script: str) -> None:
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
