"""Engines for PostgreSQL: each database has connections of its own, everything else exists once in a process.

An engine's weight is not its connections but what SQLAlchemy keeps beside them: a dialect with its memory of
types, and every statement that was compiled. An operator has an engine for each policy and puts the same few
statements to all of them, so they share one dialect and one cache.

The shared dialect asks no server about itself: what one of them said (version, search path, escapes) would be
told of all the others, and of what the same address leads to after a restore or behind a pooler. It is told
what holds for all: what is written here runs on every supported version, names its schema, and binds values.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from functools import cache
from typing import TYPE_CHECKING, Final

from sqlalchemy import URL, Dialect, Engine, QueuePool, create_engine
from sqlalchemy.util import LRUCache

from practicus_mfa.storage.types import read_document

if TYPE_CHECKING:
    from sqlalchemy.engine.interfaces import DBAPIConnection

CONNECT_TIMEOUT: Final = timedelta(seconds=10)
"""How long a PostgreSQL server may take to accept a connection."""

ISOLATION: Final = "READ COMMITTED"
"""The server's own default may be stricter; our locks need each statement to see the newest commits."""

OLDEST_SERVER: Final = (12,)
"""The version that reflection takes every server for: it asks for nothing that came later."""

STATEMENTS: Final = 500
"""Compiled statements that are kept, several times what this program has."""

_COMPILED: Final[LRUCache[object, object]] = LRUCache(STATEMENTS)

_KEEPALIVE: Final[Mapping[str, int]] = {
    # A peer that vanished without a word (a lost node) is noticed after about a minute, not after hours.
    "keepalives_idle": 30,
    "keepalives_interval": 10,
    "keepalives_count": 3,
    # Milliseconds; the same for data that was sent and never confirmed.
    "tcp_user_timeout": 60_000,
}


def postgres_engine(url: URL) -> Engine:
    """Return an engine for the database at *url*, which names psycopg 3; nothing is contacted yet."""
    query = {
        "application_name": "practicus-mfa",
        "connect_timeout": str(int(CONNECT_TIMEOUT.total_seconds())),
        **{name: str(value) for name, value in _KEEPALIVE.items()},
        **url.query,
    }
    url = url.set(query=query)
    dialect = _dialect()
    arguments, named = dialect.create_connect_args(url)

    def opened() -> DBAPIConnection:
        # Prepared statements belong to a session, which PgBouncer's transaction pooling doesn't keep.
        connection = dialect.connect(*arguments, **{**named, "prepare_threshold": None})
        dialect.set_isolation_level(connection, ISOLATION)
        return connection

    # Not create_engine: it makes a dialect for each.
    return Engine(
        QueuePool(opened, pre_ping=True, dialect=dialect),
        dialect,
        url,
        execution_options={"compiled_cache": _COMPILED},
        query_cache_size=0,
        hide_parameters=True,
    )


@cache
def _dialect() -> Dialect:
    """Return the dialect of all engines, as SQLAlchemy sets it up for one; that one never connects.

    Threads that come at the same time may get one each: no harm, those who come later share the last.
    """
    dialect = create_engine(
        "postgresql+psycopg://", use_native_hstore=False, json_deserializer=read_document
    ).dialect
    dialect.server_version_info = OLDEST_SERVER
    # What a connection returns to after a snapshot.
    dialect.default_isolation_level = ISOLATION
    return dialect
