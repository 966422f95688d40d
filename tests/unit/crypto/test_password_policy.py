"""Which passwords are taken."""

from __future__ import annotations

import unicodedata
from importlib.resources import files

import pytest

from practicus_mfa.crypto.password_policy import PasswordRefusedError, check_password


@pytest.mark.parametrize(
    "password",
    ["twelve chars", "\u015fifre kurallar\u0131", "a" * 1023 + "b", "\U0001f512" * 12, "         leading"],
)
def test_long_uncommon_passwords_are_taken(password: str) -> None:
    assert check_password(password) == password


def test_the_composed_form_is_what_counts() -> None:
    decomposed = unicodedata.normalize("NFD", "\u00fc" * 11)
    assert len(decomposed) == 22
    with pytest.raises(PasswordRefusedError, match="fewer than 12 characters"):
        check_password(decomposed)
    assert check_password(decomposed + "u") == "\u00fc" * 11 + "u"


@pytest.mark.parametrize(
    ("password", "message", "remedy"),
    [
        ("", "the password has fewer than 12 characters", "Choose a longer one; "),
        ("eleven char", "the password has fewer than 12 characters", "Choose a longer one; "),
        ("a" * 1025, "the password has more than 1,024 bytes", "Choose a shorter one."),
        ("\u20ac" * 342, "the password has more than 1,024 bytes", "Choose a shorter one."),
        ("password1234", "the password is among the most common ones", "Choose one that nobody else has, "),
        ("PassWord1234", "the password is among the most common ones", "Choose one that nobody else has, "),
        ("qwertyuiop[]", "the password is among the most common ones", "Choose one that nobody else has, "),
        ("correct horse battery staple", "the password is among the most common ones", "Choose one "),
        ("half a \ud800 character", "the password is not valid Unicode text", "Type it anew."),
    ],
)
def test_others_are_refused(password: str, message: str, remedy: str) -> None:
    with pytest.raises(PasswordRefusedError) as raised:
        check_password(password)
    assert raised.value.message == message
    assert raised.value.remedy.startswith(remedy)


def test_the_list_holds_only_what_could_be_asked() -> None:
    lines = files("practicus_mfa.crypto").joinpath("common_passwords.txt").read_text("utf-8").splitlines()
    assert len(lines) > 500
    assert lines == sorted(set(lines))
    for line in lines:
        assert len(line) >= 12
        assert line == unicodedata.normalize("NFC", line).casefold()
