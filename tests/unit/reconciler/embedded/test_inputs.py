"""An edit is never missed: not one that comes while the file is read, nor a file that goes away."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from practicus_mfa.datafolder import DataFolder
from practicus_mfa.reconciler.embedded.inputs import Inputs

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


@pytest.fixture
def values(tmp_path: Path) -> Path:
    file = tmp_path / "values.yaml"
    file.write_text("a: 1\n")
    return file


@pytest.fixture
def folder(tmp_path: Path) -> DataFolder:
    root = tmp_path / "data"
    root.mkdir()
    return DataFolder(root)


def _watch(folder: DataFolder, values: Path, while_waiting: Callable[[], None] = lambda: None) -> Inputs:
    return Inputs(folder, values, sleep=lambda _: while_waiting())


def test_what_did_not_change_is_not_told(folder: DataFolder, values: Path) -> None:
    inputs = _watch(folder, values)
    assert not inputs.stirred()
    assert inputs.changed() == set()


def test_each_edit_is_told_once(folder: DataFolder, values: Path) -> None:
    inputs = _watch(folder, values)
    values.write_text("a: 22\n")
    assert inputs.stirred()
    assert inputs.changed() == {values}
    assert inputs.changed() == set()


def test_files_that_come_and_go_are_told(folder: DataFolder, values: Path) -> None:
    inputs = _watch(folder, values)
    folder.secret_store.write_text("kind: Secret\n")
    assert inputs.changed() == {folder.secret_store}
    folder.secret_store.unlink()
    assert inputs.changed() == {folder.secret_store}
    assert not inputs.stirred()


def test_a_file_that_is_being_written_is_waited_for(folder: DataFolder, values: Path) -> None:
    rest = ["a: 1\n", "a: 1\nb: 2\n"]

    def editor() -> None:
        if rest:
            values.write_text(rest.pop(0))

    inputs = _watch(folder, values, editor)
    values.write_text("")
    assert inputs.changed() == {values}
    assert values.read_text() == "a: 1\nb: 2\n"
    assert inputs.changed() == set()


def test_a_file_that_never_rests_is_told_all_the_same(folder: DataFolder, values: Path) -> None:
    lengths = iter(range(1, 1000))

    def restless() -> None:
        values.write_text("#" * next(lengths))

    inputs = _watch(folder, values, restless)
    values.write_text("b: 2\n")
    assert inputs.changed() == {values}


def test_what_the_platform_publishes_is_no_edit(folder: DataFolder, values: Path) -> None:
    inputs = _watch(folder, values)
    folder.status.write_text("conditions: []\n")
    folder.keyring_archive.write_text("keys: []\n")
    assert not inputs.stirred()


def test_a_keyring_that_the_platform_wrote_costs_no_wait(folder: DataFolder, values: Path) -> None:
    waited: list[None] = []
    inputs = _watch(folder, values, lambda: waited.append(None))
    folder.keyring.write_text("generation: 1\n")
    assert inputs.changed() == {folder.keyring}
    assert not waited


def test_a_pipe_does_not_look_changed_by_being_read(folder: DataFolder, tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    inputs = _watch(folder, pipe)
    os.utime(pipe, (1, 1))
    assert inputs.changed() == set()
