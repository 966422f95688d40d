"""A database over TLS: who answers is checked against an authority, and what is wrong with that is told."""

from __future__ import annotations

import os
import shutil
from typing import TYPE_CHECKING, Final

import pytest

from practicus_mfa.cli.main import run
from tests.support import postgres_programs
from tests.support.cluster.certificates import Authority
from tests.support.postgres import LOOPBACK, PostgresServer
from tests.support.unavailable import without

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

FILE: Final = "database role ca.crt"
"""A name with words of other refusals in it."""


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of an authority, with a certificate for the loopback address."""
    folder = tmp_path_factory.mktemp("authority")
    Authority(folder).issue("server", "database", hosts=[LOOPBACK])
    shutil.copy(folder / "ca.crt", folder / FILE)
    return folder


@pytest.fixture(scope="module")
def server(authority: Path) -> Iterator[PostgresServer]:
    """A server with that certificate."""
    programs = postgres_programs.find()
    if programs is None:
        without(f"PostgreSQL's server programs are missing. {postgres_programs.REMEDY}")
    with PostgresServer(programs) as found:
        data = found.folder / "data"
        for end in ("crt", "key"):
            shutil.copy(authority / f"server.{end}", data)
            os.chown(data / f"server.{end}", data.stat().st_uid, data.stat().st_gid)
        (data / "server.key").chmod(0o600)
        found.execute("ALTER SYSTEM SET ssl = on")
        found.restart()
        yield found


def told(url: str, options: str, folder: Path, capsys: pytest.CaptureFixture[str]) -> tuple[int, list[str]]:
    file = folder / "url"
    file.write_text(f"{url}?{options}", "utf-8")
    code = run(["db", "upgrade", "--database-url-file", str(file)])
    return code, capsys.readouterr().err.splitlines()


def test_a_server_that_the_authority_knows_is_taken(
    server: PostgresServer, authority: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    url = server.url(server.create_database())
    options = f"sslmode=verify-full&sslrootcert={authority / FILE}"
    assert told(url, options, tmp_path, capsys) == (0, [])


@pytest.mark.parametrize(
    ("host", "file", "problem"),
    [
        (
            LOOPBACK,
            "nowhere/{file}",
            "The file that sslrootcert names in the database URL is not there or can't be read.",
        ),
        (
            LOOPBACK,
            "{other}",
            "The certificate of {server} is not valid, or not by sslrootcert's authority.",
        ),
        ("localhost", "{right}", "The certificate of {server} is for another host."),
    ],
    ids=["no file", "another authority", "another host"],
)
def test_what_is_wrong_is_told(
    server: PostgresServer,
    authority: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    host: str,
    file: str,
    problem: str,
) -> None:
    Authority(tmp_path)
    places = {"file": FILE, "other": tmp_path / "ca.crt", "right": authority / FILE}
    options = f"sslmode=verify-full&sslrootcert={file.format_map(places)}"
    code, lines = told(server.url("postgres", host=host), options, tmp_path, capsys)
    assert (code, lines[0]) == (4, f"error: {problem.format(server=f'{host}:{server.port}')}")
    assert lines[1].startswith("remedy: ")


def test_a_server_without_tls_is_told(
    postgres_server: PostgresServer, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, lines = told(postgres_server.url("postgres"), "sslmode=require", tmp_path, capsys)
    where = f"{LOOPBACK}:{postgres_server.port}"
    assert (code, lines[0]) == (
        4,
        f"error: The server {where} has no TLS, and sslmode in the database URL asks for it.",
    )
