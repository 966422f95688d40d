"""Another application's table waits for a person's word: it reads the new key, or is done with the old."""

from __future__ import annotations

from practicus_mfa.core.keyring import joined
from practicus_mfa.core.plan import For, Step, Verdict, Wait
from practicus_mfa.core.situation import Situation

REASON = "WaitingForReaders"


def tables_wait(s: Situation) -> Verdict | None:
    """Wait for ``readyForKeyID`` or ``doneWithKeyID`` of each table."""
    if s.rotation is None or not s.open_tables:
        return None
    return Wait(Step.RETIRE, For.PERSON, REASON, tables_message(s))


def tables_message(s: Situation) -> str:
    """Say which table waits for which word."""
    return " ".join(
        f"Table {table.table}: once its application reads key {s.target}, set readyForKeyID to it."
        if not s.may_migrate(table)
        else f"Table {table.table}: once its application no longer writes key {joined(s.rolling_keys)}, "
        "set doneWithKeyID to it."
        for table in s.open_tables
    )
