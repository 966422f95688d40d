"""``practicus-mfa backup`` and ``recover`` as a person types them, on a data folder."""

from __future__ import annotations

import json
import stat
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from practicus_mfa.cli.main import run
from practicus_mfa.core.keyring import Keyring, KeyState
from practicus_mfa.crypto.keyring_file import dump
from practicus_mfa.crypto.keys import HeldKeys
from practicus_mfa.datafolder import DataFolder
from practicus_mfa.storage.backup_read import verify
from tests.support.people import NEW, OLD, People, let_write
from tests.support.stores import ready

if TYPE_CHECKING:
    from collections.abc import Iterator

    from practicus_mfa.storage.engine import Database


@pytest.fixture
def folder(tmp_path: Path) -> DataFolder:
    """A data folder without a keyring."""
    folder = DataFolder(tmp_path / "data")
    folder.root.mkdir()
    return folder


@pytest.fixture
def store(folder: DataFolder) -> Iterator[Database]:
    """Its database, with one user under the old key."""
    with ready(f"sqlite:///{folder.sqlite}") as db:
        let_write(db, OLD)
        People(db).add("anna", key=OLD)
        yield db


def test_a_backup_goes_round(
    folder: DataFolder, store: Database, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "mfa.zip"
    assert run(["backup", "create", str(file), "--data-dir", str(folder.root)]) == 0
    assert "mfa_users" in capsys.readouterr().out
    assert run(["backup", "verify", str(file), "-o", "json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["file"], told["keys"]) == (str(file), [OLD.id])
    assert {"table": "mfa_factors", "rows": 1} in told["tables"]
    People(store).add("later")
    assert run(["backup", "restore", str(file), "--data-dir", str(folder.root)]) == 2
    assert capsys.readouterr().err.splitlines() == [
        f"error: The database {folder.sqlite} has 2 users already.",
        "remedy: Restore into an empty database, or remove what is there with --replace.",
    ]
    keyring = Keyring(1, {NEW.id: KeyState.ACTIVE})
    folder.keyring.write_text(dump(keyring, HeldKeys([NEW])))
    assert run(["backup", "restore", str(file), "--replace", "--data-dir", str(folder.root)]) == 0
    assert f"keys that the keyring does not hold: {OLD.id}." in capsys.readouterr().err
    assert run(["users", "list", "-o", "name", "--data-dir", str(folder.root)]) == 0
    assert capsys.readouterr().out == "anna\n"


def test_a_backup_without_a_name_goes_into_the_data_folder(
    folder: DataFolder, store: Database, capsys: pytest.CaptureFixture[str]
) -> None:
    for _ in range(2):
        assert run(["backup", "create", "--data-dir", str(folder.root)]) == 0
    made = sorted((folder.root / "backups").iterdir())
    assert len(made) == 2
    assert str(made[0]) in capsys.readouterr().out
    assert stat.S_IMODE(made[0].parent.stat().st_mode) == 0o700


def test_a_damaged_backup_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "mfa.zip"
    file.write_bytes(b"PK\x03\x04")
    assert run(["backup", "verify", str(file)]) == 2
    assert capsys.readouterr().err.splitlines() == [
        f"error: The backup {file} is cut short or damaged: its table of contents is not there.",
        "remedy: Take another copy of the file, or an older backup; nothing was changed.",
    ]


def test_recovering_needs_no_key_and_prints_where_the_backup_is(
    folder: DataFolder, store: Database, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["recover", "--user", "Anna", "--data-dir", str(folder.root)]) == 0
    out, err = capsys.readouterr()
    first, second = out.splitlines()
    assert verify(Path(first.removeprefix("Backup: "))).keys == (OLD.id,)
    assert second == "The MFA of anna was cleared: the password alone logs in until enrolled again."
    assert err == "The user has no password: practicus-mfa users set-password anna\n"


def test_a_disabled_user_without_mfa_is_told_of(
    folder: DataFolder, store: Database, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    People(store).add("bob", is_active=False, password_hash="some")
    file = tmp_path / "before.zip"
    assert run(["recover", "--user", "bob", "--backup", str(file), "--data-dir", str(folder.root)]) == 0
    out, err = capsys.readouterr()
    assert out == "The user bob has no MFA: nothing was changed.\n"
    assert err == "The user is disabled: practicus-mfa users enable bob\n"
    assert not file.exists()


def test_on_another_database_the_backup_goes_into_the_working_directory(
    folder: DataFolder,
    store: Database,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    work = tmp_path / "work"
    work.mkdir()
    monkeypatch.chdir(work)
    assert run(["recover", "--user", "anna", "--database-url", f"sqlite:///{folder.sqlite}"]) == 0
    (made,) = work.iterdir()
    assert capsys.readouterr().out.startswith(f"Backup: {made.name}\n")
