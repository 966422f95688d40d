"""``db``: the tables are made, their step is told, and what doesn't fit says what to do."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from sqlalchemy import text

from practicus_mfa.cli.main import run
from practicus_mfa.storage.engine import connect
from practicus_mfa.storage.versions import head


@pytest.fixture
def url(tmp_path: Path, database_url: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """A database of each kind, named by the environment."""
    monkeypatch.setenv("PRACTICUS_MFA_DATABASE_URL", database_url)
    return database_url


@pytest.mark.usefixtures("url")
def test_the_tables_are_made_once(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["db", "upgrade"]) == 0
    assert capsys.readouterr().out.endswith(f" was taken from nothing to step {head()}.\n")
    assert run(["db", "upgrade"]) == 0
    assert capsys.readouterr().out.endswith(f" is at step {head()} already: nothing was changed.\n")
    assert run(["db", "check"]) == 0
    assert capsys.readouterr().out.endswith(f" is at step {head()}, as this program needs it.\n")


@pytest.mark.usefixtures("url")
def test_the_step_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    run(["db", "upgrade"])
    capsys.readouterr()
    assert run(["db", "current"]) == 0
    assert capsys.readouterr().out == f"at step {head()}, this program needs {head()}\n"
    assert run(["db", "current", "-o", "json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"current": head(), "head": head()}


def test_a_schema_newer_than_the_program_is_refused(url: str, capsys: pytest.CaptureFixture[str]) -> None:
    run(["db", "upgrade"])
    db = connect(url)
    with db.write() as connection:
        schema = "" if db.is_sqlite else "practicus_mfa."
        connection.execute(text(f"UPDATE {schema}alembic_version SET version_num = '9999'"))
    db.close()
    capsys.readouterr()
    for command in ("check", "upgrade"):
        assert run(["db", command]) == 2
        err = capsys.readouterr().err
        assert f"is at step 9999, which is newer than this program ({head()})." in err
        assert err.endswith("remedy: Use a newer practicus-mfa.\n")


def test_a_database_that_is_not_set_up_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PRACTICUS_MFA_DATABASE_URL", f"sqlite:///{tmp_path}/x.db")
    db = connect(f"sqlite:///{tmp_path}/x.db", create=True)
    with db.write():
        pass
    db.close()
    assert run(["db", "current"]) == 0
    assert capsys.readouterr().out == f"at step none, this program needs {head()}\n"
    assert run(["db", "check"]) == 2
    assert capsys.readouterr().err == (
        f"error: The database {tmp_path}/x.db is not set up for this program.\n"
        "remedy: Run `practicus-mfa db upgrade`.\n"
    )


def test_a_database_that_is_not_there_is_out_of_reach(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["db", "check", "--data-dir", str(tmp_path)]) == 4
    assert capsys.readouterr().err.startswith("error: There is no database file ")


def test_the_grants_name_the_roles(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["db", "grants", "--jobs", "my jobs"]) == 0
    out = capsys.readouterr().out
    assert 'GRANT SELECT, UPDATE (token, key_id, fault) ON practicus_mfa.mfa_factors TO "my jobs";' in out
    assert '"practicus_mfa_login"' in out


def test_a_role_s_name_that_can_t_be_one_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["db", "grants", "--login", "x" * 64]) == 2
    assert capsys.readouterr().err == (
        "error: a role's name is empty, too long or has a dollar sign\n"
        "remedy: choose a name of 1 to 63 bytes without dollar signs\n"
    )
