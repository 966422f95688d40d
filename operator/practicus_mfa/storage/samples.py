"""A few tokens, to see which key opens them while no row says so yet."""

from __future__ import annotations

from typing import Final

from sqlalchemy import select

from practicus_mfa.storage.engine import Database
from practicus_mfa.storage.schema import factors

SAMPLE: Final = 500
"""How many of the newest tokens are looked at: those that the running readers wrote last."""


def sample_tokens(db: Database, limit: int = SAMPLE) -> tuple[str, ...]:
    """Return the newest tokens of our table, at most *limit*."""
    query = select(factors.c.token).where(factors.c.token != "").order_by(factors.c.id.desc()).limit(limit)
    with db.read() as connection:
        return tuple(connection.execute(query).scalars())
