"""Putting a new password in force: what began with the old one ends in the same transaction.

Browsers that the old password made known are strangers to the new one, and get no tries of their own at it.
"""

from __future__ import annotations

from practicus_mfa.storage import devices, half_logins, sessions, setup_links, users
from practicus_mfa.storage.transaction import Transaction


def put_in_force(
    connection: Transaction,
    user_id: int,
    password_hash: str,
    *,
    but: int | None = None,
    but_device: int | None = None,
    must_change: bool = False,
) -> None:
    """Replace a user's password; the user's row is locked.

    Args:
        connection: A writing transaction.
        user_id: Whose.
        password_hash: The new password's hash.
        but: A session that goes on; all others end.
        but_device: A browser that stays known.
        must_change: Somebody else chose it: the user is to choose another one.
    """
    users.set_password_hash(connection, user_id, password_hash)
    users.set_must_change_password(connection, user_id, must_change=must_change)
    # A link that somebody holds would set yet another one.
    setup_links.end_all(connection, user_id)
    half_logins.end_all(connection, user_id)
    sessions.end_all(connection, user_id, but=but)
    devices.delete_all(connection, user_id, but=but_device)
