"""A database that can't be used, as the command line tells it: two lines, an exit code, no password."""

from __future__ import annotations

import socket
import stat
from pathlib import Path
from typing import TYPE_CHECKING, Final

from sqlalchemy import URL, make_url

from practicus_mfa.cli.main import run
from practicus_mfa.storage.engine import connect
from practicus_mfa.storage.versions import upgrade
from tests.support.ordinary_user import folder_for_all, ordinary_user

if TYPE_CHECKING:
    import pytest

PASSWORD: Final = "hunter2-of-a-test"


def told(tmp_path: Path, url: URL | str, capsys: pytest.CaptureFixture[str]) -> tuple[int, list[str]]:
    file = tmp_path / "url"
    file.write_text(url if isinstance(url, str) else url.render_as_string(hide_password=False))
    code = run(["db", "upgrade", "--database-url-file", str(file)])
    out, err = capsys.readouterr()
    assert out == ""
    assert PASSWORD not in err
    return code, err.splitlines()


def test_a_wrong_password(tmp_path: Path, postgres_url: str, capsys: pytest.CaptureFixture[str]) -> None:
    url = make_url(postgres_url).set(password=PASSWORD)
    assert told(tmp_path, url, capsys) == (
        4,
        [
            f"error: The server 127.0.0.1:{url.port} refused the password of the role mfa.",
            "remedy: Correct the user name or password in the database URL.",
        ],
    )


def test_a_wrong_name(tmp_path: Path, postgres_url: str, capsys: pytest.CaptureFixture[str]) -> None:
    url = make_url(postgres_url).set(database="nowhere")
    assert told(tmp_path, url, capsys) == (
        4,
        [
            f"error: There is no database nowhere on the server 127.0.0.1:{url.port}.",
            "remedy: Correct the name in the database URL, or make it with `createdb`.",
        ],
    )


def test_a_wrong_port(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with socket.socket() as taken:
        # Bound and not listening: nobody else can answer there meanwhile.
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        assert told(tmp_path, f"postgresql://u:{PASSWORD}@127.0.0.1:{port}/d", capsys) == (
            4,
            [
                f"error: Nothing answers at 127.0.0.1:{port}.",
                "remedy: Check host and port in the database URL, and that the server runs.",
            ],
        )


def test_what_is_no_url(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert told(tmp_path, f"u:{PASSWORD}@host", capsys) == (
        2,
        [
            "error: The database URL can't be used: it has no form of a URL.",
            "remedy: Give it as sqlite:///PATH or postgresql://USER:PASSWORD@HOST:PORT/NAME.",
        ],
    )


def test_a_file_that_is_read_only(capsys: pytest.CaptureFixture[str]) -> None:
    with folder_for_all() as folder:
        path, url_file = folder / "mfa.db", folder / "url"
        db = connect(f"sqlite:///{path}", create=True)
        upgrade(db)
        with db.write() as connection:
            connection.exec_driver_sql("UPDATE alembic_version SET version_num = '0000'")
        db.close()
        path.chmod(stat.S_IRUSR | stat.S_IRGRP | stat.S_IROTH)
        url_file.write_text(f"sqlite:///{path}")
        with ordinary_user():
            code = run(["db", "upgrade", "--database-url-file", str(url_file)])
        assert (code, capsys.readouterr().err.splitlines()) == (
            4,
            [
                f"error: The database file {path} is read-only.",
                "remedy: Give this user the right to write the file and its folder.",
            ],
        )


def test_a_file_that_is_no_database(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("This is no database, it is a text that is long enough to be looked at." * 20)
    assert told(tmp_path, f"sqlite:///{path}", capsys) == (
        2,
        [
            f"error: {path} is not a SQLite database, or it is damaged.",
            "remedy: Check the path; if it is the right file, restore it from a backup.",
        ],
    )
