"""Ids after a restore: none that was ever given out is given out again, for tokens are bound to them."""

from __future__ import annotations

from sqlalchemy import Connection, Identity, Table, text

from practicus_mfa.storage.schema import SCHEMA


def continue_ids(connection: Connection, table: Table) -> None:
    """Have the next id be one that was never given out (SQLite's AUTOINCREMENT sees to that by itself)."""
    if connection.dialect.name == "postgresql" and isinstance(table.columns[0].server_default, Identity):
        connection.execute(
            text(
                f"""SELECT setval(ids, greatest(highest, coalesce(pg_sequence_last_value(ids), 0)))
                FROM (SELECT pg_get_serial_sequence('{SCHEMA}.{table.name}', 'id')::regclass AS ids,
                             max(id) AS highest FROM {SCHEMA}.{table.name}) AS found
                WHERE highest IS NOT NULL"""  # noqa: S608 - the names are this package's own
            )
        )
