"""The worker on other applications' tables: every type of id and token, names, conditions, lost races."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest
from cryptography.fernet import Fernet

from practicus_mfa.core.observed import Mode
from practicus_mfa.core.policy import TableSpec
from practicus_mfa.core.sharding import Share
from practicus_mfa.crypto.keys import generate_key
from practicus_mfa.errors import NeedsPersonError, UsageError
from practicus_mfa.rotation.treatment import treatment
from practicus_mfa.rotation.worker import Progress, Report, run_pass, run_shards
from practicus_mfa.storage import audit
from practicus_mfa.storage.counts import read_table_counts
from practicus_mfa.storage.relations.pages import Pass
from practicus_mfa.storage.relations.resolve import resolve
from practicus_mfa.storage.shards import Tally, read_shards
from tests.support.rotating import SEALED_AT, Rotating, new_secrets, rotating, run_sql

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from practicus_mfa.crypto.keys import FernetKey
    from practicus_mfa.storage.engine import Database
    from practicus_mfa.storage.relations.cells import Cells, Treated

ROWS = 25
PAGE = 4


def bare(secret: bytes, key: FernetKey) -> str:
    """Return a token as another application makes it."""
    return key.fernet().encrypt_at_time(secret, SEALED_AT).decode("ascii")


def insert(db: Database, into: str, rows: Sequence[Sequence[object]]) -> None:
    mark = "?" if db.is_sqlite else "%s"
    marks = ", ".join([mark] * len(rows[0]))
    with db.write() as connection:
        connection.exec_driver_sql(f"INSERT INTO {into} VALUES ({marks})", [tuple(row) for row in rows])


def select(db: Database, query: str) -> list[tuple[object, ...]]:
    with db.read() as connection:
        return [tuple(row) for row in connection.exec_driver_sql(query)]


def tokens_of(db: Database) -> dict[object, object]:
    return {row[0]: row[1] for row in select(db, "SELECT id, token FROM secrets")}


def rotate(world: Rotating, spec: TableSpec, mode: Mode = Mode.MIGRATE, shards: int = 3) -> Report:
    job = world.job(mode, spec.table, tables=[spec], page_rows=PAGE)
    world.plan(job, shards=shards)
    return run_shards(world.db, world.keys, job)


def read(token: object, key: FernetKey) -> bytes:
    """Read a token as the application does, and see that its time was kept."""
    assert isinstance(token, str | bytes)
    assert Fernet(key.text).extract_timestamp(token) == SEALED_AT
    return Fernet(key.text).decrypt(token)


@dataclass(frozen=True)
class IdType:
    sqlite: str
    postgresql: str
    values: tuple[object, ...]


def _ids() -> dict[str, IdType]:
    uuids = [uuid.uuid5(uuid.NAMESPACE_DNS, str(n)) for n in range(ROWS)]
    numbers = tuple(n * 3 - 20 for n in range(ROWS))
    texts = tuple(f"{'aBäZ_ %'[n % 7]}{n}" for n in range(ROWS - 1))
    return {
        "integer": IdType("INTEGER", "integer", numbers),
        "bigint": IdType("BIGINT", "bigint", tuple(n * 2**40 for n in numbers)),
        "smallint": IdType("SMALLINT", "smallint", numbers),
        "text": IdType("TEXT", "text", ("", *texts)),
        "text in a language's order": IdType("TEXT COLLATE NOCASE", 'text COLLATE "und-x-icu"', ("", *texts)),
        "varchar": IdType("VARCHAR(20)", "varchar(20)", ("", *texts)),
        "uuid": IdType("CHAR(36)", "uuid", tuple(str(n) for n in uuids)),
        "uuid without dashes": IdType("UUID", "uuid", tuple(n.hex for n in uuids)),
    }


IDS = _ids()


@pytest.mark.parametrize("name", IDS)
def test_every_type_of_id_is_walked_through_and_cut(db: Database, name: str) -> None:
    world = rotating(db)
    kind = IDS[name]
    run_sql(
        db,
        f"CREATE TABLE secrets (id {kind.sqlite if db.is_sqlite else kind.postgresql} PRIMARY KEY NOT NULL,"
        " token text)",
    )
    secrets = new_secrets(ROWS)
    insert(db, "secrets", [(i, bare(s, world.old)) for i, s in zip(kind.values, secrets, strict=True)])
    spec = TableSpec(table="secrets", id_column="id", token_columns=("token",))
    assert rotate(world, spec) == Report(finished=True, tally=Tally(migrated=ROWS))
    assert rotate(world, spec, Mode.VERIFY) == Report(finished=True, tally=Tally(current=ROWS))
    tokens = {str(row_id): token for row_id, token in select(db, "SELECT id, token FROM secrets")}
    plain = {str(uuid.UUID(str(i)) if "uuid" in name and not db.is_sqlite else i): s
             for i, s in zip(kind.values, secrets, strict=True)}  # fmt: skip
    assert {row_id: read(token, world.new) for row_id, token in tokens.items()} == plain
    with db.read() as connection:
        parts = read_shards(connection, world.rotation_id, Mode.VERIFY)
        counts = read_table_counts(connection)["secrets"]
    assert [part.tally.current for part in parts] == [9, 9, 7]
    assert (counts.by_key, counts.unknown, counts.corrupt) == ({world.new.id: ROWS}, 0, 0)


TYPES = {"text": ("TEXT", "text"), "varchar": ("VARCHAR(200)", "varchar(200)"), "bytes": ("BLOB", "bytea")}


@pytest.mark.parametrize("name", TYPES)
def test_several_columns_of_every_type_with_gaps(db: Database, name: str) -> None:
    world = rotating(db)
    column = TYPES[name][0 if db.is_sqlite else 1]
    run_sql(db, f"CREATE TABLE secrets (id integer PRIMARY KEY, a {column}, b {column}, note text)")

    def held(secret: bytes, key: FernetKey) -> str | bytes:
        token = bare(secret, key)
        return token.encode() if name == "bytes" else token

    empty = b"" if name == "bytes" else ""
    rows = [
        (1, held(b"1a", world.old), held(b"1b" * 16, world.new), "both"),
        (2, None, held(b"2b", world.old), "NULL"),
        (3, held(b"", world.old), empty, "empty"),
        (4, None, empty, "none"),
        (5, empty, empty, "none"),
        (6, held(b"6a", world.new), None, "current"),
    ]
    insert(db, "secrets", rows)
    spec = TableSpec(table="secrets", id_column="id", token_columns=("a", "b"))
    assert rotate(world, spec).tally == Tally(migrated=3, current=2)
    after = select(db, "SELECT id, a, b, note FROM secrets ORDER BY id")
    assert [(row[0], row[3]) for row in after] == [(row[0], row[3]) for row in rows]
    plain = [tuple(read(token, world.new) if token else token for token in row[1:3]) for row in after]
    assert plain == [
        (b"1a", b"1b" * 16),
        (None, b"2b"),
        (b"", empty),
        (None, empty),
        (empty, empty),
        (b"6a", None),
    ]
    assert {type(token) for row in after for token in row[1:3] if token} == {type(held(b"", world.new))}


@pytest.mark.parametrize(
    ("column", "value"),
    [
        pytest.param("boolean", True, id="boolean"),
        pytest.param("text", "fer'net%", id="text"),
        pytest.param("integer", 2, id="integer"),
    ],
)
def test_only_rows_that_the_condition_names_are_looked_at(
    db: Database, column: str, value: str | bool | int
) -> None:
    world = rotating(db)
    run_sql(db, f'CREATE TABLE secrets (id integer PRIMARY KEY, token text, "How" {column})')
    other = {"boolean": False, "text": "plain", "integer": 1}[column]
    insert(
        db,
        "secrets",
        [
            (1, bare(b"1", world.old), value),
            (2, "in the clear", other),
            (3, bare(b"3", world.old), None),
            (4, bare(b"4", world.old), value),
        ],
    )
    spec = TableSpec(table="secrets", id_column="id", token_columns=("token",), where={"How": value})
    assert rotate(world, spec).tally == Tally(migrated=2)
    tokens = tokens_of(db)
    assert (read(tokens[1], world.new), read(tokens[4], world.new)) == (b"1", b"4")
    assert (tokens[2], read(tokens[3], world.old)) == ("in the clear", b"3")


QUOTED = {
    "plain": ("secrets", "secrets"),
    "with capitals": ('"Secrets"', '"Secrets"'),
    "without the quotes it needs": ('"Secrets"', "Secrets"),
    "in other capitals": ("secrets", "SECRETS"),
    "with marks": ('"se""cr%ets:a ?b"', '"se""cr%ets:a ?b"'),
    "of another script": ('"Geheimnisse.ÄÖ"', '"Geheimnisse.ÄÖ"'),
}


@pytest.mark.parametrize("name", QUOTED)
def test_names_are_read_as_in_sql(db: Database, name: str) -> None:
    world = rotating(db)
    made, written = QUOTED[name]
    into = made if db.is_sqlite else made.replace("%", "%%")
    number = '"the %id"' if db.is_sqlite else '"the %%id"'
    columns = f'{number} integer PRIMARY KEY, "To:ken" text, "k}}ind" text'
    with db.write() as connection:
        connection.exec_driver_sql(f"CREATE TABLE {into} ({columns})")
    secrets = new_secrets(ROWS)
    insert(db, into, [(n, bare(secret, world.old), "x") for n, secret in enumerate(secrets)])
    spec = TableSpec(
        table=written, id_column='"the %id"', token_columns=('"To:ken"',), where={'"k}ind"': "x"}
    )
    assert rotate(world, spec).tally == Tally(migrated=ROWS)
    assert rotate(world, spec, Mode.VERIFY).tally == Tally(current=ROWS)


def test_a_schema_may_be_named(postgres_db: Database) -> None:
    world = rotating(postgres_db)
    run_sql(
        postgres_db,
        'CREATE SCHEMA "my.schema"',
        'CREATE TABLE "my.schema"."T" (id int PRIMARY KEY, token text)',
    )
    insert(postgres_db, '"my.schema"."T"', [(1, bare(b"1", world.old))])
    spec = TableSpec(table='"my.schema" . "T"', id_column="id", token_columns=("token",))
    assert rotate(world, spec).tally == Tally(migrated=1)


def test_the_main_schema_of_sqlite_may_be_named(sqlite_db: Database) -> None:
    world = rotating(sqlite_db)
    run_sql(sqlite_db, "CREATE TABLE t (id INTEGER PRIMARY KEY, token TEXT)")
    insert(sqlite_db, "t", [(1, bare(b"1", world.old))])
    spec = TableSpec(table="main.T", id_column="ID", token_columns=("TOKEN",))
    assert rotate(world, spec).tally == Tally(migrated=1)


def test_a_partitioned_table_and_a_domain_type_are_a_table_and_a_type(postgres_db: Database) -> None:
    world = rotating(postgres_db)
    run_sql(
        postgres_db,
        "CREATE DOMAIN sealed AS varchar(200)",
        "CREATE TABLE t (id bigint PRIMARY KEY, token sealed) PARTITION BY HASH (id)",
        "CREATE TABLE t0 PARTITION OF t FOR VALUES WITH (MODULUS 2, REMAINDER 0)",
        "CREATE TABLE t1 PARTITION OF t FOR VALUES WITH (MODULUS 2, REMAINDER 1)",
    )
    insert(postgres_db, "t", [(n, bare(b"x", world.old)) for n in range(ROWS)])
    spec = TableSpec(table="t", id_column="id", token_columns=("token",))
    assert rotate(world, spec).tally == Tally(migrated=ROWS)
    assert rotate(world, spec, Mode.VERIFY).tally == Tally(current=ROWS)


def _started(
    db: Database, secrets: Sequence[bytes], columns: str = "token text"
) -> tuple[Rotating, TableSpec]:
    world = rotating(db)
    run_sql(db, f"CREATE TABLE secrets (id integer PRIMARY KEY, {columns})")
    insert(db, "secrets (id, token)", [(n, bare(secret, world.old)) for n, secret in enumerate(secrets, 1)])
    return world, TableSpec(table="secrets", id_column="id", token_columns=("token",))


def _run_changed(world: Rotating, spec: TableSpec, change: Callable[[], object]) -> list[Tally]:
    """Migrate, and let *change* happen after the first page was read and before it is written."""
    treat = treatment(spec.table, world.keys, world.new.id)
    pending = [change]
    seen: list[Progress] = []

    def treated(cells: Cells) -> Treated:
        result = treat(cells)
        if pending:
            pending.pop()()
        return result

    world.plan(world.job(Mode.MIGRATE, spec.table, tables=[spec]))
    with world.db.read() as connection:
        relation = resolve(connection, spec)
    work = Pass(
        rotation_id=world.rotation_id,
        mode=Mode.MIGRATE,
        to_key=world.new.id,
        relation=relation,
        treat=treated,
        page_rows=100,
    )
    run_pass(world.db, work, Share(), should_stop=lambda: False, on_progress=seen.append)
    return [progress.tally for progress in seen]


def test_what_the_application_writes_meanwhile_is_never_overwritten(db: Database) -> None:
    world, spec = _started(db, [b"1", b"2", b"3", b"4", b"5"])

    def change() -> None:
        run_sql(
            db,
            f"UPDATE secrets SET token = '{bare(b'new', world.old)}' WHERE id = 1",
            f"UPDATE secrets SET token = '{bare(b'newer', world.new)}' WHERE id = 2",
            "UPDATE secrets SET token = NULL WHERE id = 3",
            "DELETE FROM secrets WHERE id = 4",
        )

    assert _run_changed(world, spec, change) == [Tally(migrated=2, current=1)]
    tokens = tokens_of(db)
    assert tokens.pop(3) is None
    assert {n: read(token, world.new) for n, token in tokens.items()} == {1: b"new", 2: b"newer", 5: b"5"}


def test_a_row_that_leaves_the_condition_meanwhile_is_left_alone(db: Database) -> None:
    world, spec = _started(db, [b"1", b"2"], columns="token text, how text DEFAULT 'x'")
    spec = TableSpec(table="secrets", id_column="id", token_columns=("token",), where={"how": "x"})
    tally = _run_changed(world, spec, lambda: run_sql(db, "UPDATE secrets SET how = 'y' WHERE id = 1"))
    assert tally == [Tally(migrated=1)]
    tokens = tokens_of(db)
    assert (read(tokens[1], world.old), read(tokens[2], world.new)) == (b"1", b"2")


def test_a_column_that_was_empty_when_its_row_was_read_is_none_of_the_pages(db: Database) -> None:
    world, _ = _started(db, [b"1"], columns="token text, other text")
    spec = TableSpec(table="secrets", id_column="id", token_columns=("token", "other"))
    new, other = bare(b"new", world.old), bare(b"other", world.old)
    change = f"UPDATE secrets SET token = '{new}', other = '{other}' WHERE id = 1"
    assert _run_changed(world, spec, lambda: run_sql(db, change)) == [Tally(migrated=1)]
    ((token, filled),) = select(db, "SELECT token, other FROM secrets")
    assert (read(token, world.new), filled) == (b"new", other)


def test_unreadable_tokens_are_named_counted_and_never_touched(db: Database) -> None:
    world, spec = _started(db, [b"1", b"2", b"3", b"4"])
    broken = {2: bare(b"x", generate_key()), 3: "in the clear", 4: bare(b"4", world.old)[:-8]}
    run_sql(db, *(f"UPDATE secrets SET token = '{token}' WHERE id = {n}" for n, token in broken.items()))
    assert rotate(world, spec).tally == Tally(migrated=1, unknown=1, corrupt=2)
    tokens = tokens_of(db)
    assert {n: tokens[n] for n in broken} == broken
    with db.read() as connection:
        counts = read_table_counts(connection)["secrets"]
        lines = audit.read(connection, action="rows.unreadable", subject="secrets")
    assert (counts.by_key, counts.unknown, counts.corrupt) == ({world.new.id: 1}, 1, 2)
    named = {reason: ids for line in lines for reason, ids in line.detail["rows"].items()}
    assert named == {"unknown-key": [2], "malformed": [3], "truncated": [4]}


def test_the_scan_is_dated_only_when_the_last_part_is_done(db: Database) -> None:
    world, spec = _started(db, new_secrets(12))
    job = world.job(Mode.VERIFY, spec.table, tables=[spec], page_rows=PAGE)
    world.plan(job, shards=2)
    stop = iter([False, False, True])
    assert not run_shards(db, world.keys, job, should_stop=lambda: next(stop)).finished
    with db.read() as connection:
        assert read_table_counts(connection) == {}
    assert run_shards(db, world.keys, job).finished
    with db.read() as connection:
        assert read_table_counts(connection)["secrets"].by_key == {world.new.id: 12}


def test_a_table_that_refuses_the_new_token_is_a_persons_affair(db: Database) -> None:
    world, spec = _started(db, [b"1"], columns="token text, seen text")
    run_sql(db, "UPDATE secrets SET seen = token", "CREATE TABLE good (id integer PRIMARY KEY, token text)")
    insert(db, "good", [(1, bare(b"1", world.old))])
    run_sql(
        db,
        *(
            [
                "CREATE TRIGGER fixed BEFORE UPDATE ON secrets BEGIN SELECT RAISE(ABORT, 'fixed'); END",
            ]
            if db.is_sqlite
            else ["ALTER TABLE secrets ADD CHECK (token = seen)"]
        ),
    )
    job = world.job(
        Mode.MIGRATE,
        "secrets",
        "good",
        tables=[spec, TableSpec(table="good", id_column="id", token_columns=("token",))],
    )
    world.plan(job)
    with pytest.raises(NeedsPersonError) as caught:
        run_shards(db, world.keys, job)
    assert caught.value.message == (
        "Table secrets refuses a re-encrypted token: one of its constraints is violated."
    )
    # The other table was done all the same.
    assert read(select(db, "SELECT token FROM good")[0][0], world.new) == b"1"
    assert read(select(db, "SELECT token FROM secrets")[0][0], world.old) == b"1"


TABLE = "CREATE TABLE t (id integer PRIMARY KEY, loose integer, maybe integer UNIQUE, token text, n numeric)"


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        pytest.param({"table": "missing"}, "Table missing does not exist.", id="table missing"),
        pytest.param({"table": '"T2"'}, 'Table "T2" does not exist.', id="quoted table missing"),
        pytest.param({"table": "nowhere.t"}, "Table nowhere.t does not exist.", id="schema missing"),
        pytest.param({"table": "v"}, "Table v does not exist.", id="a view"),
        pytest.param({"table": "a.b.c"}, "'a.b.c' is not the name of a table.", id="too many parts"),
        pytest.param({"table": "t; --"}, "'t; --' is not the name of a table.", id="no name"),
        pytest.param({"id_column": "nr"}, "Table t has no column nr.", id="id missing"),
        pytest.param({"token_columns": ("token", "b")}, "Table t has no column b.", id="token missing"),
        pytest.param({"where": {"flag": 1}}, "Table t has no column flag.", id="where missing"),
        pytest.param({"id_column": "a.b"}, "'a.b' is not the name of a column.", id="no column name"),
        pytest.param({"id_column": "loose"}, "Table t: the id column loose is not unique.", id="not unique"),
        pytest.param({"id_column": "maybe"}, "Table t: the id column maybe may be NULL.", id="nullable"),
        pytest.param(
            {"id_column": "n"},
            "Table t: the id column n is of type {numeric}, not an integer, a text or a UUID.",
            id="id of another type",
        ),
        pytest.param(
            {"token_columns": ("loose",)},
            "Table t: the token column loose is of type {integer}, not {kinds}.",
            id="token of another type",
        ),
    ],
)
def test_what_does_not_fit_is_said_before_a_row_is_read(
    db: Database, spec: dict[str, object], message: str
) -> None:
    run_sql(db, TABLE, "CREATE VIEW v AS SELECT * FROM t")
    names = (
        {"numeric": "numeric", "integer": "integer", "kinds": "text or blob"}
        if db.is_sqlite
        else {"numeric": "numeric", "integer": "integer", "kinds": "text, varchar or bytea"}
    )
    whole = {"table": "t", "id_column": "id", "token_columns": ("token",), **spec}
    with db.read() as connection, pytest.raises(UsageError) as caught:
        resolve(connection, TableSpec(**whole))  # type: ignore[arg-type]
    # Versions of SQLite differ in how they spell a type.
    assert caught.value.message.replace("INTEGER", "integer") == message.format(**names)
    assert caught.value.remedy


def test_an_index_that_leaves_rows_out_proves_nothing(db: Database) -> None:
    run_sql(
        db,
        "CREATE TABLE t (nr integer NOT NULL, other integer NOT NULL, token text)",
        "CREATE UNIQUE INDEX part ON t (nr) WHERE token IS NOT NULL",
        "CREATE UNIQUE INDEX pairs ON t (nr, other)",
    )
    spec = TableSpec(table="t", id_column="nr", token_columns=("token",))
    with db.read() as connection, pytest.raises(UsageError, match="the id column nr is not unique"):
        resolve(connection, spec)
    run_sql(db, "CREATE UNIQUE INDEX entire ON t (nr)")
    with db.read() as connection:
        assert resolve(connection, spec).id.name == "nr"


def test_a_condition_that_does_not_fit_its_column_is_said(postgres_db: Database) -> None:
    run_sql(postgres_db, TABLE)
    spec = TableSpec(table="t", id_column="id", token_columns=("token",), where={"loose": "many"})
    with pytest.raises(UsageError) as caught, postgres_db.read() as connection:
        resolve(connection, spec)
    assert caught.value.message == "Table t: a value of where does not fit its column: loose (integer)."


def test_a_text_primary_key_of_sqlite_that_may_be_null_is_refused(sqlite_db: Database) -> None:
    run_sql(sqlite_db, "CREATE TABLE t (id TEXT PRIMARY KEY, token TEXT)")
    spec = TableSpec(table="t", id_column="id", token_columns=("token",))
    with sqlite_db.read() as connection, pytest.raises(UsageError, match=r"id column id may be NULL\.$"):
        resolve(connection, spec)


def test_ids_that_are_not_of_their_columns_type_do_not_go_round_in_circles(sqlite_db: Database) -> None:
    world = rotating(sqlite_db)
    run_sql(sqlite_db, "CREATE TABLE t (id INT PRIMARY KEY NOT NULL, token TEXT)")
    insert(sqlite_db, "t", [("one", bare(b"1", world.old))])
    spec = TableSpec(table="t", id_column="id", token_columns=("token",))
    with pytest.raises(UsageError, match=r"the id column id holds values that are not of its type INT\.$"):
        rotate(world, spec, shards=1)


def test_a_worker_passes_a_faulty_table_by(db: Database) -> None:
    world, spec = _started(db, [b"1"])
    missing = TableSpec(table="missing", id_column="id", token_columns=("token",))
    job = world.job(Mode.MIGRATE, "missing", "secrets", tables=[missing, spec])
    world.plan(job)
    with pytest.raises(UsageError, match=r"^Table missing does not exist\.$"):
        run_shards(db, world.keys, job)
    assert read(select(db, "SELECT token FROM secrets")[0][0], world.new) == b"1"


def test_a_table_that_left_the_policy_is_refused(db: Database) -> None:
    world, spec = _started(db, [b"1"])
    world.plan(world.job(Mode.MIGRATE, "secrets", tables=[spec]))
    with pytest.raises(UsageError, match=r"^Table secrets is not one of migration\.tables\.$"):
        run_shards(db, world.keys, world.job(Mode.MIGRATE, "secrets"))
