"""Names that are the same user, and names that are refused."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from practicus_mfa.core.usernames import (
    MAX_TEXT,
    MAX_USERNAME,
    parse_email,
    parse_new_username,
    parse_text,
    parse_username,
    username_key,
)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("anna", "ANNA"),
        ("Straße", "STRASSE"),
        ("ﬁona", "FIONA"),
        ("Ａnna", "anna"),  # noqa: RUF001 - a full-width letter is the point
        ("Σίσυφος", "ΣΊΣΥΦΟΣ"),
        ("e\u0301mile", "Émile"),
        ("\u212bke", "åke"),
    ],
)
def test_names_that_are_the_same_user(one: str, other: str) -> None:
    assert username_key(one) == username_key(other)


def test_the_turkish_dotless_i_is_a_letter_of_its_own() -> None:
    assert username_key("ışık") != username_key("isik")  # noqa: RUF001 - the letter is the point


@given(st.text())
def test_a_key_is_its_own_key(text: str) -> None:
    assert username_key(username_key(text)) == username_key(text)


@given(st.text(), st.sampled_from(["NFC", "NFD", "NFKC", "NFKD"]))
def test_a_key_does_not_depend_on_how_the_keyboard_composes(text: str, form: str) -> None:
    assert username_key(unicodedata.normalize(form, text)) == username_key(text)  # type: ignore[arg-type]


@pytest.mark.parametrize("name", ["anna", "Şükrü Öz", "anna@example.org", "o'neill", "李雷", "a.b-c_d+e"])
def test_names_that_are_kept_as_they_are(name: str) -> None:
    assert parse_username(name) == name


def test_a_name_is_kept_in_nfkc() -> None:
    assert parse_username("ﬁona") == "fiona"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "the user name is empty"),
        ("a,b", "the user name 'a,b' has a comma"),
        ("a\uff0cb", "the user name 'a\uff0cb' has a comma"),
        ("a\nb", r"the user name 'a\nb' has a control character (U+000A)"),
        ("a\0b", r"the user name 'a\x00b' has a control character (U+0000)"),
        ("anna\u202e", r"the user name 'anna\u202e' has an invisible character (U+202E)"),
        ("an\u200bna", r"the user name 'an\u200bna' has an invisible character (U+200B)"),
        ("a\u2028b", r"the user name 'a\u2028b' has a line separator (U+2028)"),
        ("a\u2029b", r"the user name 'a\u2029b' has a paragraph separator (U+2029)"),
        ("a\ud800", r"the user name 'a\ud800' has half a surrogate pair (U+D800)"),
        (" anna", "the user name ' anna' begins or ends with white space"),
        ("anna\u00a0", r"the user name 'anna\xa0' begins or ends with white space"),
        ("a" * (MAX_USERNAME + 1), "the user name has 151 characters, more than 150"),
    ],
)
def test_names_that_are_refused(text: str, message: str) -> None:
    with pytest.raises(ValueError) as refused:
        parse_username(text)
    assert str(refused.value) == message


def test_the_longest_name_fits() -> None:
    assert parse_username("a" * MAX_USERNAME) == "a" * MAX_USERNAME


def test_texts_are_trimmed_and_composed() -> None:
    assert parse_text("the name", "  E\u0301mile Zola ") == "Émile Zola"
    assert parse_text("the name", "") == ""


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a\tb", "the name has a control character (U+0009)"),
        ("a" * (MAX_TEXT + 1), "the name has 255 characters, more than 254"),
    ],
)
def test_texts_that_are_refused(text: str, message: str) -> None:
    with pytest.raises(ValueError) as refused:
        parse_text("the name", text)
    assert str(refused.value) == message


@pytest.mark.parametrize(
    "address",
    ["anna@example.org", "root@localhost", "a+b'c@münchen.example", "a@" + "b" * (MAX_TEXT - 2), ""],
)
def test_addresses_that_are_kept(address: str) -> None:
    assert parse_email(f" {address}\n") == address


@pytest.mark.parametrize(
    "address",
    ["bad", "@", "anna@", "@example.org", "a@b@c", "an na@example.org", "anna@exam\u00a0ple.org", "a, b@c"],
)
def test_addresses_without_a_name_or_a_domain_are_refused(address: str) -> None:
    with pytest.raises(ValueError) as refused:
        parse_email(address)
    assert str(refused.value) == "the e-mail address is not of the form NAME@DOMAIN"


@pytest.mark.parametrize(
    ("address", "message"),
    [
        ("an\tna@example.org", "the e-mail address has a control character (U+0009)"),
        ("anna@" + "b" * MAX_TEXT, "the e-mail address has 259 characters, more than 254"),
    ],
)
def test_addresses_are_refused_as_any_text_is(address: str, message: str) -> None:
    with pytest.raises(ValueError) as refused:
        parse_email(address)
    assert str(refused.value) == message


@pytest.mark.parametrize("name", ["cli:root", "CLI:root", "\uff43li:x", "c\u2113i:x"])
def test_nobody_new_is_called_as_people_at_the_command_line_are(name: str) -> None:
    with pytest.raises(ValueError, match="that begin with cli: are the command line's in the audit"):
        parse_new_username(name)
    assert parse_new_username("clio: x") == "clio: x"
