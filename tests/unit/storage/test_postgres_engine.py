from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import Engine, create_engine, insert, make_url, select
from sqlalchemy.dialects import postgresql

from practicus_mfa.storage.engine import connect
from practicus_mfa.storage.postgres_engine import postgres_engine
from practicus_mfa.storage.schema import factors, policy, users

if TYPE_CHECKING:
    from pathlib import Path

ONE = "postgresql+psycopg://one:first-password@one.example:5432/one"
OTHER = "postgresql+psycopg://other:second-password@other.example:6432/other?sslmode=require"


def _engine(url: str) -> Engine:
    return postgres_engine(make_url(url))


def _asked_of(engine: Engine) -> dict[str, object]:
    return dict(engine.dialect.create_connect_args(engine.url)[1])


def test_all_engines_have_one_dialect_and_one_memory_of_statements() -> None:
    one, other = _engine(ONE), _engine(OTHER)
    assert one.dialect is other.dialect
    assert one.get_execution_options()["compiled_cache"] is other.get_execution_options()["compiled_cache"]


def test_each_has_its_own_address_role_password_options_and_connections() -> None:
    one, other = _engine(ONE), _engine(OTHER)
    assert one.pool is not other.pool
    of_one, of_other = _asked_of(one), _asked_of(other)
    names = ("host", "port", "dbname", "user", "password")
    assert [of_one[name] for name in names] == ["one.example", 5432, "one", "one", "first-password"]
    assert [of_other[name] for name in names] == ["other.example", 6432, "other", "other", "second-password"]
    assert "sslmode" not in of_one
    assert of_other["sslmode"] == "require"


def test_what_is_shared_holds_no_password() -> None:
    engine = _engine(ONE)
    shared = [vars(engine.dialect), dict(engine.get_execution_options()["compiled_cache"])]
    assert "first-password" not in repr([*shared, engine, engine.pool])


def test_statements_are_what_sqlalchemy_makes_of_them() -> None:
    ours, plain = _engine(ONE).dialect, create_engine(ONE).dialect
    for statement in (
        *(select(table).where(table.c.id.in_([1, 2])) for table in (users, factors, policy)),
        insert(users).values(username="a").returning(users.c.id),
        postgresql.insert(policy).on_conflict_do_nothing(),
    ):
        assert str(statement.compile(dialect=ours)) == str(statement.compile(dialect=plain))


def test_sqlite_shares_nothing(tmp_path: Path) -> None:
    known = _engine(ONE).get_execution_options()["compiled_cache"]
    before = dict(known)
    files = [connect(f"sqlite:///{tmp_path / name}", create=True) for name in ("a.db", "b.db")]
    for db in files:
        with db.read() as connection:
            connection.execute(select(1))
    a, b = (db._engine for db in files)
    assert a.dialect is not b.dialect
    assert a.dialect is not _engine(ONE).dialect
    assert dict(known) == before
    for db in files:
        db.close()
