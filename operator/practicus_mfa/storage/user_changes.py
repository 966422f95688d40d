"""Changes that administrators make to a user, whose row the caller has locked."""

from __future__ import annotations

from sqlalchemy import Connection, update

from practicus_mfa.storage.schema import users


def set_texts(connection: Connection, user_id: int, *, email: str, name: str) -> None:
    """Replace a user's e-mail address and name, as :mod:`practicus_mfa.core.usernames` gives them."""
    connection.execute(update(users).where(users.c.id == user_id).values(email=email, name=name))


def set_roles(connection: Connection, user_id: int, *, staff: bool, superuser: bool) -> None:
    """Give a user roles, or take them."""
    roles = {"is_staff": staff, "is_superuser": superuser}
    connection.execute(update(users).where(users.c.id == user_id).values(roles))
