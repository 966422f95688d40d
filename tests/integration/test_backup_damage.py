"""Backup files that were cut short, edited or mistaken for one: refused, with the part named."""

from __future__ import annotations

import hashlib
import json
import zipfile
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from practicus_mfa.errors import UsageError
from practicus_mfa.storage import schema
from practicus_mfa.storage.backup.format import MANIFEST, TABLES
from practicus_mfa.storage.backup.read import DamagedBackupError, opened, verify
from practicus_mfa.storage.backup.restore import restore
from practicus_mfa.storage.backup.write import create
from tests.support.edited_backups import Parts, rewrite
from tests.support.people import OLD, People, let_write
from tests.support.stores import ready

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

USERS = "mfa_users.jsonl"


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """The bytes of a backup with two users."""
    folder = tmp_path_factory.mktemp("backup")
    with ready(f"sqlite:///{folder / 'mfa.db'}") as db:
        let_write(db, OLD)
        People(db).add("anna", key=OLD)
        People(db).add("bob")
        create(db, folder / "backup.zip")
    return (folder / "backup.zip").read_bytes()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where the damaged file is."""
    return tmp_path / "backup.zip"


def message(path: Path) -> str:
    with pytest.raises(UsageError) as refused:
        verify(path)
    return refused.value.message


def rows(path: Path) -> dict[str, list[dict[str, Any]]]:
    with opened(path) as backup:
        tables = {table.name: table for table in TABLES}
        return {part.table: list(backup.rows(part, tables[part.table])) for part in backup.manifest.parts}


def edit_manifest(**values: object) -> Callable[[Parts], None]:
    def change(parts: Parts) -> None:
        parts[MANIFEST] = json.dumps({**json.loads(parts[MANIFEST]), **values}).encode()

    return change


def replace(name: str, old: bytes, new: bytes) -> Callable[[Parts], None]:
    def change(parts: Parts) -> None:
        assert old in parts[name]
        parts[name] = parts[name].replace(old, new)

    return change


def test_a_whole_file_is_in_order(whole: bytes, path: Path) -> None:
    path.write_bytes(whole)
    assert verify(path).rows(schema.users) == 2


@pytest.mark.parametrize("keep", [0.02, 0.3, 0.6, 0.9])
def test_a_file_that_was_cut_short(whole: bytes, path: Path, keep: float) -> None:
    path.write_bytes(whole[: int(len(whole) * keep)])
    assert message(path) == f"The backup {path} is cut short or damaged: its table of contents is not there."


def test_the_last_byte_counts(whole: bytes, path: Path) -> None:
    path.write_bytes(whole[:-1])
    assert message(path) == (
        f"The backup {path} was cut short, or edited: "
        "the checksum of its part manifest.json is not the one at its end."
    )


@pytest.mark.parametrize("content", [b"", b"SQLite format 3\0", b"username,email\n"])
def test_a_file_that_is_something_else(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    assert message(path) == f"{path} is not a backup of this program."


def test_any_other_zip_is_no_backup(path: Path) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("holiday.jpg", b"")
    assert message(path) == f"The backup {path} was edited or is damaged in its part manifest.json."


def test_a_file_that_is_not_there(path: Path) -> None:
    assert message(path) == f"The backup {path} can't be read: No such file or directory."


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (
            replace(USERS, b'"anna"', b'"mary"'),
            (
                "was edited or is damaged in its part mfa_users.jsonl: "
                "its checksum is not the one in the manifest."
            ),
        ),
        (
            lambda parts: parts.update({USERS: parts[USERS].splitlines(keepends=True)[0]}),
            "was edited or is damaged in its part mfa_users.jsonl: it has 1 rows, the manifest says 2.",
        ),
        (
            replace(USERS, b'"is_staff":false', b'"is_staff":"no"'),
            (
                "was edited or is damaged in its part mfa_users.jsonl: "
                "line 1 is no row of its table: the value of is_staff is of the wrong type."
            ),
        ),
        *(
            (
                replace(USERS, b"+00:00", zone),
                (
                    "was edited or is damaged in its part mfa_users.jsonl: "
                    "line 1 is no row of its table: the value of created_at is not a time with its zone."
                ),
            )
            for zone in (b"", b"+noon")
        ),
        *(
            (
                lambda parts, row=row: parts.update({USERS: row}),
                f"was edited or is damaged in its part {USERS}: line 1 is no row of its table: {why}.",
            )
            for row, why in (
                (b"[" * 100_000, "it is not JSON"),
                (b'{"id":9223372036854775808}', "the value of id is too large"),
                (b'{"name":"\\u0000"}', "it has a character that no text can have"),
                (b'{"name":"\\ud800"}', "it has a character that no text can have"),
                (
                    b'{"created_at":"0001-01-01T00:00:00+14:00"}',
                    "the value of created_at is not a time with its zone",
                ),
            )
        ),
        (
            replace(USERS, b'"is_staff"', b'"is_stuff"'),
            (
                "was edited or is damaged in its part mfa_users.jsonl: "
                "line 1 is no row of its table: mfa_users has no column 'is_stuff'."
            ),
        ),
        (
            replace(USERS, b'"username":"anna"', b'"username":null'),
            (
                "was edited or is damaged in its part mfa_users.jsonl: "
                "line 1 is no row of its table: the value of username is of the wrong type."
            ),
        ),
        (
            replace(USERS, b"{", b""),
            (
                "was edited or is damaged in its part mfa_users.jsonl: "
                "line 1 is no row of its table: it is not JSON."
            ),
        ),
        (
            lambda parts: parts.update({USERS: b"[]\n[]\n"}),
            (
                "was edited or is damaged in its part mfa_users.jsonl: "
                "line 1 is no row of its table: it is not a JSON object."
            ),
        ),
        (
            replace(USERS, b'"id":2,', b""),
            ("was edited or is damaged in its part mfa_users.jsonl: line 2 has other columns than line 1."),
        ),
        (lambda parts: parts.pop(USERS), "was edited: its part mfa_users.jsonl is missing."),
        (
            lambda parts: parts.update({"notes.txt": b""}),
            "was edited: its part 'notes.txt' does not belong there.",
        ),
        (
            edit_manifest(created_at="2020-01-01T00:00:00+00:00"),
            "was cut short, or edited: the checksum of its part manifest.json is not the one at its end.",
        ),
        (lambda parts: parts.pop(MANIFEST), "was edited or is damaged in its part manifest.json."),
    ],
)
def test_an_edited_file(whole: bytes, path: Path, change: Callable[[Parts], None], expected: str) -> None:
    rewrite(whole, path, change)
    assert message(path) == f"The backup {path} {expected}"


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (edit_manifest(version=2), "its form is another one."),
        (edit_manifest(parts=[1]), "its form is another one."),
        (lambda parts: parts.update({MANIFEST: b"[" * 100_000}), "its form is another one."),
        (edit_manifest(schema="9999"), "its tables are at step 9999, this program's at "),
    ],
)
def test_a_file_of_a_newer_program(
    whole: bytes, path: Path, change: Callable[[Parts], None], expected: str
) -> None:
    rewrite(whole, path, change, sign=True)
    assert message(path).startswith(f"The backup {path} is of a newer program: {expected}")


def test_a_table_of_a_newer_program(whole: bytes, path: Path) -> None:
    def change(parts: Parts) -> None:
        manifest = json.loads(parts[MANIFEST])
        manifest["parts"].append({"table": "mfa_sessions", "rows": 0, "sha256": hashlib.sha256().hexdigest()})
        parts.update({MANIFEST: json.dumps(manifest).encode(), "mfa_sessions.jsonl": b""})

    rewrite(whole, path, change, sign=True)
    assert (
        message(path) == f"The backup {path} is of a newer program: this program has no table mfa_sessions."
    )


def test_a_row_that_is_no_row_is_not_quoted(whole: bytes, path: Path) -> None:
    rewrite(whole, path, replace(USERS, b'{"id"', b'{"id'))
    assert "anna" not in message(path)


def test_a_damaged_file_changes_nothing(whole: bytes, path: Path, sqlite_url: str) -> None:
    rewrite(whole, path, replace(USERS, b'"anna"', b'"mary"'))
    with ready(sqlite_url) as db:
        People(db).add("carla")
        with pytest.raises(DamagedBackupError) as refused:
            restore(db, path, actor="root", replace=True)
        assert (
            refused.value.remedy == "Take another copy of the file, or an older backup; nothing was changed."
        )
        assert People(db).get("carla").username == "carla"


@given(place=st.floats(0, 1, exclude_max=True), bit=st.integers(0, 7))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow], max_examples=300)
def test_a_flipped_bit_is_noticed_or_does_not_matter(
    whole: bytes, path: Path, place: float, bit: int
) -> None:
    path.write_bytes(whole)
    sound = rows(path)
    data = bytearray(whole)
    data[int(place * len(data))] ^= 1 << bit
    path.write_bytes(data)
    try:
        verify(path)
    except UsageError:
        return
    # It hit what describes the ZIP and not its content: a time, a right, a version.
    assert rows(path) == sound
