"""Alembic's entry: runs the steps on the connection, and in the transaction, that it is given."""

from __future__ import annotations

from alembic import context
from sqlalchemy import Connection

from practicus_mfa.storage.schema import SCHEMA


def run() -> None:
    """Run the steps; who called commits."""
    connection = context.config.attributes["connection"]
    if not isinstance(connection, Connection):
        msg = "migrations run on a connection that practicus_mfa.storage.versions gives them"
        raise TypeError(msg)
    context.configure(
        connection=connection,
        version_table_schema=SCHEMA if connection.dialect.name == "postgresql" else None,
    )
    with context.begin_transaction():
        context.run_migrations()


run()
