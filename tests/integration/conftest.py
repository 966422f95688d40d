"""What integration tests may ask for beyond an empty database."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from practicus_mfa.datafolder import DataFolder
from tests.support.logging_in import Desk
from tests.support.stores import ready
from tests.support.web_client import WebDesk, with_domain

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from practicus_mfa.storage.engine import Database


@pytest.fixture
def db(database_url: str) -> Iterator[Database]:
    """A database with all its tables, of each kind in turn."""
    with ready(database_url) as database:
        yield database


@pytest.fixture
def web(db: Database) -> Iterator[WebDesk]:
    """The pages of a log-in service with a cookie domain, over a database of each kind in turn."""
    made = WebDesk(Desk(db), with_domain())
    yield made
    made.close()


@pytest.fixture
def postgres_db(postgres_url: str) -> Iterator[Database]:
    """A PostgreSQL database with all its tables."""
    with ready(postgres_url) as database:
        yield database


@pytest.fixture
def sqlite_db(sqlite_url: str) -> Iterator[Database]:
    """A SQLite database with all its tables."""
    with ready(sqlite_url) as database:
        yield database


@pytest.fixture
def folder(tmp_path: Path) -> DataFolder:
    """An empty data folder."""
    folder = DataFolder(tmp_path / "data")
    folder.root.mkdir()
    return folder


@pytest.fixture(params=["sqlite", "postgresql"])
def target(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    """Another empty database, of each kind in turn."""
    if request.param == "sqlite":
        url = f"sqlite:///{tmp_path / 'target.db'}"
    else:
        server = request.getfixturevalue("postgres_server")
        server.start()
        url = server.url(server.create_database())
    with ready(url) as database:
        yield database
