"""Forgetting which key writes, when that key is lost for good: new keys can then be set up as at first.

Rows keep their tokens and the name of the key that they are under, and the database goes on refusing no row
under it: should the key be found, it can be named as ``rollingKey`` and opens them again.
"""

from __future__ import annotations

from sqlalchemy import Connection, delete, select

from practicus_mfa.core.keyring import KeyId
from practicus_mfa.errors import UsageError
from practicus_mfa.storage import schema
from practicus_mfa.storage.engine import database_now
from practicus_mfa.storage.readers import unexpired
from practicus_mfa.storage.rotations import complete_rotation, under_way
from practicus_mfa.storage.upsert import upsert
from practicus_mfa.storage.writer import own_write_lock, read_write_key


class KeyStillReadError(UsageError):
    """The key that is called lost is still in the memory of a reader."""

    def __init__(self, key: KeyId, reader: str) -> None:
        """Name both."""
        super().__init__(
            f"The key {key} is not lost: {reader} reads with it at this moment.",
            remedy="Save the keyring that it has; where that can't be done, end it. Nothing was changed.",
        )


def forget_write_key(connection: Connection) -> KeyId | None:
    """Let no key write until one is set up anew; return the one that wrote, ``None`` where none did.

    Call it first in a transaction: the locks that it takes come before all others.

    Raises:
        KeyStillReadError: A reader holds a lease, so the key is there to be saved.
    """
    # An operator's transaction holds the claim shared: it is over, or begins after this one and looks again.
    connection.execute(select(schema.claim).with_for_update())
    own_write_lock(connection)
    key = read_write_key(connection)
    if key is None:
        return None
    for reader in unexpired(connection):
        if key in reader.key_ids:
            raise KeyStillReadError(key, reader.instance)
    rotation = under_way(connection)
    if rotation is not None:
        # It can't go on: its target writes no more, or the key that it leads away from is lost.
        complete_rotation(connection, rotation.id, ())
    connection.execute(delete(schema.write_key))
    upsert(
        connection,
        schema.key_history,
        {"key_id": key, "wrote_until": database_now(connection)},
        key=("key_id",),
    )
    return key
