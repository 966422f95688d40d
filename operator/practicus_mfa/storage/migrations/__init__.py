"""How a database came to the tables of :mod:`practicus_mfa.storage.schema`, step by step (Alembic)."""
