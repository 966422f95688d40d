"""Files: whole at every moment, private from the first, and errors that name the file alone."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from practicus_mfa.errors import UsageError
from practicus_mfa.files import make_private_folder, read_text, write_openly, write_secretly


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_a_secret_file_is_its_owner_s_alone_also_when_it_was_open_before(tmp_path: Path) -> None:
    path = tmp_path / "keyring.yaml"
    write_openly(path, "old")
    assert mode(path) == 0o644

    write_secretly(path, "schlüssel\n")

    assert mode(path) == 0o600
    assert read_text(path) == "schlüssel\n"
    assert [each.name for each in tmp_path.iterdir()] == ["keyring.yaml"]


def test_a_secret_file_is_private_whatever_the_umask(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        write_secretly(tmp_path / "a", "secret")
    finally:
        os.umask(before)
    assert mode(tmp_path / "a") == 0o600


def test_a_secret_is_never_in_a_file_that_others_may_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    modes = []

    def noted(descriptor: int) -> None:
        modes.append(stat.S_IMODE(os.fstat(descriptor).st_mode))

    monkeypatch.setattr(os, "fsync", noted)
    write_secretly(tmp_path / "a", "secret")
    # The file is on the disk before it has the name, then the name is.
    assert modes == [0o600, mode(tmp_path)]


def test_a_write_that_fails_leaves_the_old_file_and_nothing_beside_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a"
    write_secretly(path, "old")

    def full(_descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(UsageError) as caught:
        write_secretly(path, "new")
    assert caught.value.message == f"{path} can't be written: No space left on device"
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_who_reads_during_many_writes_finds_one_text_or_the_other(tmp_path: Path) -> None:
    path = tmp_path / "a"
    texts = ["a" * 100_000, "b" * 100_000]
    write_secretly(path, texts[0])
    script = (
        "import sys; from pathlib import Path; from practicus_mfa.files import write_secretly\n"
        f"[write_secretly(Path({str(path)!r}), 'ab'[i % 2] * 100_000) for i in range(200)]"
    )
    with subprocess.Popen([sys.executable, "-c", script]) as writer:
        while writer.poll() is None:
            assert read_text(path) in texts
    assert writer.returncode == 0


def test_a_link_goes_on_pointing_to_its_file(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    real, link = tmp_path / "folder" / "real", tmp_path / "link"
    link.symlink_to(real)
    write_secretly(link, "text")
    assert link.is_symlink()
    assert real.read_text() == "text"


def test_a_folder_with_secrets_is_its_owner_s_alone(tmp_path: Path) -> None:
    make_private_folder(tmp_path / "a" / "b")
    make_private_folder(tmp_path / "a" / "b")
    assert mode(tmp_path / "a" / "b") == 0o700


def test_a_folder_can_t_take_a_file_s_name(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("")
    for path in (tmp_path / "a", tmp_path / "a" / "b"):
        with pytest.raises(UsageError) as caught:
            make_private_folder(path)
        assert caught.value.message == f"{path}: a file is where a folder is needed"
        assert caught.value.remedy == "choose another name"


@pytest.mark.parametrize(
    ("make", "message", "remedy"),
    [
        (lambda path: None, "there is no file {}", "check its name and folder"),
        (lambda path: path.mkdir(), "{} is a folder", "name a file in it"),
        (
            lambda path: path.write_bytes(b"\xffsecret"),
            "{} is not text in UTF-8",
            "check that it is the right file",
        ),
    ],
    ids=["missing", "folder", "bytes"],
)
def test_a_file_that_can_t_be_read_is_named(tmp_path: Path, make: object, message: str, remedy: str) -> None:
    path = tmp_path / "file"
    assert callable(make)
    make(path)
    with pytest.raises(UsageError) as caught:
        read_text(path)
    assert (caught.value.message, caught.value.remedy) == (message.format(path), remedy)


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError) as caught:
        write_secretly(tmp_path / "none" / "file", "text")
    assert caught.value.message == f"there is no folder {tmp_path / 'none'}"


def test_a_lack_of_rights_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # Root may do everything, so the refusal is the system call's.
    def refused(*_: object, **__: object) -> object:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "read_text", refused)
    with pytest.raises(UsageError) as caught:
        read_text(tmp_path)
    assert caught.value.message == f"{tmp_path} may not be read by this user"
    assert caught.value.remedy == "change the rights of the file or its folder"
