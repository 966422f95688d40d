"""How the product's sentences count."""

from __future__ import annotations


def rows(count: int, one: str, many: str) -> str:
    """Return ``1 row is`` or ``1,234 rows are``, where *one* is ``is`` and *many* ``are``."""
    return f"{count:,} row {one}" if count == 1 else f"{count:,} rows {many}"
