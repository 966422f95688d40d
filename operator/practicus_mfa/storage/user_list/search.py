"""Searching users by the beginnings of words of their names.

On PostgreSQL the words of all users are in an index (``ix_mfa_users_words``): a search costs what it finds.
The words are made by replacing characters alone, not by PostgreSQL's parser of documents: that takes
``anna.b@example.org`` for one word, ``-5`` for a number, and goes by the server's locale. On SQLite each row
is looked at, by a function of this program that the connection is given.
"""

from __future__ import annotations

import json
import re
from typing import Any, Final

from sqlalchemy import (
    Boolean,
    ColumnElement,
    Connection,
    Text,
    cast,
    false,
    func,
    literal,
    literal_column,
    select,
)
from sqlalchemy.types import UserDefinedType

from practicus_mfa.core.usernames import MAX_TEXT, username_key
from practicus_mfa.storage.schema import users
from practicus_mfa.storage.user_list.words import LONGEST, REPLACED, REPLACEMENTS, SHARP_S, fold, words

_FUNCTION: Final = "mfa_has_words"


def has_words(connection: Connection, search: str) -> ColumnElement[bool] | None:
    """Return the condition that each word of *search* begins a word of a user, ``None`` without any word."""
    # A name's key may be spelled otherwise than the name (compatibility characters): either will do.
    spellings = dict.fromkeys(words(text) for text in (search, username_key(search)))
    asked = [spelling for spelling in spellings if spelling]
    if not asked:
        return None
    # Nobody has a word that long, and PostgreSQL takes none.
    possible = [spelling for spelling in asked if all(len(word) <= LONGEST for word in spelling)]
    if not possible:
        return false()
    if connection.dialect.name == "postgresql":
        return _on_postgresql(possible)
    return _on_sqlite(connection, possible)


class _TsQuery(UserDefinedType[str]):
    """PostgreSQL's words to look for; its own type would have every program import PostgreSQL's dialect."""

    cache_ok = True

    def get_col_spec(self, **_kw: object) -> str:
        return "tsquery"


def _on_postgresql(asked: list[tuple[str, ...]]) -> ColumnElement[bool]:
    query = " | ".join(f"({' & '.join(map(_beginning, spelling))})" for spelling in asked)
    # PostgreSQL can't tell how many rows have a beginning of a word, and holds making the words of a row for
    # cheap: given the choice it makes those of a hundred thousand rows, which takes seconds. So it is given
    # none. What is looked for is the answer of a query, which can only be looked up, and the rows are found
    # before anything else is done with them.
    asked_for = select(cast(literal(query, Text()), _TsQuery())).scalar_subquery()
    found = select(users.c.id).where(indexed_words().bool_op("@@")(asked_for)).cte("found")
    found = found.prefix_with("MATERIALIZED")
    return users.c.id.in_(select(found.c.id))


def _beginning(word: str) -> str:
    # No word has a quote or a backslash: both separate words.
    return f"'{word}':*"


def indexed_words(
    key: ColumnElement[str] = users.c.username_key,
    email: ColumnElement[str] = users.c.email,
    name: ColumnElement[str] = users.c.name,
) -> ColumnElement[Any]:
    """Return what ``ix_mfa_users_words`` is an index of, as PostgreSQL has to find it in a query."""
    space: ColumnElement[str] = literal_column("' '")
    text = (
        func.left(key, literal_column(str(LONGEST)))
        .op("||")(space)
        .op("||")(func.left(email, literal_column(str(MAX_TEXT))))
        .op("||")(space)
        .op("||")(func.left(name, literal_column(str(MAX_TEXT))))
    )
    replaced = func.translate(text, _constant(REPLACED), _constant(REPLACEMENTS))
    small = func.replace(replaced, *map(_constant, SHARP_S))
    return func.array_to_tsvector(
        func.array_remove(func.string_to_array(small, space), literal_column("''")), type_=Text()
    )


def _constant(text: str) -> ColumnElement[str]:
    """Return *text* as it stands in a statement: PostgreSQL finds no index by a parameter."""
    return literal_column(escaped(text))


def escaped(text: str) -> str:
    """Return *text* as a constant of PostgreSQL, in ASCII and without a character that means something."""
    plain = (
        character if re.fullmatch("[A-Za-z0-9 ]", character) else f"\\u{ord(character):04X}"
        for character in text
    )
    return f"E'{''.join(plain)}'"


def _on_sqlite(connection: Connection, asked: list[tuple[str, ...]]) -> ColumnElement[bool]:
    if _FUNCTION not in connection.info:
        # Once for each connection of the pool, which lives on after the transaction.
        driver: Any = connection.connection.driver_connection
        driver.create_function(_FUNCTION, 4, _has_words, deterministic=True)
        connection.info[_FUNCTION] = True
    columns = (users.c.username_key, users.c.email, users.c.name)
    condition: ColumnElement[bool] = getattr(func, _FUNCTION)(*columns, json.dumps(asked), type_=Boolean())
    return condition


def _has_words(key: str, email: str, name: str, asked: str) -> bool:
    text = f" {fold(f'{key[:LONGEST]} {email[:MAX_TEXT]} {name[:MAX_TEXT]}')}"
    return any(all(f" {word}" in text for word in spelling) for spelling in json.loads(asked))
