"""Tries at names that nobody has: noted one by one, told in the audit by address and minute.

A line for each would let anybody fill the audit; and whoever guesses names must find none, in any answer's
time. So a try at a name that nobody has writes a row here, where one at somebody's name writes a line there.
"""

from __future__ import annotations

from collections import Counter
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import Connection, delete, insert

from practicus_mfa.core.audit_chain import written_instant
from practicus_mfa.storage import audit
from practicus_mfa.storage.engine import database_now
from practicus_mfa.storage.schema import unknown_names

ACTOR: Final = "login"
"""Who tells of them: the service, since it is nobody who tried."""

RESULT: Final = "unknown names"

_UNDER_WAY: Final = timedelta(seconds=10)
"""How long after its minute a row may still be committed."""


def note(connection: Connection, address: str) -> None:
    """Note a try at a name that nobody has, from *address*."""
    connection.execute(insert(unknown_names).values(address=address))


def tell(connection: Connection) -> int:
    """Tell of the minutes that are over, a line for each address and minute; return how many tries it was."""
    over = _minute(database_now(connection) - _UNDER_WAY)
    # Who comes at the same time waits, and finds none left: no minute is told of in parts.
    gone = (
        delete(unknown_names)
        .where(unknown_names.c.at < over)
        .returning(unknown_names.c.at, unknown_names.c.address)
    )
    tries = Counter((_minute(row.at), row.address) for row in connection.execute(gone))
    for (minute, address), failures in sorted(tries.items()):
        detail = {"address": address, "failures": failures, "minute": written_instant(minute)}
        audit.append(connection, ACTOR, "login", result=RESULT, detail=detail)
    return tries.total()


def _minute(moment: datetime) -> datetime:
    return moment.replace(second=0, microsecond=0)
