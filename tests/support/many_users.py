"""A hundred thousand users on PostgreSQL, made by the server itself in seconds."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from sqlalchemy import text

from practicus_mfa.core.keyring import KeyId
from practicus_mfa.storage.schema import SCHEMA

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from practicus_mfa.storage.engine import Database

MANY: Final = 100_000

ROLLING, ACTIVE = (KeyId(letter * 12) for letter in "ra")

# Names neither in the order of ids nor in that of addresses.
_USERS: Final = f"""
INSERT INTO {SCHEMA}.mfa_users
    (username, username_key, email, name, is_staff, is_active, last_login_at)
SELECT name, name,
    lower(last) || number || '@' || name || '.example.org',
    first || ' ' || last || number % 977,
    number % 2000 = 0, number % 500 <> 0,
    CASE WHEN number % 5 <> 0 THEN now() - number * interval '1 minute' END
FROM (SELECT number, substr(md5(number::text), 1, 8) || number AS name,
        (ARRAY['Ada', 'Anna', 'Çağla', 'Deniz', 'Grace'])[1 + number % 5] AS first,
        (ARRAY['Hopper', 'Lovelace', 'Yildiz', 'Öztürk', 'Kowalski', 'Nguyễn', 'Smith'])[1 + number % 7]
            AS last
    FROM generate_series(1, :many) AS number) AS numbers
"""

_FACTORS: Final = f"""
INSERT INTO {SCHEMA}.mfa_factors (user_id, token, key_id, fault)
SELECT id, repeat('x', 164),
    CASE WHEN id % 10000 = 1 THEN NULL WHEN id <= :rolling THEN '{ROLLING}' ELSE '{ACTIVE}' END,
    CASE WHEN id % 10000 = 1 THEN 'unknown' END
FROM {SCHEMA}.mfa_users WHERE id % :without <> 0
"""

_ATTEMPTS: Final = f"""
INSERT INTO {SCHEMA}.mfa_attempts (counter, kind, subject, failures, forever, stopped_until, user_id)
SELECT md5(number::text), 'code', md5(number::text), 9, false,
    CASE WHEN number % 3000 = 0 THEN now() + interval '1 day' END,
    CASE WHEN number % 10 = 0 THEN number END
FROM generate_series(1, :many) AS number WHERE number % 2 = 0
"""


def many_people(db: Database, *, many: int = MANY) -> None:
    """Add users without passwords and MFA to any database on PostgreSQL.

    Args:
        db: PostgreSQL.
        many: Users.
    """
    with db.write() as connection:
        _people(connection, many)
        connection.execute(text(f"ANALYZE {SCHEMA}.mfa_users"))


def _people(connection: Connection, many: int) -> None:
    connection.execute(text(_USERS), {"many": many})


def many_users(db: Database, *, many: int = MANY, rolling: int = 10_000, without: int = 4) -> None:
    """Fill an empty database, as PostgreSQL's statistics then know it.

    Args:
        db: PostgreSQL.
        many: Users.
        rolling: How many of them, the first ones, have MFA under the key :data:`ROLLING`.
        without: Each one of so many has no MFA.
    """
    with db.write() as connection:
        for key in (ROLLING, ACTIVE):
            connection.execute(
                text(f"INSERT INTO {SCHEMA}.mfa_live_keys (key_id, canary) VALUES (:key, 'x')"),
                {"key": key},
            )
        connection.execute(
            text(f"INSERT INTO {SCHEMA}.mfa_write_key (id, key_id) VALUES (1, :key)"),
            {"key": ACTIVE},
        )
        _people(connection, many)
        connection.execute(text(_FACTORS), {"rolling": rolling, "without": without})
        connection.execute(text(_ATTEMPTS), {"many": many})
        for table in ("mfa_users", "mfa_factors", "mfa_attempts"):
            connection.execute(text(f"ANALYZE {SCHEMA}.{table}"))
