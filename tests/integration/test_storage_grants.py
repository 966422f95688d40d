"""Lesser roles on a real PostgreSQL: each does its whole work through the product's own code, and no more."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import psycopg
import pytest
from psycopg import sql
from sqlalchemy import make_url, text

from practicus_mfa.core.login.rights import BULK
from practicus_mfa.core.login.throttle import Kind
from practicus_mfa.core.observed import OWN_TABLE, Mode
from practicus_mfa.core.plan import Work
from practicus_mfa.core.policy import MigrationRules, TableSpec
from practicus_mfa.crypto.keys import FernetKey, HeldKeys, generate_key
from practicus_mfa.crypto.tokens import seal, seal_canary
from practicus_mfa.errors import UsageError
from practicus_mfa.login import bulk
from practicus_mfa.login.acts.by import By, Outcome
from practicus_mfa.login.acts.profile import edit, profile
from practicus_mfa.login.bulk import Runner
from practicus_mfa.login.housekeeping import PAUSE_SECONDS, Housekeeping
from practicus_mfa.rotation.treatment import treatment
from practicus_mfa.rotation.worker import Job, run_shards
from practicus_mfa.storage import (
    accounts,
    attempts,
    audit,
    audit_chain,
    audit_prune,
    audit_verify,
    bulk_runs,
    devices,
    factors,
    groups,
    half_logins,
    pending_factors,
    policy_requests,
    recovery_codes,
    sessions,
    setup_links,
    standing,
    users,
)
from practicus_mfa.storage.backup.format import EMPTIED
from practicus_mfa.storage.claims import Claimed, guarded_write, record_generation, take_claim
from practicus_mfa.storage.counts import FOLD_FROM, fold, save_table_counts
from practicus_mfa.storage.engine import Database, connect
from practicus_mfa.storage.facts import observe
from practicus_mfa.storage.grants import JOBS, LOGIN, OPERATOR, OWNER_ALONE, Roles, grants_sql, setup_sql
from practicus_mfa.storage.keys import Promoted, Retired, promote, retire, set_write_key
from practicus_mfa.storage.passes import plan_work
from practicus_mfa.storage.policy_row import read_policy, save_policy
from practicus_mfa.storage.readers import register, renew, withdraw
from practicus_mfa.storage.rotations import complete_rotation, start_rotation
from practicus_mfa.storage.schema import metadata
from practicus_mfa.storage.user_list import Wanted, waiting_readers
from practicus_mfa.storage.users import NewUser
from practicus_mfa.storage.versions import check, upgrade
from practicus_mfa.storage.writer import with_token_write
from tests.support.audit_tampering import let_settle
from tests.support.rotating import PATIENCE, SEALED_AT, enroll, new_secrets, run_sql
from tests.support.stores import IDENTITY

if TYPE_CHECKING:
    from tests.support.postgres import PostgresServer

PASSWORD = "of-a-test"
FACTORS = "practicus_mfa.mfa_factors"
USERS = "practicus_mfa.mfa_users"
REQUESTS = "practicus_mfa.mfa_policy_requests"


@dataclass(frozen=True)
class House:
    """A database with its four roles."""

    roles: Roles
    server: PostgresServer
    name: str

    @contextmanager
    def as_role(self, role: str) -> Iterator[Database]:
        database = connect(self.server.url(self.name, user=role, password=PASSWORD))
        try:
            yield database
        finally:
            database.close()

    def script(self, script: str, *, user: str) -> None:
        url = make_url(self.server.url(self.name, user=user, password=PASSWORD))
        with psycopg.connect(
            host=url.host, port=url.port, user=user, password=PASSWORD, dbname=self.name, autocommit=True
        ) as connection:
            connection.execute(script)


@pytest.fixture(scope="module")
def roles(postgres_server: PostgresServer) -> Roles:
    """The default names, and one that needs its quotes."""
    return replace(Roles(), jobs='jobs of "ours"')


def set_up(server: PostgresServer, name: str, roles: Roles) -> House:
    """Set an empty database up as the printed SQL says."""
    server.execute(setup_sql(roles), name)
    for role in (roles.owner, roles.operator, roles.jobs, roles.login):
        server.execute(
            sql.SQL("ALTER ROLE {} PASSWORD {}").format(sql.Identifier(role), sql.Literal(PASSWORD))
        )
    # PostgreSQL 15 lets only a database's owner make tables in its schema "public".
    server.execute(sql.SQL("GRANT CREATE ON SCHEMA public TO {}").format(sql.Identifier(roles.owner)), name)
    house = House(roles, server, name)
    with house.as_role(roles.owner) as db:
        upgrade(db)
    house.script(grants_sql(roles), user=roles.owner)
    return house


@pytest.fixture
def house(postgres_server: PostgresServer, postgres_url: str, roles: Roles) -> House:
    """A database of its own."""
    return set_up(postgres_server, make_url(postgres_url).database or "", roles)


@pytest.fixture(scope="module")
def locked_house(postgres_server: PostgresServer, roles: Roles) -> House:
    """A database for what is refused, which changes nothing."""
    return set_up(postgres_server, postgres_server.create_database(), roles)


def allowed(db: Database, statement: str) -> None:
    with db.write() as connection:
        connection.execute(text(statement))


def denied(db: Database, statement: str) -> None:
    with pytest.raises(UsageError, match="lacks a right"):
        allowed(db, statement)


def test_every_table_was_thought_of() -> None:
    tables = {table.name for table in metadata.tables.values()} | {"alembic_version"}
    assert set(OPERATOR) | set(LOGIN) | OWNER_ALONE == tables
    assert not OWNER_ALONE & (set(OPERATOR) | set(LOGIN) | set(JOBS))
    assert set(JOBS) <= tables


def test_who_is_logged_in_is_no_concern_of_the_operator() -> None:
    private = {table.name for table in EMPTIED} | {"mfa_recovery_codes", "mfa_groups", "mfa_memberships"}
    # What the settings page asks for is for the operator to answer.
    assert private & (set(OPERATOR) | set(JOBS)) == {"mfa_policy_requests"}
    assert private <= set(LOGIN)


FOREIGN = TableSpec(table="app_secrets", id_column="id", token_columns=("token",))


def rotate(db: Database, new: FernetKey) -> Job:
    """What the operator does up to the migration."""
    taken = take_claim(db, IDENTITY)
    assert isinstance(taken, Claimed)
    claim = taken.claim
    with guarded_write(db, claim) as connection:
        rotation_id = start_rotation(connection, new.id)
        record_generation(connection, 2)
    done = promote(
        db, claim, rotation_id=rotation_id, to_key=new.id, canary=seal_canary(new), lock_timeout=PATIENCE
    )
    assert isinstance(done, Promoted)
    relations = (OWN_TABLE, FOREIGN.table)
    for mode in (Mode.MIGRATE, Mode.VERIFY):
        planned = Work(rotation=rotation_id, mode=mode, relations=relations, again=frozenset(), attempt=1)
        plan_work(db, claim, planned, MigrationRules(tables=(FOREIGN,)))
    return Job(
        rotation_id=rotation_id,
        to_key=new.id,
        mode=Mode.MIGRATE,
        relations=relations,
        tables=(FOREIGN,),
        page_rows=10,
    )


def test_a_whole_rotation_needs_no_more_than_the_grants(house: House) -> None:
    old, new = generate_key(), generate_key()
    with house.as_role(house.roles.operator) as db:
        check(db)
        taken = take_claim(db, IDENTITY)
        assert isinstance(taken, Claimed)
        done = set_write_key(db, taken.claim, old.id, seal_canary(old), lock_timeout=PATIENCE)
        assert isinstance(done, Promoted)
    with house.as_role(house.roles.owner) as db:
        enroll(db, new_secrets(FOLD_FROM), key=old)
        for number in range(FOLD_FROM):
            enroll(db, new_secrets(1), key=old, first=1000 + number)
        run_sql(
            db,
            f"UPDATE {FACTORS} SET token = 'broken' WHERE id = 1",
            "CREATE TABLE public.app_secrets (id bigint PRIMARY KEY, token text)",
            f"INSERT INTO public.app_secrets VALUES (1, '{old.fernet().encrypt(b'x').decode()}')",
            # As the script's last lines say.
            'GRANT SELECT, UPDATE (token) ON public.app_secrets TO "jobs of ""ours"""',
            f'GRANT SELECT ON public.app_secrets TO "{house.roles.operator}"',
        )

    with house.as_role(house.roles.operator) as db:
        job = rotate(db, new)
        assert fold(db) > 0
        with db.write() as connection:
            save_policy(connection, 1, {"mfa": {}})
            save_table_counts(connection, "app.secrets", {new.id: 1}, unknown=0, corrupt=0)
            audit.append(connection, actor="operator", action="rotate")
        seen = observe(db)
        assert seen.counts.by_key == {old.id: 2 * FOLD_FROM}

    with house.as_role(house.roles.jobs) as db:
        check(db)
        for mode in (Mode.MIGRATE, Mode.VERIFY):
            run_shards(db, HeldKeys([new, old]), replace(job, mode=mode))

    with house.as_role(house.roles.operator) as db:
        seen = observe(db)
        assert (seen.counts.by_key, seen.counts.corrupt) == ({new.id: 2 * FOLD_FROM - 1}, 1)
        assert seen.tables["app_secrets"].by_key == {new.id: 1}
        taken = take_claim(db, IDENTITY)
        assert isinstance(taken, Claimed)
        retired = retire(db, taken.claim, [old.id], rotation_id=job.rotation_id, lock_timeout=PATIENCE)
        assert isinstance(retired, Retired)
        with guarded_write(db, taken.claim) as connection:
            complete_rotation(connection, job.rotation_id, [old.id])


def test_the_login_service_does_its_work(house: House) -> None:
    key = generate_key()
    with house.as_role(house.roles.operator) as db:
        taken = take_claim(db, IDENTITY)
        assert isinstance(taken, Claimed)
        set_write_key(db, taken.claim, key.id, seal_canary(key), lock_timeout=PATIENCE)
        with db.write() as connection:
            save_policy(connection, 1, {})

    with house.as_role(house.roles.login) as db:
        check(db)
        register(db, "login-1", [key.id])
        renew(db, "login-1")
        with db.write() as connection:
            connection.execute(
                text("INSERT INTO practicus_mfa.mfa_users (username, username_key) VALUES ('u', 'u')")
            )
        token = seal(b"secret", owner=1, key=key, now=SEALED_AT)
        with_token_write(
            db,
            lambda connection, write_key: factors.write(
                connection, write_key, [factors.NewFactor(user_id=1, token=token)]
            ),
        )
        with db.write() as connection:
            assert factors.advance(connection, 1, 5)
            assert factors.remove_all(connection, 1) == 1
            audit.append(connection, actor="u", action="enrol")
            assert len(list(audit.read(connection))) == 1
            assert read_policy(connection) is not None
        _log_in_and_out(db)
        _administer(db, HeldKeys([key]))
        withdraw(db, "login-1")


def _administer(db: Database, keys: HeldKeys) -> None:
    """Do to users what administrators do on the pages, one by one and to many."""
    with db.write() as connection:
        connection.execute(text("UPDATE practicus_mfa.mfa_users SET is_superuser = true"))
    by = By(account_id=1, username="u")
    with db.write() as connection:
        seen = profile(connection, 1)
        assert seen is not None
        assert edit(connection, by, 1, seen=seen, wanted=replace(seen, name="U")) is Outcome.SAVED
    runner = Runner(db=db, name="login-1", keys=lambda: keys, treatment=treatment)
    for action in BULK:
        run = bulk.start(runner, by, action, Wanted())
        done = bulk.finish_now(runner, run.id)
        assert done is not None
        assert done.done == 1
    assert Housekeeping(db).step() == PAUSE_SECONDS
    with db.write() as connection:
        assert bulk_runs.delete_old(connection) == 0
        assert waiting_readers(connection) == 0


def test_a_change_of_the_settings_page_needs_no_more_than_the_grants(house: House) -> None:
    """Who asks is not who decides: each does its part of the way as its own role."""
    with house.as_role(house.roles.login) as db, db.write() as connection:
        root = users.create(connection, NewUser(username="root", is_superuser=True))
        number = policy_requests.ask(connection, author_id=root.id, author="root", changes={"mfa": {}})
        assert policy_requests.newest_applied(connection, 9) == ()
        assert standing.administrators(connection) == (1, 0)
        assert standing.without_factor(connection) == 1
        assert standing.factors_of_administrators(connection, 9) == ()
    with house.as_role(house.roles.operator) as db:
        taken = take_claim(db, IDENTITY)
        assert isinstance(taken, Claimed)
        with db.read() as connection:
            assert policy_requests.is_any_open(connection)
            request = policy_requests.oldest_open(connection)
            assert request is not None
            assert (request.author, request.may) == ("root", True)
        with guarded_write(db, taken.claim) as connection:
            assert policy_requests.close(connection, number, outcome="refused", message="no")
            audit.append(connection, actor="root", action="policy.change", result="refused")
    with house.as_role(house.roles.login) as db, db.read() as connection:
        answered = policy_requests.find(connection, number)
        assert answered is not None
        assert answered[0].message == "no"


def test_sealing_needs_no_more_than_the_grants_and_pruning_the_owner(house: House) -> None:
    lines = 0
    for role in (house.roles.operator, house.roles.login):
        with house.as_role(role) as db:
            with db.write() as connection:
                audit.append(connection, "u", "login")
            lines += 1
            assert audit_chain.seal(db).count == lines
            assert audit_verify.verify(db).first is None
    with house.as_role(house.roles.owner) as db:
        let_settle(db)
        before = datetime(2100, 1, 1, tzinfo=UTC)
        with db.write() as connection:
            what = audit_prune.prunable(connection, before)
            assert what is not None
            audit_prune.write_checkpoint(connection, what, before=before, actor="owner")
    with house.as_role(house.roles.login) as db, pytest.raises(UsageError, match="lacks a right"):
        audit_prune.delete_pruned(db)
    with house.as_role(house.roles.owner) as db:
        assert audit_prune.delete_pruned(db) == 1


def _log_in_and_out(db: Database) -> None:
    """Do all that the log-in service does with the tables that are its own."""
    later, token = datetime(2100, 1, 1, tzinfo=UTC), bytes(32)
    key = attempts.Key(counter="c", subject="0" * 64, kind=Kind.CODE)
    with db.write() as connection:
        account = accounts.locked_account(connection, 1)
        assert account is not None
        accounts.some_password_hash(connection, "0")
        accounts.set_enrol_by(connection, 1, later)
        accounts.record_login(connection, 1)
        groups.create(connection, "ops")
        groups.add(connection, "ops", [1])
        groups.take_out(connection, "ops", [1])
        groups.remove(connection, "ops")
        (counter,) = attempts.lock(connection, [key]).values()
        attempts.save(connection, key, counter, expires_at=later)
        attempts.clear_subject(connection, key.subject, [Kind.CODE])
        attempts.failing_name(connection, "192.0.2.1", "n", span=timedelta(hours=1))
        devices.create(connection, 1, token, expires_at=later)
        devices.delete_all(connection, 1)
        half_logins.create(connection, 1, token, target="", expires_at=later)
        half = half_logins.find(connection, token)
        assert half is not None
        assert half_logins.end(connection, half.id)
        pending_factors.save(connection, 1, "token", expires_at=later)
        pending_factors.delete_of(connection, 1)
        setup_links.create(connection, 1, token, created_by="root", expires_at=later)
        assert setup_links.use(connection, token) == 1
        factor = connection.execute(
            text(f"INSERT INTO {FACTORS} (user_id, token) VALUES (1, 'x') RETURNING id")
        ).scalar_one()
        recovery_codes.replace(connection, factor, [token])
        assert recovery_codes.use(connection, 1, token)
        new = sessions.NewSession(
            user_id=1,
            token_hash=token,
            verify_hash=None,
            remembered=False,
            expires_at=later,
            proved_at=later,
            second_factor_at=None,
            address="",
            user_agent="",
        )
        session = sessions.create(connection, new)
        assert sessions.load(connection, [token])[token].account.username == "u"
        sessions.touch(connection, {session.id: later})
        assert sessions.end_all(connection, 1) == 1
        for module in (attempts, devices, half_logins, pending_factors, sessions, setup_links):
            module.delete_expired(connection)


@pytest.mark.parametrize(
    ("role", "statement"),
    [
        ("jobs", f"UPDATE {FACTORS} SET user_id = 1"),
        ("jobs", f"UPDATE {FACTORS} SET last_step = 1"),
        ("jobs", f"INSERT INTO {FACTORS} (user_id) VALUES (1)"),
        ("jobs", f"DELETE FROM {FACTORS}"),
        ("jobs", f"SELECT * FROM {USERS}"),
        ("jobs", "UPDATE practicus_mfa.mfa_shards SET lower = NULL"),
        ("jobs", "DELETE FROM practicus_mfa.mfa_live_keys"),
        ("jobs", "UPDATE practicus_mfa.mfa_write_key SET key_id = ''"),
        ("jobs", "INSERT INTO practicus_mfa.mfa_factor_deltas (rows) VALUES (1)"),
        ("operator", f"SELECT password_hash FROM {USERS}"),
        ("operator", f"UPDATE {USERS} SET is_superuser = true"),
        ("operator", f"DELETE FROM {FACTORS}"),
        ("login", "UPDATE practicus_mfa.mfa_write_key SET key_id = ''"),
        ("login", "DELETE FROM practicus_mfa.mfa_live_keys"),
        ("login", "INSERT INTO practicus_mfa.mfa_factor_deltas (rows) VALUES (1)"),
        ("login", "UPDATE practicus_mfa.mfa_policy SET generation = 1"),
        ("login", "DELETE FROM practicus_mfa.mfa_rotations"),
        ("login", "INSERT INTO practicus_mfa.mfa_policy (id, generation, effective) VALUES (1, 1, '{}')"),
        ("login", "DELETE FROM practicus_mfa.mfa_policy"),
        *(
            (
                "login",
                f"INSERT INTO {REQUESTS} (author_id, author, {column}) VALUES (1, '', {value})",
            )
            for column, value in (
                ("id", "7"),
                ("at", "now() + interval '1 hour'"),
                ("handled_at", "now()"),
                ("outcome", "'applied'"),
                ("message", "''"),
            )
        ),
        *(
            ("login", f"UPDATE {REQUESTS} SET {column} = {column}")
            for column in ("at", "author_id", "author", "changes", "handled_at", "outcome", "message")
        ),
        ("login", f"DELETE FROM {REQUESTS}"),
        ("login", f"TRUNCATE {REQUESTS}"),
        *(
            ("operator", f"UPDATE {REQUESTS} SET {column} = {column}")
            for column in ("at", "author_id", "author", "changes")
        ),
        ("operator", f"INSERT INTO {REQUESTS} (author_id, author, changes) VALUES (1, '', '{{}}')"),
        ("jobs", f"SELECT * FROM {REQUESTS}"),
        *(
            (role, f"SELECT * FROM practicus_mfa.{table}")
            for role in ("jobs", "operator")
            for table in ("mfa_sessions", "mfa_recovery_codes", "mfa_setup_links", "mfa_pending_factors")
        ),
        *(
            (role, statement)
            for role in ("jobs", "operator", "login")
            for statement in (
                "UPDATE practicus_mfa.mfa_audit SET actor = 'x'",
                "DELETE FROM practicus_mfa.mfa_audit",
                "TRUNCATE practicus_mfa.mfa_audit",
                "INSERT INTO practicus_mfa.mfa_audit (id, actor, action) VALUES (7, 'x', 'x')",
                "INSERT INTO practicus_mfa.mfa_audit (at, actor, action) VALUES ('2000-01-01', 'x', 'x')",
                "UPDATE practicus_mfa.mfa_audit_chain SET hash = hash",
                "DELETE FROM practicus_mfa.mfa_audit_chain",
                (
                    "INSERT INTO practicus_mfa.mfa_audit_chain (position, line_id, hash, sealed_at)"
                    " VALUES (7, 7, '', now())"
                ),
                (
                    "INSERT INTO practicus_mfa.mfa_audit_checkpoints (position, hash, before, actor)"
                    " VALUES (7, '', now(), 'x')"
                ),
                "DELETE FROM practicus_mfa.mfa_audit_checkpoints",
                "ALTER TABLE practicus_mfa.mfa_audit DISABLE TRIGGER ALL",
                f"TRUNCATE {FACTORS}",
                f"DROP TABLE {FACTORS}",
                "CREATE TABLE practicus_mfa.mine (a int)",
                "UPDATE practicus_mfa.alembic_version SET version_num = 'x'",
            )
        ),
    ],
)
def test_what_a_role_has_no_business_with_is_refused(locked_house: House, role: str, statement: str) -> None:
    with locked_house.as_role(getattr(locked_house.roles, role)) as db:
        denied(db, statement)


def test_the_script_can_run_again_and_takes_back_what_was_too_much(house: House) -> None:
    statement = f"SELECT * FROM {USERS}"
    house.script(f'GRANT SELECT ON {USERS} TO "jobs of ""ours"""', user=house.roles.owner)
    with house.as_role(house.roles.jobs) as db:
        allowed(db, statement)
    house.server.execute(setup_sql(house.roles), house.name)
    house.script(grants_sql(house.roles), user=house.roles.owner)
    with house.as_role(house.roles.jobs) as db:
        denied(db, statement)


def test_one_role_may_be_several(house: House) -> None:
    both = replace(house.roles, jobs=house.roles.operator, login=house.roles.owner)
    house.script(grants_sql(both), user=house.roles.owner)
    with house.as_role(both.operator) as db:
        allowed(db, "SELECT count(*) FROM practicus_mfa.mfa_claim")
        allowed(db, "DELETE FROM practicus_mfa.mfa_readers")
    with house.as_role(house.roles.owner) as db:
        allowed(db, f"DELETE FROM {FACTORS}")


@pytest.mark.parametrize("name", ["", "x" * 64, "ü" * 32, "a\0b", "a$do$b"])
def test_a_name_that_can_t_be_a_role_s_is_refused(name: str) -> None:
    with pytest.raises(UsageError):
        Roles(login=name)
