from __future__ import annotations

import traceback
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from practicus_mfa.datafolder import DataFolder
from practicus_mfa.errors import EXIT_USAGE, UsageError
from practicus_mfa.storage.addresses import (
    PostgresAddress,
    SqliteFile,
    parse_url,
    redact,
)

REMEDY = "Give it as sqlite:///PATH or postgresql://USER:PASSWORD@HOST:PORT/NAME."
SECRET = "s3cr3t"
AT = "its password has an @, which is written %40 there"


def _postgres(url: str) -> PostgresAddress:
    address = parse_url(url)
    assert isinstance(address, PostgresAddress)
    return address


@pytest.mark.parametrize("scheme", ["postgres", "postgresql", "postgresql+psycopg"])
def test_every_spelling_of_postgresql_means_psycopg_3(scheme: str) -> None:
    address = _postgres(f"{scheme}://mfa:{SECRET}@db.example:5433/mfa?sslmode=require")
    assert address.url.drivername == "postgresql+psycopg"
    assert address.url.query == {"sslmode": "require"}
    assert (address.name, address.user, address.server) == ("mfa", "mfa", "db.example:5433")
    assert address.shown == "mfa at db.example:5433"


def test_a_server_on_a_socket() -> None:
    assert _postgres("postgresql:///mfa").shown == "mfa at the local socket"
    assert _postgres("postgresql:///mfa?host=/run/postgresql&port=5433").shown == (
        "mfa at /run/postgresql:5433"
    )
    assert _postgres("postgresql:///mfa").user == "the default role"


def test_a_name_with_an_at_sign_and_a_password_as_urls_spell_one() -> None:
    assert _postgres("postgresql://mfa@db/my@mfa").name == "my@mfa"
    address = _postgres("postgresql://mfa:p%40ss@db/mfa")
    assert (address.url.password, address.shown) == ("p@ss", "mfa at db")


def test_several_hosts() -> None:
    address = _postgres("postgresql://mfa@/mfa?host=one:5432&host=two:5432")
    assert address.shown == "mfa at one:5432"


@pytest.mark.parametrize("scheme", ["sqlite", "sqlite+pysqlite"])
def test_a_file(scheme: str) -> None:
    assert parse_url(f"{scheme}:////var/lib/mfa.db\n") == SqliteFile(Path("/var/lib/mfa.db"))
    assert parse_url(f"{scheme}:///mfa.db") == SqliteFile(Path("mfa.db"))


@given(st.text(st.characters(exclude_characters="/\0?", exclude_categories=["Cs"]), min_size=1))
def test_a_file_in_a_data_folder_of_any_name(name: str) -> None:
    folder = DataFolder(Path("/var/lib") / f"x{name}x")
    assert parse_url(folder.sqlite_url) == SqliteFile(folder.sqlite)


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("", "it is empty"),
        ("  \n", "it is empty"),
        (f"mfa:{SECRET}@db.example", "it has no form of a URL"),
        (f"postgresql//mfa:{SECRET}@db.example/mfa", "it has no form of a URL"),
        (f"postgresql://mfa:{SECRET}@db.example:port/mfa", "its port is not a number"),
        (f"postgresql://mfa:{SECRET}@db.example:5432", "it names no database"),
        (f"postgresql://mfa:{SECRET}@db.example:5432/", "it names no database"),
        ("sqlite://", "SQLite needs a file that several processes can open"),
        ("sqlite:///:memory:", "SQLite needs a file that several processes can open"),
        (f"mysql://mfa:{SECRET}@db.example/mfa", "'mysql' is neither SQLite nor PostgreSQL"),
        (f"postgresql+asyncpg://mfa:{SECRET}@x/mfa", "'postgresql+asyncpg' is neither SQLite nor PostgreSQL"),
        (f"postgresql://mfa:p@{SECRET}@db/mfa", AT),
        (f"postgresql://mfa:p@{SECRET}@db:5432/mfa", AT),
        (f"postgresql://mfa:p@x/{SECRET}@db/mfa", AT),
    ],
)
def test_a_malformed_url_is_not_quoted(url: str, why: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_url(url)
    assert caught.value.message == f"The database URL can't be used: {why}."
    assert caught.value.remedy == REMEDY
    assert caught.value.exit_code == EXIT_USAGE
    # Nor in what --debug prints.
    assert SECRET not in "".join(traceback.format_exception(caught.value))


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        (f"postgresql://mfa:{SECRET}@db:5432/mfa", "postgresql+psycopg://mfa:***@db:5432/mfa"),
        (f"postgres://mfa@db/mfa?password={SECRET}", "postgresql+psycopg://mfa@db/mfa"),
        ("sqlite:////var/lib/mfa.db", "sqlite:////var/lib/mfa.db"),
        (f"mfa:{SECRET}@db", "***"),
    ],
)
def test_a_url_for_people_holds_no_password(url: str, shown: str) -> None:
    assert redact(url) == shown


def test_an_address_shows_no_password_of_itself() -> None:
    address = _postgres(f"postgresql://mfa:{SECRET}@db:5432/mfa?password={SECRET}")
    assert SECRET not in repr(address)
    assert SECRET not in address.shown
