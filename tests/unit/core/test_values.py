"""values.yaml: what is read, and the exact words for what is not right."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import pytest

from practicus_mfa.core.keyring import KeyId
from practicus_mfa.core.parse.faults import InvalidConfiguration
from practicus_mfa.core.parse.values import CHART_ONLY, Values, read_values
from practicus_mfa.core.policy import (
    DatabaseRef,
    MfaRules,
    MigrationRules,
    RememberMeRules,
    SessionRules,
    SettingsPage,
    TableSpec,
)
from practicus_mfa.documents import parse_yaml

KEY = "c2VjcmV0LWtleS1zZWNyZXQta2V5LXNlY3JldC1rZXk="
"""A Fernet key, as far as its form goes: no message may hold it."""

SEED = """
userLogin:
  mfa:
    enabled: true
    mandatory: false
    mandatoryForSysAdmins: false

  rememberMe:
    enabled: true
    days: 30
    disabledForSysAdmins: false
secretStore:
  activeKey: ""
  rollingKey: ""
"""

WHOLE = f"""
userLogin:
  mfa: {{enabled: false, mandatory: true, mandatoryForSysAdmins: true, gracePeriodDays: 14}}
  rememberMe: {{enabled: false, days: 7, disabledForSysAdmins: true}}
  session: {{hours: 8, idleMinutes: 15}}
secretStore: {{activeKey: "{KEY}", rollingKey: "old"}}
database:
  existingSecret: db
  existingSecretKey: uri
  login: {{existingSecret: db-login}}
migration:
  parallelism: 4
  shards: 16
  batchSize: 500
  suspend: true
  allowReverse: "0123456789ab"
  tables:
  - table: app."Secrets"
    idColumn: id
    tokenColumns: [token, '"Old Token"']
    where: {{encrypted: true, kind: x, version: 2}}
    readyForKeyID: "abcdefabcdef"
    doneWithKeyID: ""
  - table: other
    idColumn: uid
    tokenColumns: [token]
"""


def faults(text: str) -> list[str]:
    with pytest.raises(InvalidConfiguration) as caught:
        read_values(parse_yaml(text, "test"))
    assert KEY not in str(caught.value)
    return [fault.line for fault in caught.value.faults]


def test_the_seed_s_values_are_the_defaults() -> None:
    assert read_values(parse_yaml(SEED, "seed")) == Values()


@pytest.mark.parametrize("text", ["", "{}", "userLogin:", "userLogin: {mfa: , session: null}", "database: ~"])
def test_what_is_left_out_or_null_is_as_by_default(text: str) -> None:
    assert read_values(parse_yaml(text, "test")) == Values()


def test_every_value_is_read() -> None:
    values = read_values(parse_yaml(WHOLE, "test"))

    assert values.mfa == MfaRules(
        enabled=False, mandatory=True, mandatory_for_sys_admins=True, grace_period_days=14
    )
    assert values.remember_me == RememberMeRules(enabled=False, days=7, disabled_for_sys_admins=True)
    assert values.session == SessionRules(hours=8, idle_minutes=15)
    assert (values.secret_store.active_key, values.secret_store.rolling_key) == (KEY, "old")
    assert values.database.existing == DatabaseRef("db", "uri")
    assert values.database.login_secret == "db-login"
    assert values.migration == MigrationRules(
        parallelism=4,
        shards=16,
        batch_size=500,
        suspend=True,
        allow_reverse=KeyId("0123456789ab"),
        tables=(
            TableSpec(
                table='app."Secrets"',
                id_column="id",
                token_columns=("token", '"Old Token"'),
                where={"encrypted": True, "kind": "x", "version": 2},
                ready_for_key=KeyId("abcdefabcdef"),
            ),
            TableSpec(table="other", id_column="uid", token_columns=("token",)),
        ),
    )


def test_a_url_and_an_embedded_database_are_read() -> None:
    assert read_values({"database": {"url": "postgresql://u:p@h/d"}}).database.url == "postgresql://u:p@h/d"
    assert read_values({"database": {"embedded": {"enabled": True}}}).database.embedded
    # The volume is the chart's business.
    volume = {"enabled": True, "size": "5Gi", "storageClass": "fast"}
    assert read_values({"database": {"embedded": volume}}).database.embedded


def test_no_secret_is_shown() -> None:
    shown = repr(read_values({"secretStore": {"activeKey": KEY, "rollingKey": KEY}}))
    assert KEY not in shown
    assert "hunter2" not in repr(read_values({"database": {"url": "postgresql://u:hunter2@h/d"}}))


def test_names_of_the_chart_alone_are_left_to_it() -> None:
    assert read_values({name: {"anything": [1]} for name in CHART_ONLY}) == Values()


def sample(paragraph: str) -> tuple[str, list[str]]:
    text, *lines = paragraph.replace("KEY", KEY).splitlines()
    return text, [line.strip() for line in lines]


BAD: Final = [
    sample(paragraph)
    for paragraph in (Path(__file__).parent / "data" / "bad_values.txt").read_text("utf-8").split("\n\n")
    if not paragraph.startswith("#")
]


@pytest.mark.parametrize(("text", "lines"), BAD, ids=[text for text, _ in BAD])
def test_bad_values_are_told_in_these_words(text: str, lines: list[str]) -> None:
    assert faults(text) == lines


def test_the_whole_must_be_a_section() -> None:
    assert faults("- a") == [
        "the whole: a list where a section is expected; write its names below it, indented, one a line"
    ]


@pytest.mark.parametrize("days", [0, -1])
def test_remember_me_needs_a_day_while_it_is_enabled(days: int) -> None:
    remedy = "the least is 1; to switch it off, write userLogin.rememberMe.enabled: false"
    assert faults(f"userLogin: {{rememberMe: {{days: {days}}}}}") == [
        f"userLogin.rememberMe.days: {days} is too small; {remedy}"
    ]
    rules = read_values({"userLogin": {"rememberMe": {"enabled": False, "days": days}}}).remember_me
    assert rules == RememberMeRules(enabled=False, days=days)


def test_a_number_of_any_size_is_told() -> None:
    # Python refuses to spell a number of more than 4,300 digits.
    assert faults(f"migration: {{batchSize: 0x{'f' * 5000}}}") == [
        "migration.batchSize: a number of that size is too big; the most is 50000"
    ]


@pytest.mark.parametrize(
    "text",
    [
        "userLogin: {session: {hours: 1, idleMinutes: 0}, mfa: {gracePeriodDays: 0}, rememberMe: {days: 1}}",
        "migration: {parallelism: 1, shards: 0, batchSize: 1}",
        "migration: {batchSize: 50000}",
    ],
)
def test_bounds_are_inclusive(text: str) -> None:
    read_values(parse_yaml(text, "test"))


TABLE: Final = {"table": "t", "idColumn": "id", "tokenColumns": ["token"]}


@pytest.mark.parametrize(
    ("tables", "line"),
    [
        ([TABLE | {"table": f"t{n}"} for n in range(65)], "tables: 65 entries are too many; the most is 64"),
        (
            [TABLE | {"tokenColumns": [f"c{n}" for n in range(17)]}],
            "tables[0].tokenColumns: 17 entries are too many; the most is 16",
        ),
        (
            [TABLE | {"where": {f"c{n}": n for n in range(33)}}],
            "tables[0].where: 33 entries are too many; the most is 32",
        ),
        ([TABLE | {"table": "t" * 301}], "tables[0].table: 301 characters are too many; the most is 300"),
        (
            [TABLE | {"idColumn": "c" * 151}],
            "tables[0].idColumn: 151 characters are too many; the most is 150",
        ),
        (
            [TABLE | {"tokenColumns": ["c" * 151]}],
            "tables[0].tokenColumns: 151 characters are too many; the most is 150",
        ),
    ],
)
def test_lists_and_names_have_bounds(tables: object, line: str) -> None:
    with pytest.raises(InvalidConfiguration) as caught:
        read_values({"migration": {"tables": tables}})
    assert [fault.line for fault in caught.value.faults] == [f"migration.{line}"]


def test_an_entry_that_is_null_misses_everything() -> None:
    assert [line.partition(":")[0] for line in faults("migration: {tables: [null]}")] == [
        "migration.tables[0].table",
        "migration.tables[0].idColumn",
        "migration.tables[0].tokenColumns",
    ]


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("app.Secrets", "APP.secrets", True),
        ('"app".secrets', "app . Secrets", True),
        ('app."Secrets"', "app.secrets", False),
        ('"a""b"', '"a""b"', True),
        ('"a.b"', "a.b", False),
        ("secrets", "app.secrets", False),
    ],
)
def test_a_table_has_one_entry_however_it_is_spelled(one: str, other: str, *, same: bool) -> None:
    tables = [{"table": name, "idColumn": "id", "tokenColumns": ["t"]} for name in (one, other)]
    values = {"migration": {"tables": tables}}
    if not same:
        assert len(read_values(values).migration.tables) == 2
        return
    with pytest.raises(InvalidConfiguration) as caught:
        read_values(values)
    assert [fault.line for fault in caught.value.faults] == [
        "migration.tables[1].table: the same table as migration.tables[0]; name all its columns in one entry"
    ]


def test_all_faults_are_told_at_once() -> None:
    with pytest.raises(InvalidConfiguration) as caught:
        read_values(
            {
                "userLogin": {"mfa": {"mandatry": True}, "rememberMe": {"days": 0}},
                "secretStore": {"activeKey": 123},
                "migration": {"batchSize": 0},
                "migrations": {},
            },
            source="my.yaml",
        )
    assert caught.value.message == (
        "my.yaml: 5 faults\n"
        "  userLogin.mfa.mandatry: unknown; did you mean mandatory?\n"
        "  userLogin.rememberMe.days: 0 is too small; "
        "the least is 1; to switch it off, write userLogin.rememberMe.enabled: false\n"
        "  secretStore.activeKey: a whole number where text is expected; put it in quotes\n"
        "  migration.batchSize: 0 is too small; the least is 1\n"
        "  migrations: unknown; did you mean migration?"
    )
    assert caught.value.remedy == "correct my.yaml and try again; nothing was changed"


def test_one_fault_is_one_line() -> None:
    with pytest.raises(InvalidConfiguration) as caught:
        read_values({"userLogin": {"mfa": {"mandatry": True}}})
    assert str(caught.value) == "values.yaml: userLogin.mfa.mandatry: unknown; did you mean mandatory?"


@pytest.mark.parametrize("mode", SettingsPage)
def test_of_login_what_the_settings_page_may_do_is_read(mode: SettingsPage) -> None:
    assert read_values({"login": {"settingsPage": str(mode), "host": 7}}).settings_page is mode


def test_what_the_settings_page_may_do_is_never_guessed() -> None:
    with pytest.raises(InvalidConfiguration, match=r"login\.settingsPage: none of the ways"):
        read_values({"login": {"settingsPage": "write"}})
