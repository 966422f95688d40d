"""Engines share what SQLAlchemy knows; what one database, role or server is like is told of no other."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING

import pytest
from psycopg import sql
from sqlalchemy import String, bindparam, make_url, select, text

from practicus_mfa.errors import UnreachableError
from practicus_mfa.storage import versions
from practicus_mfa.storage.engine import connect
from practicus_mfa.storage.postgres_engine import OLDEST_SERVER
from practicus_mfa.storage.schema import users
from tests.support import postgres_programs
from tests.support.postgres import PostgresServer
from tests.support.stores import add_user, ready

if TYPE_CHECKING:
    from collections.abc import Iterator

    from practicus_mfa.storage.engine import Database

BACKSLASH = "a\\b"


@pytest.fixture
def other_server() -> Iterator[PostgresServer]:
    """A second server."""
    found = postgres_programs.find()
    assert found is not None
    with PostgresServer(found) as server:
        yield server


def _names(db: Database) -> list[str]:
    with db.read() as connection:
        return list(connection.execute(select(users.c.username)).scalars())


def _add(db: Database) -> str:
    with db.write() as connection:
        user = add_user(connection)
        return str(connection.execute(select(users.c.username).where(users.c.id == user)).scalar_one())


def test_a_statement_is_compiled_once_for_all_databases(postgres_server: PostgresServer) -> None:
    urls = [postgres_server.url(postgres_server.create_database()) for _ in range(3)]
    with ExitStack() as stack:
        databases = [stack.enter_context(ready(url)) for url in urls]
        known = databases[0]._engine.get_execution_options()["compiled_cache"]
        _names(databases[0])
        before = len(known)
        for db in databases[1:]:
            _names(db)
        assert len(known) == before
    for url in urls:
        postgres_server.drop_database(str(make_url(url).database))


def test_databases_of_two_servers_are_not_mixed_up(
    postgres_url: str, postgres_server: PostgresServer, other_server: PostgresServer
) -> None:
    with ready(postgres_url) as one, ready(other_server.url(other_server.create_database())) as other:
        for _ in range(3):
            here, there = _add(one), _add(other)
            assert here in _names(one)
            assert there not in _names(one)
            assert there in _names(other)
            one.close()
        other_server.stop()
        with pytest.raises(UnreachableError, match=f":{other_server.port}"):
            _names(other)
        assert len(_names(one)) == 3


def test_a_password_is_used_for_its_own_database_alone(
    postgres_url: str, postgres_server: PostgresServer
) -> None:
    name = make_url(postgres_url).database
    assert name is not None
    with ready(postgres_url) as right:
        wrong = connect(postgres_server.url(name, password="not-the-password"))
        for _ in range(2):
            with pytest.raises(UnreachableError, match="refused the password of the role mfa"):
                versions.check(wrong)
            versions.check(right)
            right.close()
        wrong.close()


def test_a_database_that_reads_text_in_its_own_way_changes_no_statement_of_another(
    postgres_url: str, postgres_server: PostgresServer
) -> None:
    odd = postgres_server.create_database()
    for setting in (sql.SQL("standard_conforming_strings = off"), sql.SQL("search_path = pg_catalog")):
        postgres_server.execute(sql.SQL("ALTER DATABASE {} SET {}").format(sql.Identifier(odd), setting))
    spelled_out = select(bindparam("value", BACKSLASH, String, literal_execute=True))
    with ready(postgres_server.url(odd)) as first, ready(postgres_url) as second:
        name = _add(first)
        assert _names(first) == [name]
        with second.read() as connection:
            assert connection.execute(spelled_out).scalar_one() == BACKSLASH
    postgres_server.drop_database(odd)


def test_no_server_is_remembered(postgres_url: str) -> None:
    with ready(postgres_url) as db:
        with db.read() as connection:
            version = connection.execute(text("SHOW server_version_num")).scalar_one()
            dialect = connection.dialect
        # What an address leads to may be of another version after a restore.
        assert int(version) // 10_000 > OLDEST_SERVER[0]
        assert dialect.server_version_info == OLDEST_SERVER
        assert not hasattr(dialect, "default_schema_name") or dialect.default_schema_name is None
