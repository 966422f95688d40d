"""Putting a new password in force: what began with the old one ends in the same transaction."""

from __future__ import annotations

from practicus_mfa.storage import half_logins, sessions, setup_links, users
from practicus_mfa.storage.transaction import Transaction


def put_in_force(
    connection: Transaction, user_id: int, password_hash: str, *, but: int | None = None
) -> None:
    """Replace a user's password; the user's row is locked.

    Args:
        connection: A writing transaction.
        user_id: Whose.
        password_hash: The new password's hash.
        but: A session that goes on; all others end.
    """
    users.set_password_hash(connection, user_id, password_hash)
    # A link that somebody holds would set yet another one.
    setup_links.end_all(connection, user_id)
    half_logins.end_all(connection, user_id)
    sessions.end_all(connection, user_id, but=but)
