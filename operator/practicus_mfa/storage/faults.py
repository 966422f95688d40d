"""What can be wrong with a database, told apart where that matters."""

from __future__ import annotations

from typing import Final

from practicus_mfa.errors import UnreachableError, UsageError

UPGRADE: Final = "Run `practicus-mfa db upgrade`."


class BusyError(UnreachableError):
    """Another transaction kept a lock for longer than this one may wait."""


class NoWritesError(UnreachableError):
    """The database can be read and not written: a standby, or a server that protects itself."""


def not_set_up(where: object) -> UsageError:
    """Return that the tables, or some of them, are not there."""
    return UsageError(f"The database {where} is not set up for this program.", remedy=UPGRADE)
