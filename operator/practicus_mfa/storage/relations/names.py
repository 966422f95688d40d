"""Names as a person writes them in SQL: ``secrets``, ``app."Secrets"``, ``"my.schema"."t"``.

A name is taken apart here and put together again in quotes: nothing that a person wrote enters a statement
as it stands. What an unquoted name means is the database's affair (PostgreSQL folds it to lower case), so a
part remembers whether it was quoted.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from practicus_mfa.errors import UsageError

_PART: Final = re.compile(r'\s*(?:"((?:[^"\0]|"")+)"|([^\W\d][\w$]*))\s*')


@dataclass(frozen=True, slots=True)
class Name:
    """One part of a name.

    Attributes:
        text: The name without quotes.
        quoted: Whether it stood in quotes, so that its case counts.
    """

    text: str
    quoted: bool

    def spellings(self) -> tuple[str, ...]:
        """Return what the part may be called in a catalog, the meaning in SQL first.

        An unquoted name whose folded form is not there means its exact spelling: people seldom quote in
        YAML, and there is nothing else that it could mean.
        """
        return (self.text,) if self.quoted else tuple(dict.fromkeys((self.text.lower(), self.text)))


@dataclass(frozen=True, slots=True)
class TableName:
    """A table's name, with the schema where one was written."""

    schema: Name | None
    table: Name


def parse_table(text: str) -> TableName:
    """Read a table's name.

    Raises:
        UsageError: It is not a name, or has more parts than a schema and a table.
    """
    parts = _parts(text)
    if parts is None or len(parts) > 2:
        raise UsageError(
            f"{text!r} is not the name of a table.",
            remedy='Write it as in SQL, for example app.secrets or app."Secrets".',
        )
    return TableName(schema=parts[0] if len(parts) > 1 else None, table=parts[-1])


def parse_column(text: str) -> Name:
    """Read a column's name.

    Raises:
        UsageError: It is not a name.
    """
    parts = _parts(text)
    if parts is None or len(parts) != 1:
        raise UsageError(
            f"{text!r} is not the name of a column.",
            remedy='Write it as in SQL, for example token or "Token".',
        )
    return parts[0]


def quote(name: str, *, in_psycopg: bool) -> str:
    """Return *name* as a quoted identifier (ISO 9075-2, delimited identifier: quotes inside are doubled).

    Args:
        name: The name without quotes.
        in_psycopg: The statement goes to psycopg with parameters: there a per cent sign is doubled too.
    """
    quoted = '"' + name.replace('"', '""') + '"'
    return quoted.replace("%", "%%") if in_psycopg else quoted


def _parts(text: str) -> list[Name] | None:
    parts: list[Name] = []
    at = 0
    while match := _PART.match(text, at):
        quoted, plain = match.groups()
        parts.append(
            Name(plain, quoted=False) if quoted is None else Name(quoted.replace('""', '"'), quoted=True)
        )
        at = match.end()
        if at == len(text):
            return parts
        if text[at] != ".":
            return None
        at += 1
    return None
