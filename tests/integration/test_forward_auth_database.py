"""Readings of sessions, and writes of their uses, on both databases."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

import pytest
from sqlalchemy import select, update

from practicus_mfa.core.login.rules import LoginRules
from practicus_mfa.core.login.session import Ended, LoggedOut, MustEnrol, Valid
from practicus_mfa.core.policy import MfaRules
from practicus_mfa.crypto.opaque import token_hash
from practicus_mfa.errors import NotReadyError, UnreachableError
from practicus_mfa.login.session_cache import SessionCache
from practicus_mfa.login.session_reading import SessionReader
from practicus_mfa.login.session_uses import SessionUses, writer
from practicus_mfa.storage import groups, schema, sessions, users
from practicus_mfa.storage.policy_row import save_policy
from practicus_mfa.storage.users import NewUser
from tests.support.forward_auth_site import LoggedInUser, logged_in
from tests.support.waiting import LIMIT_SECONDS

if TYPE_CHECKING:
    from practicus_mfa.storage.engine import Database
    from tests.support.postgres import PostgresServer

MANDATORY: Final[dict[str, Any]] = {"mfa": {"mandatory": True}}


@pytest.fixture
def ada(db: Database) -> LoggedInUser:
    with db.write() as connection:
        save_policy(connection, 1, {})
    return logged_in(db, NewUser(username="ada", name="Ada Şükrü"), "dev", "ops")


def test_a_session_is_found_by_either_of_its_tokens_with_account_and_policy(
    db: Database, ada: LoggedInUser
) -> None:
    keys = [token_hash(ada.session), token_hash(ada.verify), token_hash("x")]
    reading = SessionReader(db)(keys)
    assert reading.rules == LoginRules()
    assert {key: reading.found[key].for_verify for key in reading.found} == {keys[0]: False, keys[1]: True}
    account = reading.found[keys[1]].account
    assert (account.username, account.name, account.groups) == ("ada", "Ada Şükrü", ("dev", "ops"))


def test_a_policy_is_read_with_the_sessions_and_a_broken_one_changes_nothing(
    db: Database, ada: LoggedInUser, caplog: pytest.LogCaptureFixture
) -> None:
    reader = SessionReader(db)
    assert reader(()).rules == LoginRules()
    broken: list[dict[str, Any]] = [{"mfa": {"mandatory": "perhaps"}}, {"mfa": "?"}]
    for number, effective in enumerate([MANDATORY, *broken], start=2):
        with db.write() as connection:
            save_policy(connection, number, effective)
        for _ in range(2):
            assert reader(()).rules == LoginRules(mfa=MfaRules(mandatory=True))
    assert len([line for line in caplog.messages if "the last one stays in force" in line]) in {1, 2}


def test_without_a_policy_nothing_can_be_judged(db: Database) -> None:
    with pytest.raises(NotReadyError):
        SessionReader(db)(())


def cache_of(db: Database, uses: SessionUses | None = None, *, grace_seconds: float = 0) -> SessionCache:
    """A cache for which no time passes, so that no answer is too old or comes too late."""
    return SessionCache(
        SessionReader(db),
        uses or SessionUses(writer(db)),
        grace_seconds=grace_seconds,
        steady=lambda: 1_000.0,
        patience=LIMIT_SECONDS,
    )


def test_what_is_changed_anywhere_is_seen_by_the_next_reading(db: Database, ada: LoggedInUser) -> None:
    key = token_hash(ada.verify)
    cache = cache_of(db)

    async def story() -> None:
        found = await cache.get(key)
        assert found
        assert isinstance(found.verdict, Valid)
        user_id = found.account.id
        with db.write() as connection:
            groups.create(connection, "root")
            groups.add(connection, "root", [user_id])
            save_policy(connection, 2, MANDATORY)
        await cache.sweep()
        found = cache.fresh(key)
        assert found
        assert (found.account.groups, found.verdict) == (("dev", "ops", "root"), MustEnrol())
        with db.write() as connection:
            users.set_active(connection, user_id, active=False)
        await cache.sweep()
        found = cache.fresh(key)
        assert found
        assert found.verdict == LoggedOut(Ended.INACTIVE_USER)
        with db.write() as connection:
            assert sessions.end(connection, ada.id, user_id=user_id)
        await cache.sweep()
        assert await cache.get(key) is None

    asyncio.run(story())


def _stored(db: Database) -> tuple[datetime, datetime | None]:
    """Return the session's last use and the user's end of grace."""
    query = select(schema.sessions.c.last_used_at, schema.users.c.enrol_by).join_from(
        schema.sessions, schema.users
    )
    with db.read() as connection:
        row = connection.execute(query).one()
    return row[0], row[1]


def test_uses_and_ends_of_grace_are_stored_once(db: Database, ada: LoggedInUser) -> None:
    begun, _ = _stored(db)
    with db.write() as connection:
        save_policy(connection, 2, {"mfa": {"mandatory": True, "gracePeriodDays": 7}})
        connection.execute(update(schema.sessions).values(last_used_at=begun - timedelta(hours=1)))
    uses = SessionUses(writer(db))
    cache = cache_of(db, uses)

    async def used() -> None:
        await cache.get(token_hash(ada.session))
        await cache.sweep()

    asyncio.run(used())
    assert _stored(db) == (begun - timedelta(hours=1), None)
    uses.flush()
    stored = _stored(db)
    assert stored[0] >= begun
    assert stored[1] == stored[0] + timedelta(days=7)
    asyncio.run(used())
    uses.flush()
    assert _stored(db) == stored


def test_a_database_that_went_away_and_came_back_is_an_outage_and_no_more(
    postgres_server: PostgresServer, postgres_db: Database
) -> None:
    with postgres_db.write() as connection:
        save_policy(connection, 1, {})
    key = token_hash(logged_in(postgres_db, NewUser(username="ada")).verify)
    strict, patient = (cache_of(postgres_db, grace_seconds=grace) for grace in (0, 300))

    async def story() -> None:
        assert await strict.get(key)
        assert await patient.get(key)
        postgres_server.stop()
        for cache in (strict, patient):
            with pytest.raises(UnreachableError):
                await cache._attempt(cache._batches.many((key,)))
            held = cache._sessions[key]
            held.began -= 1
        with pytest.raises(UnreachableError):
            await strict.get(key)
        assert await patient.get(key)
        postgres_server.start()
        for cache in (strict, patient):
            await cache.sweep()
            assert await cache.get(key)

    asyncio.run(story())
