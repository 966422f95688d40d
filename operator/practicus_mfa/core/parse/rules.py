"""What values.yaml and an MfaPolicy have in common: the rules, read alike in both.

Bounds from above only keep arithmetic with dates, and the number of processes, within reason.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from practicus_mfa.core.observed import OWN_TABLE
from practicus_mfa.core.parse.faults import number
from practicus_mfa.core.parse.reader import Section
from practicus_mfa.core.policy import (
    MfaRules,
    MigrationRules,
    RememberMeRules,
    SessionRules,
    SettingsPage,
    TableSpec,
)

MOST_DAYS: Final = 36_500
MOST_HOURS: Final = 24 * MOST_DAYS
MOST_MINUTES: Final = 60 * MOST_HOURS
MOST_WORKERS: Final = 1_000
MOST_SHARDS: Final = 10_000
MOST_ROWS_A_PAGE: Final = 50_000

# What the rules of the MfaPolicy's definition cost an API server grows with these.
MOST_TABLES: Final = 64
MOST_COLUMNS: Final = 16
MOST_COMPARED: Final = 32
LONGEST_TABLE: Final = 300
LONGEST_COLUMN: Final = 150
"""Characters; a name of PostgreSQL has at most 63 bytes, and each quote in it is written twice."""

# A name as SQL has it: plain, where its case means nothing, or in double quotes.
_PART: Final = r'(?:"(?:[^"\0]|"")+"|[^\W\d][\w$]*)'
_PARTS: Final = re.compile(_PART)
_COLUMN: Final = re.compile(rf"\s*{_PART}\s*")
_TABLE: Final = re.compile(rf"\s*{_PART}(?:\s*\.\s*{_PART})?\s*")
_OURS: Final = frozenset({(OWN_TABLE,), ("practicus_mfa", OWN_TABLE)})

# The name of a Kubernetes object (RFC 1123 subdomain); in the embedded platform it is part of a file name.
_OBJECT_NAME: Final = re.compile(r"[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?", re.ASCII)
_SECRET_KEY: Final = re.compile(r"[A-Za-z0-9_.-]{1,253}", re.ASCII)


def mfa_rules(section: Section, base: MfaRules) -> MfaRules:
    """Return the rules of a section ``mfa``; what it leaves out is as in *base*."""
    with section as mfa:
        return MfaRules(
            enabled=mfa.switch("enabled", base.enabled),
            mandatory=mfa.switch("mandatory", base.mandatory),
            mandatory_for_sys_admins=mfa.switch("mandatoryForSysAdmins", base.mandatory_for_sys_admins),
            grace_period_days=mfa.whole(
                "gracePeriodDays", base.grace_period_days, at_least=0, at_most=MOST_DAYS
            ),
        )


def remember_me_rules(section: Section, base: RememberMeRules) -> RememberMeRules:
    """Return the rules of a section ``rememberMe``; *days* is yet to be checked: see :func:`check_days`."""
    with section as remember_me:
        return RememberMeRules(
            enabled=remember_me.switch("enabled", base.enabled),
            days=remember_me.whole("days", base.days, at_most=MOST_DAYS),
            disabled_for_sys_admins=remember_me.switch("disabledForSysAdmins", base.disabled_for_sys_admins),
        )


def check_days(rules: RememberMeRules, section: Section) -> None:
    """Report too few days in *section*; they mean nothing while rememberMe is disabled."""
    if rules.enabled and rules.days < 1:
        remedy = f"the least is 1; to switch it off, write {section.at('enabled')}: false"
        section.fault("days", f"{number(rules.days)} is too small", remedy)


def session_rules(section: Section) -> SessionRules:
    """Return the rules of a section ``session``."""
    default = SessionRules()
    with section as session:
        return SessionRules(
            hours=session.whole("hours", default.hours, at_least=1, at_most=MOST_HOURS),
            idle_minutes=session.whole("idleMinutes", default.idle_minutes, at_least=0, at_most=MOST_MINUTES),
        )


def settings_page(login: Section) -> SettingsPage:
    """Return ``settingsPage`` of a section ``login``."""
    text = login.text("settingsPage")
    try:
        return SettingsPage(text) if text else SettingsPage.EDIT
    except ValueError:
        known = ", ".join(SettingsPage)
        login.fault("settingsPage", "none of the ways that there are", f"write one of {known}")
        # What was meant is not known: nothing is allowed by mistake.
        return SettingsPage.READ


def migration_rules(section: Section) -> MigrationRules:
    """Return the rules of a section ``migration``."""
    default = MigrationRules()
    with section as migration:
        return MigrationRules(
            parallelism=migration.whole("parallelism", default.parallelism, at_least=1, at_most=MOST_WORKERS),
            shards=migration.whole("shards", default.shards, at_least=0, at_most=MOST_SHARDS),
            batch_size=migration.whole("batchSize", default.batch_size, at_least=1, at_most=MOST_ROWS_A_PAGE),
            suspend=migration.switch("suspend", default.suspend),
            allow_reverse=migration.key_id("allowReverse"),
            tables=tuple(_tables(migration)),
        )


def _tables(migration: Section) -> Iterator[TableSpec]:
    seen: dict[tuple[str, ...], str] = {}
    entries = tuple(migration.entries("tables"))
    _at_most(migration, "tables", len(entries), MOST_TABLES)
    for entry in entries:
        with entry:
            spec = _table(entry)
        relation = same_table(spec.table)
        if relation in _OURS:
            entry.fault("table", "the table of MFA itself, which rotates anyway", "leave the entry out")
        elif relation and relation in seen:
            remedy = "name all its columns in one entry"
            entry.fault("table", f"the same table as {seen[relation]}", remedy)
        seen[relation] = entry.path
        yield spec


def _at_most(section: Section, name: str, count: int, most: int, what: str = "entries") -> None:
    if count > most:
        section.fault(name, f"{number(count)} {what} are too many", f"the most is {most}")


def _table(entry: Section) -> TableSpec:
    table = entry.needed_text("table", "app.secrets")
    id_column = entry.needed_text("idColumn", "id")
    columns = entry.needed_texts("tokenColumns", "[token], the columns that hold tokens")
    where = entry.scalars("where")
    _at_most(entry, "tokenColumns", len(columns), MOST_COLUMNS)
    _at_most(entry, "where", len(where), MOST_COMPARED)
    _at_most(entry, "table", len(table), LONGEST_TABLE, "characters")
    if len(set(columns)) < len(columns):
        entry.fault("tokenColumns", "a column twice", "name each column once")
    if table.strip() and not _TABLE.fullmatch(table):
        remedy = 'write it as in SQL, app.secrets or app."Secrets"'
        entry.fault("table", "not the name of a table", remedy)
    for name, column in (("idColumn", id_column), *(("tokenColumns", column) for column in columns)):
        _at_most(entry, name, len(column), LONGEST_COLUMN, "characters")
        if column.strip() and not _COLUMN.fullmatch(column):
            entry.fault(name, "not the name of a column", 'write it as in SQL, token or "Token"')
    if id_column in columns:
        entry.fault("tokenColumns", "the id column among them", "name only columns that hold tokens")
    return TableSpec(
        table=table,
        id_column=id_column,
        token_columns=columns,
        where=where,
        ready_for_key=entry.key_id("readyForKeyID"),
        done_with_key=entry.key_id("doneWithKeyID"),
    )


def same_table(name: str) -> tuple[str, ...]:
    """Return the parts of a table's name, equal for all spellings that PostgreSQL takes for one table."""
    parts = _PARTS.findall(name)
    return tuple(part[1:-1].replace('""', '"') if part.startswith('"') else part.lower() for part in parts)


def object_name(section: Section, name: str, default: str = "") -> str:
    """Return the name of a Kubernetes object, '' where there is none."""
    value = section.text(name, default) or default
    return value if not value or _named(section, name, value) else default


def object_names(section: Section, name: str) -> tuple[str, ...]:
    """Return a list of names of Kubernetes objects, each once."""
    found = enumerate(section.texts(name))
    return tuple(dict.fromkeys(value for at, value in found if _named(section, f"{name}[{at}]", value)))


def _named(section: Section, name: str, value: str) -> bool:
    if _OBJECT_NAME.fullmatch(value):
        return True
    remedy = "it has lower-case letters, digits, '-' and '.', and begins and ends with one of the first two"
    section.fault(name, "not the name of a Kubernetes object", remedy)
    return False


def secret_key(section: Section, name: str, default: str) -> str:
    """Return the name of an entry of a Secret."""
    value = section.text(name, default) or default
    if not _SECRET_KEY.fullmatch(value):
        section.fault(
            name, "not the name of an entry of a Secret", "it has letters, digits, '-', '_' and '.'"
        )
        return default
    return value
