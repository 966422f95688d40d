"""The login service beside the platform: what is told of it, and when."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest

from practicus_mfa.datafolder import DataFolder
from practicus_mfa.reconciler.embedded.login_port import LoginPort
from practicus_mfa.reconciler.embedded.login_process import LoginProcess
from tests.support.waiting import until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

# Programs in its place. Each leaves a file that says that it runs, and ends when its standard input does.
RUNS = "import pathlib, sys; pathlib.Path(sys.argv[3]).with_name('runs').touch(); "
SILENT = RUNS + "sys.stdin.read()"
SPEAKS = RUNS + "print('listening', flush=True); sys.stdin.read()"


@pytest.fixture
def port() -> Iterator[LoginPort]:
    with LoginPort(0) as port:
        yield port


def started(root: Path, port: LoginPort, program: str, noted: list[str]) -> LoginProcess:
    folder, values = DataFolder(root), root / "values.yaml"
    values.write_text("{}\n", encoding="utf-8")
    process = LoginProcess(folder, values, port, note=noted.append, program=(sys.executable, "-c", program))
    process.configure()
    process.look()
    until((root / "runs").exists, "the program to run")
    return process


def look_until_told(process: LoginProcess, noted: list[str], lines: int) -> None:
    def told() -> bool:
        process.look()
        return len(noted) >= lines

    until(told, "a line")


def test_the_address_is_told_on_its_own_word(tmp_path: Path, port: LoginPort) -> None:
    noted: list[str] = []
    process = started(tmp_path, port, SPEAKS, noted)
    try:
        look_until_told(process, noted, 1)
        process.look()
    finally:
        process.stop()
    assert noted == [f"The log-in page: http://127.0.0.1:{port.number}/"]


def test_that_somebody_answers_at_the_address_is_not_its_word(tmp_path: Path, port: LoginPort) -> None:
    noted: list[str] = []
    process = started(tmp_path, port, SILENT, noted)
    try:
        # Connections come through, as they would to a stranger's page; it runs, and has said nothing.
        process.look()
        process.look()
    finally:
        process.stop()
    assert noted == []


def test_where_none_is_wanted_the_port_is_free(tmp_path: Path, port: LoginPort) -> None:
    noted: list[str] = []
    process = started(tmp_path, port, SPEAKS, noted)
    (tmp_path / "values.yaml").write_text("login: {enabled: false}\n", encoding="utf-8")
    process.configure()
    with LoginPort(port.number):
        (tmp_path / "values.yaml").write_text("login: {enabled: true}\n", encoding="utf-8")
        process.configure()
        process.look()
    why = f"port {port.number} is taken on 127.0.0.1: the login service can't listen"
    log = tmp_path / "login.log"
    assert noted == [f"The login service does not run: {why}. It is started again; see {log}."]
    try:
        look_until_told(process, noted, 2)
    finally:
        process.stop()
    assert noted[1:] == [f"The log-in page: http://127.0.0.1:{port.number}/"]
