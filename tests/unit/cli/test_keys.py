"""``keys``: a key is printed once, when it is made; afterwards there are IDs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Final

import pytest
from cryptography.fernet import Fernet
from sqlalchemy import insert

from practicus_mfa.cli.main import run
from practicus_mfa.core.keyring import Keyring, KeyState
from practicus_mfa.crypto.keyring_file import REMEDY, dump
from practicus_mfa.crypto.keys import FernetKey, HeldKeys, parse_key
from practicus_mfa.datafolder import DataFolder
from practicus_mfa.storage.engine import connect
from practicus_mfa.storage.schema import factors, live_keys, users
from practicus_mfa.storage.versions import upgrade

NEW, OLD, LOST = sorted((FernetKey(bytes([number]) * 32) for number in (1, 2, 3)), key=lambda key: key.id)


@pytest.fixture
def folder(tmp_path: Path) -> DataFolder:
    """A data folder whose keyring holds two keys."""
    folder = DataFolder(tmp_path)
    keyring = Keyring(1, {NEW.id: KeyState.ACTIVE, OLD.id: KeyState.ROLLING})
    folder.keyring.write_text(dump(keyring, HeldKeys([NEW, OLD])))
    return folder


@pytest.fixture
def filled(folder: DataFolder) -> DataFolder:
    """The same, with rows under its keys and under a third one."""
    db = connect(folder.sqlite_url, create=True)
    upgrade(db)
    with db.write() as connection:
        connection.execute(insert(users).values(id=1, username="u", username_key="u"))
        for key, rows in ((NEW, 1), (OLD, 2), (LOST, 3)):
            connection.execute(insert(live_keys).values(key_id=key.id, canary=""))
            for _ in range(rows):
                connection.execute(insert(factors).values(user_id=1, token="t", key_id=key.id))
    db.close()
    return folder


def test_a_new_key_is_printed_and_nothing_else(capsys: pytest.CaptureFixture[str]) -> None:
    made = []
    for _ in range(2):
        assert run(["keys", "generate"]) == 0
        out, err = capsys.readouterr()
        assert err == ""
        made.append(parse_key(out.removesuffix("\n")))
        Fernet(out.strip())
    assert made[0] != made[1]


def test_keys_are_listed_by_id_with_state_and_rows(
    filled: DataFolder, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["keys", "list", "--data-dir", str(filled.root)]) == 0
    out, err = capsys.readouterr()
    assert out == (
        "KEY ID        STATE    ROWS\n"
        f"{NEW.id}  active      1\n"
        f"{OLD.id}  rolling     2\n"
        f"{LOST.id}  missing     3\n"
    )
    assert err == ""


def test_json_has_stable_names_and_no_key(filled: DataFolder, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["keys", "list", "--data-dir", str(filled.root), "-o", "json"]) == 0
    out = capsys.readouterr().out
    assert json.loads(out) == [
        {"id": NEW.id, "state": "active", "rows": 1},
        {"id": OLD.id, "state": "rolling", "rows": 2},
        {"id": LOST.id, "state": "missing", "rows": 3},
    ]
    assert not any(key.text in out for key in (NEW, OLD, LOST))


UNCOUNTED: Final = "Rows are not counted: There is no database file {}."


def test_without_the_database_the_keyring_is_listed_alone(
    folder: DataFolder, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["keys", "list", "--data-dir", str(folder.root)]) == 0
    out, err = capsys.readouterr()
    assert out == f"KEY ID        STATE    ROWS\n{NEW.id}  active      -\n{OLD.id}  rolling     -\n"
    assert err == (
        f"{UNCOUNTED.format(folder.sqlite)}\n"
        "remedy: Correct the path, or make the file with `practicus-mfa db upgrade`.\n"
    )
    assert run(["keys", "list", "--data-dir", str(folder.root), "-o", "json"]) == 0
    assert {row["rows"] for row in json.loads(capsys.readouterr().out)} == {None}


def test_an_empty_keyring_is_told(folder: DataFolder, capsys: pytest.CaptureFixture[str]) -> None:
    folder.keyring.write_text(dump(Keyring(1), HeldKeys()))
    assert run(["keys", "list", "--data-dir", str(folder.root)]) == 0
    assert capsys.readouterr().err.endswith("The keyring is empty.\n")


def test_a_missing_keyring_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["keys", "list", "--data-dir", str(tmp_path)]) == 2
    assert capsys.readouterr().err == (
        f"error: there is no file {tmp_path}/keyring.yaml\nremedy: check its name and folder\n"
    )


def test_a_damaged_keyring_is_told(folder: DataFolder, capsys: pytest.CaptureFixture[str]) -> None:
    folder.keyring.write_text(folder.keyring.read_text()[:100])
    assert run(["keys", "list", "--data-dir", str(folder.root)]) == 2
    assert capsys.readouterr().err.endswith(f"remedy: {REMEDY}\n")
