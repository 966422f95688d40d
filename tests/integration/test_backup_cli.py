"""``practicus-mfa backup`` and ``recover`` as a person types them, on a data folder."""

from __future__ import annotations

import io
import json
import stat
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import select, update

from practicus_mfa.cli.main import run
from practicus_mfa.core.keyring import Keyring, KeyState
from practicus_mfa.crypto.keyring_file import dump
from practicus_mfa.crypto.keys import HeldKeys
from practicus_mfa.datafolder import DataFolder
from practicus_mfa.storage import schema, users
from tests.support.people import NEW, OLD, People, let_write
from tests.support.stores import ready

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from practicus_mfa.storage.engine import Database


@pytest.fixture
def store(folder: DataFolder) -> Iterator[Database]:
    """Its database, with one user under the old key."""
    with ready(f"sqlite:///{folder.sqlite}") as db:
        let_write(db, OLD)
        People(db).add("anna", key=OLD)
        yield db


class Terminal(io.StringIO):
    """A terminal that a person types at."""

    def isatty(self) -> bool:
        return True


def set_active(db: Database, name: str, *, active: bool) -> None:
    with db.write() as connection:
        users.set_active(connection, People(db).get(name).id, active=active)


def set_superuser(db: Database, name: str, *, superuser: bool) -> None:
    with db.write() as connection:
        named = schema.users.c.username == name
        connection.execute(update(schema.users).where(named).values(is_superuser=superuser))


def names(db: Database) -> list[str]:
    with db.read() as connection:
        return list(connection.execute(select(schema.users.c.username)).scalars())


def test_a_backup_goes_round(
    folder: DataFolder, store: Database, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "mfa.zip"
    assert run(["backup", "create", str(file), "--data-dir", str(folder.root)]) == 0
    assert "mfa_users" in capsys.readouterr().out
    assert run(["backup", "verify", str(file)]) == 0
    assert f"The backup {file} is whole: of " in capsys.readouterr().out
    assert run(["backup", "verify", str(file), "-o", "json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["file"], told["keys"]) == (str(file), [OLD.id])
    assert {"table": "mfa_factors", "rows": 1} in told["tables"]
    assert told["contains"].startswith("This file holds password hashes, e-mail addresses and encrypted TOTP")
    assert told["audit_head"].startswith("0:")
    People(store).add("later")
    assert run(["backup", "restore", str(file), "--data-dir", str(folder.root)]) == 2
    assert capsys.readouterr().err.splitlines()[-2:] == [
        f"error: The database {folder.sqlite} has 2 users already.",
        "remedy: Restore into an empty database, or remove what is there with --replace.",
    ]
    keyring = Keyring(1, {NEW.id: KeyState.ACTIVE})
    folder.keyring.write_text(dump(keyring, HeldKeys([NEW])))
    assert run(["backup", "restore", str(file), "--replace", "--data-dir", str(folder.root)]) == 0
    out, err = capsys.readouterr()
    assert f"Restored, and everybody is logged out; the backup {file}: of " in out
    assert f"keys that the keyring does not hold: {OLD.id}." in err
    assert "There is no superuser who is active." in err
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


def test_what_would_be_overwritten_is_told_first(
    folder: DataFolder, store: Database, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file, place = tmp_path / "mfa.zip", ("--data-dir", str(folder.root))
    People(store).add("boss\x1b", is_superuser=True)
    assert run(["backup", "create", str(file), *place]) == 0
    assert "holds password hashes" in capsys.readouterr().err
    People(store).add("later")
    set_active(store, "anna", active=False)
    set_superuser(store, "boss\x1b", superuser=False)
    assert run(["backup", "restore", str(file), "--dry-run", *place]) == 0
    told, err = capsys.readouterr()
    assert err == ""
    assert told.splitlines()[1:] == [
        "  users: 2 in both, 0 only in the backup, 1 only in the database",
        "  factors: 1 in both, 0 only in the backup, 0 only in the database",
        "  lines of the audit: 1 in both, 0 only in the backup, 0 only in the database",
        "Users who have rights in the backup that they do not have now:",
        "  anna: active",
        "  boss\\x1b: superuser",
        "A restore removes what only the database has, but no line of the audit, and logs everybody out.",
    ]
    assert run(["backup", "restore", str(file), "--dry-run", "-o", "json", *place]) == 0
    tree = json.loads(capsys.readouterr().out)
    assert tree["users"] == {"both": 2, "backup": 0, "database": 1}
    assert tree["rights_raised_of"][0] == {"username": "anna", "rights": ["active"], "groups": []}
    assert People(store).get("later").username == "later"
    assert run(["backup", "restore", str(file), "--replace", *place]) == 0
    done = capsys.readouterr().err
    assert done.startswith(told)
    assert "Users who came back with fewer rights than they have in the backup: 2." in done
    assert run(["backup", "restore", str(file), "--replace", "--raise-rights", *place]) == 0
    assert "fewer rights" not in capsys.readouterr().err
    assert People(store).get("anna").is_active


@pytest.mark.parametrize(
    ("typed", "code", "there", "active"),
    [("n\n", 2, True, False), ("y\nn\n", 0, False, False), ("y\ny\n", 0, False, True)],
)
def test_a_person_at_a_terminal_is_asked(
    folder: DataFolder,
    store: Database,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    typed: str,
    code: int,
    there: bool,
    active: bool,
) -> None:
    file, place = tmp_path / "mfa.zip", ("--data-dir", str(folder.root))
    assert run(["backup", "create", str(file), *place]) == 0
    People(store).add("later")
    set_active(store, "anna", active=False)
    monkeypatch.setattr("sys.stdin", Terminal(typed))
    assert run(["backup", "restore", str(file), *place]) == code
    assert ("later" in names(store)) == there
    assert People(store).get("anna").is_active == active


def test_into_an_empty_database_nothing_is_asked(
    folder: DataFolder, store: Database, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file, url = tmp_path / "mfa.zip", f"sqlite:///{tmp_path / 'other.db'}"
    assert run(["backup", "create", str(file), "--data-dir", str(folder.root)]) == 0
    with ready(url) as other:
        capsys.readouterr()
        assert run(["backup", "restore", str(file), "--database-url", url]) == 0
        assert "only in the database" not in capsys.readouterr().err
        assert names(other) == ["anna"]


def test_a_backup_of_another_database_goes_into_the_working_directory(
    folder: DataFolder,
    store: Database,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    work = tmp_path / "work"
    work.mkdir()
    monkeypatch.chdir(work)
    assert run(["backup", "create", "--database-url", f"sqlite:///{folder.sqlite}"]) == 0
    (made,) = work.iterdir()
    assert f"Backup {made.name}: of " in capsys.readouterr().out
    assert stat.S_IMODE(made.stat().st_mode) == 0o600


def test_recovering_needs_no_key(
    folder: DataFolder, store: Database, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "before.json"
    assert run(["recover", "--user", "Anna", "--backup", str(file), "--data-dir", str(folder.root)]) == 0
    out, err = capsys.readouterr()
    assert out.splitlines() == [
        f"Backup: {file}",
        "The MFA of anna was cleared: the password alone logs in until enrolled again.",
    ]
    where = f"anna --data-dir {folder.root}"
    assert err.splitlines()[0] == f"To put it back: practicus-mfa users restore-mfa {where}"
    assert f"The user has no password: practicus-mfa users set-password {where}" in err
