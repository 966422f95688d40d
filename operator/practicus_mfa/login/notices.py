"""What happened to an account since its owner was here last, told at the next log-in.

The audit knows it all; there is no second record that could be wrong.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final

from practicus_mfa.core.login.account import Account
from practicus_mfa.storage import audit
from practicus_mfa.storage.audit import DONE
from practicus_mfa.storage.transaction import Transaction


class NoticeKind(StrEnum):
    """What a notice is about."""

    FACTOR_ADDED = "factor added"
    FACTOR_REMOVED = "factor removed"
    RECOVERY_CODE_USED = "recovery code used"
    RECOVERY_CODES_RENEWED = "recovery codes renewed"
    PASSWORD_CHANGED = "password changed"  # noqa: S105 - a kind, not a password
    FAILED_LOGINS = "failed log-ins"


@dataclass(frozen=True, slots=True)
class Notice:
    """One kind of event: when it happened last, and how often."""

    kind: NoticeKind
    at: datetime
    count: int = 1


LOGIN: Final = "login"

_KINDS: Final[Mapping[str, NoticeKind]] = {
    "mfa.enrol": NoticeKind.FACTOR_ADDED,
    "mfa.remove": NoticeKind.FACTOR_REMOVED,
    "mfa.recover": NoticeKind.FACTOR_REMOVED,
    "mfa.restore": NoticeKind.FACTOR_ADDED,
    "recovery-code.use": NoticeKind.RECOVERY_CODE_USED,
    "recovery-codes.renew": NoticeKind.RECOVERY_CODES_RENEWED,
    "user.set-password": NoticeKind.PASSWORD_CHANGED,
}

_MOST: Final = 1_000
"""Lines that are looked at: who is attacked has many, and "1,000" says enough."""


def since_last_login(connection: Transaction, account: Account) -> tuple[Notice, ...]:
    """Return what happened since *account*'s last log-in, newest first; nothing before the first one.

    Args:
        connection: A transaction in which the log-in that asks is not in the audit yet.
        account: Whose.
    """
    previous = audit.read(connection, subject=account.username, action=LOGIN, result=DONE, limit=1)
    if not previous:
        return ()
    lines = audit.read(connection, subject=account.username, after=previous[0].id, limit=_MOST)
    latest: dict[NoticeKind, datetime] = {}
    counts: Counter[NoticeKind] = Counter()
    for line in lines:
        kind = NoticeKind.FAILED_LOGINS if line.action == LOGIN else _KINDS.get(line.action)
        if kind is not None:
            latest.setdefault(kind, line.at)
            counts[kind] += 1
    return tuple(Notice(kind, at, counts[kind]) for kind, at in latest.items())
