"""Recovery codes, of which only the hashes are kept. They hang on a factor and go with it.

A factor that was cleared by hand (no token) counts for none, and so do its codes.
"""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection, delete, func, insert, select

from practicus_mfa.storage.factors import HAS_TOKEN
from practicus_mfa.storage.schema import factors, recovery_codes


def replace(connection: Connection, factor_id: int, hashes: Sequence[bytes]) -> None:
    """Give a factor these codes, in place of those that it had."""
    connection.execute(delete(recovery_codes).where(recovery_codes.c.factor_id == factor_id))
    rows = [{"factor_id": factor_id, "code_hash": hashed} for hashed in hashes]
    connection.execute(insert(recovery_codes), rows)


def use(connection: Connection, user_id: int, code_hash: bytes) -> bool:
    """Use up a code of a user; of any number that try the same one, one is told True."""
    mine = select(factors.c.id).where(factors.c.user_id == user_id, HAS_TOKEN)
    used = connection.execute(
        delete(recovery_codes)
        .where(recovery_codes.c.factor_id.in_(mine), recovery_codes.c.code_hash == code_hash)
        .returning(recovery_codes.c.factor_id)
    )
    return used.first() is not None


def left(connection: Connection, user_id: int) -> int:
    """Return how many codes a user has left."""
    query = (
        select(func.count())
        .select_from(recovery_codes.join(factors, recovery_codes.c.factor_id == factors.c.id))
        .where(factors.c.user_id == user_id, HAS_TOKEN)
    )
    return connection.execute(query).scalar_one()
