"""A transaction, as use cases know it: handed from one function of the store to the next, never opened up."""

from __future__ import annotations

from typing import TypeAlias

from sqlalchemy import Connection

Transaction: TypeAlias = Connection
"""A connection within a transaction, as :class:`~practicus_mfa.storage.engine.Database` gives it."""
