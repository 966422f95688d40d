from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from practicus_mfa.errors import UsageError
from practicus_mfa.storage.relations.names import Name, TableName, parse_column, parse_table, quote

plain = Name("secrets", quoted=False)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("secrets", TableName(None, plain)),
        (" secrets ", TableName(None, plain)),
        ('"secrets"', TableName(None, Name("secrets", quoted=True))),
        ('app."Se crets"', TableName(Name("app", quoted=False), Name("Se crets", quoted=True))),
        ('"my.schema" . "t"', TableName(Name("my.schema", quoted=True), Name("t", quoted=True))),
        ('"a""b"', TableName(None, Name('a"b', quoted=True))),
        ("_tab$1", TableName(None, Name("_tab$1", quoted=False))),
        ("geheimnis_ä", TableName(None, Name("geheimnis_ä", quoted=False))),
    ],
)
def test_names_are_read_as_in_sql(text: str, expected: TableName) -> None:
    assert parse_table(text) == expected


@pytest.mark.parametrize(
    "text",
    ["", " ", ".", "a.", ".a", "a.b.c", "a b", "1a", "a-b", '"', '""', '"a', 'a"b"', '"a"b', "a;b", '"a\0b"'],
)
def test_what_is_no_name_is_refused(text: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_table(text)
    assert caught.value.message == f"{text!r} is not the name of a table."
    assert caught.value.remedy == 'Write it as in SQL, for example app.secrets or app."Secrets".'


@pytest.mark.parametrize("text", ["", "a.b", "a b", "*", "count(*)", "a,b"])
def test_what_is_no_column_is_refused(text: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_column(text)
    assert caught.value.message == f"{text!r} is not the name of a column."


def test_an_unquoted_name_means_its_lower_case_form_before_its_own_spelling() -> None:
    assert parse_column("userId").spellings() == ("userid", "userId")
    assert parse_column('"userId"').spellings() == ("userId",)


@given(st.text(min_size=1).filter(lambda text: "\0" not in text))
def test_any_name_in_quotes_is_read_back(name: str) -> None:
    assert parse_column(quote(name, in_psycopg=False)) == Name(name, quoted=True)


def test_a_per_cent_sign_is_no_parameter() -> None:
    assert quote("a%b", in_psycopg=True) == '"a%%b"'
    assert quote("a%b", in_psycopg=False) == '"a%b"'
