"""CSV files: what is read, and every way in which one can be wrong, with its exact message."""

from __future__ import annotations

import codecs
import io

import pytest

from practicus_mfa.faults import InvalidConfiguration
from practicus_mfa.login.candidates import MOST_FAULTS, Findings
from practicus_mfa.login.csv_users import read_csv

HASH = "pbkdf2_sha256$870000$aaaaaaaaaaaaaaaaaaaaaa$" + "A" * 43 + "="
PASSWORD = "correct horse battery"
FIELDS = "put a field that has a comma into quotes, and leave no field out"
QUOTES = 'a quote inside a field is written twice: ""'


def read(text: str | bytes) -> Findings:
    data = text if isinstance(text, bytes) else text.encode()
    return read_csv(io.BytesIO(data))


def faults(text: str | bytes) -> list[str]:
    return [fault.line for fault in read(text).faults]


def test_every_column_is_read() -> None:
    found = read(
        "username,email,name,password,password_hash,is_active,is_staff,is_superuser,totp_secret\n"
        f"Anna,anna@example.org,Anna Öz,,{HASH},true,yes,0,JBSW Y3DP EHPK 3PXP\n"
        f"bob,,,{PASSWORD},,f,,,\n"
    )
    assert found.faults == []
    anna, bob = found.candidates
    assert (anna.place, anna.user.username, anna.user.email) == ("line 2", "Anna", "anna@example.org")
    assert (anna.user.name, anna.user.password_hash, anna.password) == ("Anna Öz", HASH, None)
    assert (anna.user.is_active, anna.user.is_staff, anna.user.is_superuser) == (True, True, False)
    assert [factor.secret for factor in anna.factors] == [b"Hello!\xde\xad\xbe\xef"]
    assert (bob.user.is_active, bob.user.is_staff, bob.password, bob.factors) == (False, False, PASSWORD, ())


def test_any_column_but_the_first_may_be_missing_and_stand_anywhere() -> None:
    found = read("EMAIL , Username\nanna@example.org,anna\n")
    assert found.faults == []
    assert [(one.user.username, one.user.email) for one in found.candidates] == [("anna", "anna@example.org")]
    assert found.candidates[0].user.is_active


def test_a_byte_order_mark_line_ends_of_windows_quotes_and_empty_lines_are_no_faults() -> None:
    found = read(codecs.BOM_UTF8 + b'username,name\r\n\r\n"anna","Anna ""A"" Oz, PhD"\r\n,\r\nbob,Bob\r\n')
    assert found.faults == []
    assert [(one.place, one.user.name) for one in found.candidates] == [
        ("line 3", 'Anna "A" Oz, PhD'),
        ("line 5", "Bob"),
    ]


def test_a_heading_alone_is_a_file_without_users() -> None:
    assert read("username\n") == Findings()


def test_no_secret_is_shown_by_repr() -> None:
    found = read(
        f"username,password,password_hash,totp_secret\nanna,{PASSWORD},,JBSWY3DPEHPK3PXP\nbob,,{HASH},\n"
    )
    shown = repr(found.candidates)
    assert found.faults == []
    assert PASSWORD not in shown
    assert HASH not in shown
    assert "Hello" not in shown


def test_a_hash_of_django_that_no_password_fits_is_no_password() -> None:
    found = read("username,password_hash\nanna,!abcdef\n")
    assert (found.faults, found.candidates[0].user.password_hash) == ([], "")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param(
            "",
            "line 1: the file is empty; begin it with the names: "
            "username,email,name,password,password_hash,is_active,is_staff,is_superuser,totp_secret",
            id="empty",
        ),
        pytest.param(
            "username;email\n",
            "line 1: the columns are separated by semicolons; separate them by commas",
            id=";",
        ),
        pytest.param(
            "username\temail\n",
            "line 1: the columns are separated by tabs; separate them by commas",
            id="tab",
        ),
        pytest.param(
            "email,name\na,b\n",
            "line 1: the column username is missing; begin the file with the names of its columns",
            id="no username",
        ),
        pytest.param("username,emial\n", "line 1: unknown column emial; did you mean email?", id="misspelt"),
        pytest.param(
            "username,colour\n",
            "line 1: unknown column colour; known here: username, email, name, password, password_hash, "
            "is_active, is_staff, is_superuser, totp_secret",
            id="unknown",
        ),
        pytest.param(
            "username,email,email\n",
            "line 1: the column email is there 2 times; keep one of them",
            id="twice",
        ),
        pytest.param(
            "username,email\nanna\n",
            f"line 2: 1 field under a heading of 2; {FIELDS}",
            id="short",
        ),
        pytest.param(
            "username\nanna,x\n",
            f"line 2: 2 fields under a heading of 1; {FIELDS}",
            id="long",
        ),
        pytest.param(
            'username\n"a,b"\n', "line 2: the user name 'a,b' has a comma; correct the name", id="comma"
        ),
        pytest.param(
            "username,name\n,Anna\n", "line 2: the user name is empty; correct the name", id="no name"
        ),
        pytest.param(
            "username,email\nanna,a\x01b\n",
            "line 2: the e-mail address has a control character (U+0001); correct the field email",
            id="control character",
        ),
        pytest.param(
            "username,email\nanna,hunter2 is mine\n",
            "line 2: the e-mail address is not of the form NAME@DOMAIN; correct the field email",
            id="no address",
        ),
        pytest.param(
            "username,is_staff\nanna,maybe\n",
            "line 2: is_staff is neither true nor false; write true or false",
            id="boolean",
        ),
        pytest.param(
            f"username,password,password_hash\nanna,{PASSWORD},{HASH}\n",
            "line 2: both password and password_hash are given; give one of them",
            id="both",
        ),
        pytest.param(
            "username,password\nanna,short\n",
            "line 2: the password has fewer than 12 characters; "
            "choose a longer one; a few unrelated words are easy to keep in mind",
            id="short password",
        ),
        pytest.param(
            "username,password_hash\nanna,bcrypt_sha256$$2b$12$abc\n",
            "line 2: password_hash is of the scheme bcrypt_sha256, which can't be verified; "
            "known: argon2, argon2id, pbkdf2_sha256; or leave it empty and set a password afterwards",
            id="bcrypt",
        ),
        pytest.param(
            "username,password_hash\nanna,MyPlainPassword$1\n",
            "line 2: password_hash is of no known scheme, which can't be verified; "
            "known: argon2, argon2id, pbkdf2_sha256; or leave it empty and set a password afterwards",
            id="no hash",
        ),
        pytest.param(
            "username,totp_secret\nanna,JBSW0\n",
            "line 2: totp_secret is not base32: character 5 (white space aside) is not of its alphabet; "
            "give the secret in base32, as the authenticator app shows it: letters A to Z and digits 2 to 7",
            id="base32",
        ),
        pytest.param(
            b"username\nanna\nb\xf6b\n",
            "line 3: byte 2 of the line is not UTF-8; save the file as UTF-8",
            id="latin-1",
        ),
        pytest.param(
            "username\nanna\n".encode("utf-16"),
            "line 1: the file is in UTF-16; save it as UTF-8",
            id="UTF-16",
        ),
        pytest.param(
            'username,name\nanna,"Anna\nbob,Bob\n',
            f"line 2: a quote that is opened here is never closed; close it; {QUOTES}",
            id="open quote",
        ),
        pytest.param(
            'username,name\nanna,"Anna" Oz\n',
            'line 2: something follows a closing quote; a quote inside a field is written twice: ""',
            id="after a quote",
        ),
        pytest.param(
            "username,name\nanna," + "x" * 200_000 + "\n",
            "line 2: a field is longer than any user's; look for a quote that is not closed",
            id="endless field",
        ),
        pytest.param(
            "username\nanna\n\nANNA\n",
            "line 4: the user names 'ANNA' and 'anna' (line 2) are the same; keep one of them",
            id="twins",
        ),
    ],
)
def test_a_fault_is_told_with_its_line(text: str | bytes, expected: str) -> None:
    assert faults(text) == [expected]


def test_all_faults_are_told_at_once_and_a_record_of_several_lines_at_its_first() -> None:
    text = b'username,is_active,name\nanna,maybe,"A\nB"\n\xff,true,x\nbob,true\n"a,b",true,x\n'
    assert faults(text) == [
        "line 2: the name has a control character (U+000A); correct the field name",
        "line 2: is_active is neither true nor false; write true or false",
        "line 4: byte 1 of the line is not UTF-8; save the file as UTF-8",
        f"line 5: 2 fields under a heading of 3; {FIELDS}",
        "line 6: the user name 'a,b' has a comma; correct the name",
    ]


def test_a_file_that_is_something_else_is_not_listed_for_ever() -> None:
    found = read("username,is_staff\n" + "".join(f"user{number},x\n" for number in range(MOST_FAULTS + 5)))
    with pytest.raises(InvalidConfiguration) as refused:
        found.raise_faults("users.csv")
    lines = refused.value.message.splitlines()
    assert lines[0] == "users.csv: 1001 faults"
    assert lines[-1] == "  after that: 5 more faults; correct these first"
    assert refused.value.remedy == "correct users.csv and try again; nothing was changed"
