"""What an administrator is shown of one user: read in one transaction, nothing of it secret."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from practicus_mfa.core.audit_chain import AuditLine
from practicus_mfa.core.keyring import KeyId
from practicus_mfa.core.login.account import Account
from practicus_mfa.core.login.throttle import Kind, Locked, Open, Until, wait
from practicus_mfa.login.throttling import subject_of
from practicus_mfa.storage import accounts, audit, factors, recovery_codes, sessions, user_facts
from practicus_mfa.storage.engine import Database, database_now
from practicus_mfa.storage.sessions import StoredSession
from practicus_mfa.storage.user_list import KeyHint, key_hints

LINES: Final = 10
"""Lines of the audit that are shown of a user."""


@dataclass(frozen=True, slots=True, kw_only=True)
class UserFacts:
    """One user.

    Attributes:
        account: The user.
        created_at: When it was created.
        last_login_at: When it last logged in; ``None``: never.
        link_until: Until when its set-up link is good; ``None``: it has none.
        has_password: A password is set.
        key: What the hints say of its MFA.
        key_ids: The keys that its factors say they are under.
        codes_left: Recovery codes that were not used.
        stops: What is stopped at the moment, each with the seconds it still is; ``None``: until it is ended.
        sessions: Where it is logged in.
        devices: In how many browsers it is known.
        lines: The last lines of the audit that are about it, newest first.
    """

    account: Account
    created_at: datetime
    last_login_at: datetime | None
    link_until: datetime | None
    has_password: bool
    key: KeyHint
    key_ids: tuple[KeyId, ...]
    codes_left: int
    stops: Mapping[Kind, int | None]
    sessions: tuple[StoredSession, ...]
    devices: int
    lines: tuple[AuditLine, ...]


def facts_of(db: Database, user_id: int) -> UserFacts | None:
    """Return what is known of a user, ``None`` where there is no such user."""
    with db.read() as connection:
        account, dates = accounts.account(connection, user_id), user_facts.dates(connection, user_id)
        if account is None or dates is None:
            return None
        stored = factors.of_user(connection, user_id)
        counters = user_facts.counters(connection, subject_of(account.username))
        now = database_now(connection)
        return UserFacts(
            account=account,
            created_at=dates.created_at,
            last_login_at=dates.last_login_at,
            link_until=dates.link_until,
            has_password=dates.has_password,
            key=key_hints(connection, [user_id]).get(user_id, KeyHint.NONE),
            key_ids=tuple(sorted({factor.key_id for factor in stored if factor.key_id is not None})),
            codes_left=recovery_codes.left(connection, user_id),
            stops=_stops([(kind, wait(counter, now)) for kind, counter in counters]),
            sessions=sessions.of_user(connection, user_id),
            devices=user_facts.known_devices(connection, user_id),
            lines=audit.read(connection, subject=account.username, limit=LINES),
        )


def _stops(found: list[tuple[Kind, Locked | Until | Open]]) -> dict[Kind, int | None]:
    """Return the longest stop of each kind."""
    stops: dict[Kind, int | None] = {}
    for kind, stop in found:
        match stop:
            case Locked():
                stops[kind] = None
            case Until(seconds=seconds):
                before = stops.get(kind, 0)
                stops[kind] = None if before is None else max(before, seconds)
            case Open():
                pass
    return stops
