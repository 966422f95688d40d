"""Documents that a lesser role of the database may write, and that none of this program's are like."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import ColumnElement, Text, cast, literal
from sqlalchemy.dialects.postgresql import JSONB

if TYPE_CHECKING:
    from practicus_mfa.storage.engine import Database

FORGED: Final = {
    "digits": f'{{"mfa": {{"gracePeriodDays": {"1" * 5_000}}}}}',
    "levels": "[" * 1_500 + "]" * 1_500,
    "some levels": "[" * 200 + "]" * 200,
}
"""JSON that PostgreSQL takes and Python does not read, or not to its end, by what is wrong with it."""


def stored(db: Database, text: str) -> ColumnElement[Any]:
    """What to write into a column of documents so that it holds *text* as it is."""
    value = literal(text, Text())
    return value if db.is_sqlite else cast(value, JSONB())
