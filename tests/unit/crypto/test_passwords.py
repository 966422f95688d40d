"""Password hashes: ours, and Django's as Django itself makes them."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable

import argon2
import pytest
from django.conf import settings as django_settings
from django.contrib.auth.hashers import (
    Argon2PasswordHasher,
    PBKDF2PasswordHasher,
    PBKDF2SHA1PasswordHasher,
    ScryptPasswordHasher,
)

from practicus_mfa.crypto import passwords
from practicus_mfa.crypto.passwords import (
    SUPPORTED,
    Scheme,
    hash_password,
    is_supported_hash,
    needs_rehash,
    scheme_of,
    verify_nobody,
    verify_password,
)

PASSWORD = "\u015f\u00fckr\u00fc's long password"
OURS = hash_password(PASSWORD)
QUICK = argon2.PasswordHasher(time_cost=1, memory_cost=16, parallelism=2)
SALT_AND_HASH = OURS.split("p=1")[1]


def _pbkdf2(password: str) -> str:
    return str(PBKDF2PasswordHasher().encode(password, "saltsaltsalt", iterations=1_000))


def _django_argon2(password: str) -> str:
    return "argon2" + QUICK.hash(password)


@pytest.fixture(scope="module", autouse=True)
def _django() -> None:
    if not django_settings.configured:
        django_settings.configure()


def test_our_hash_is_argon2id_with_the_parameters_of_owasp() -> None:
    assert OURS.startswith("$argon2id$v=19$m=19456,t=2,p=1$")
    assert hash_password(PASSWORD) != OURS
    assert verify_password(PASSWORD, OURS)
    assert not verify_password(PASSWORD + " ", OURS)
    assert scheme_of(OURS) is Scheme.ARGON2ID


@pytest.mark.parametrize(
    "make", [_pbkdf2, _django_argon2, QUICK.hash], ids=["pbkdf2", "django's argon2", "argon2"]
)
def test_hashes_of_others_are_verified_and_replaced(make: Callable[[str], str]) -> None:
    stored = make(PASSWORD)
    assert is_supported_hash(stored)
    assert verify_password(PASSWORD, stored)
    assert not verify_password("another password", stored)
    assert not verify_password("", stored)
    assert needs_rehash(stored)
    assert not needs_rehash(OURS)


def test_django_reads_argon2_as_it_is_read_here() -> None:
    stored = Argon2PasswordHasher().encode(PASSWORD, "saltsaltsalt")
    assert scheme_of(stored) is Scheme.DJANGO_ARGON2ID
    assert verify_password(PASSWORD, stored)


def test_a_password_is_the_same_however_it_was_composed() -> None:
    decomposed = unicodedata.normalize("NFD", PASSWORD)
    assert decomposed != PASSWORD
    assert verify_password(decomposed, OURS)
    assert verify_password(PASSWORD, hash_password(decomposed))
    assert verify_password(decomposed, _pbkdf2(PASSWORD))


@pytest.mark.parametrize("make", [_pbkdf2, _django_argon2])
def test_django_hashed_what_the_keyboard_sent(make: Callable[[str], str]) -> None:
    decomposed = unicodedata.normalize("NFD", PASSWORD)
    assert verify_password(decomposed, make(decomposed))


def test_half_a_character_is_a_wrong_password() -> None:
    assert not verify_password("\ud800", OURS)


@pytest.mark.parametrize(
    ("stored", "scheme"),
    [
        ("", Scheme.UNKNOWN),
        ("plain text", Scheme.UNKNOWN),
        ("!", Scheme.UNUSABLE),
        ("!kX2wqLd0", Scheme.UNUSABLE),
        ("bcrypt_sha256$$2b$12$abcdefghijklmnopqrstuv", Scheme.DJANGO_BCRYPT_SHA256),
        ("bcrypt$$2b$12$abcdefghijklmnopqrstuv", Scheme.DJANGO_BCRYPT),
        ("md5$salt$0123", Scheme.UNKNOWN),
        ("pbkdf2_sha256$1000$salt", Scheme.UNKNOWN),
        ("pbkdf2_sha256$0$salt$" + "A" * 43 + "=", Scheme.UNKNOWN),
        ("pbkdf2_sha256$\u0661\u0662$salt$" + "A" * 43 + "=", Scheme.UNKNOWN),
        ("pbkdf2_sha256$20000001$salt$" + "A" * 43 + "=", Scheme.UNKNOWN),
        ("pbkdf2_sha256$20000000$salt$" + "A" * 43 + "=", Scheme.DJANGO_PBKDF2_SHA256),
        ("pbkdf2_sha256$1000$salt$" + "A" * 43 + "=\n", Scheme.UNKNOWN),
        (OURS + "\n", Scheme.UNKNOWN),
        (OURS[:-30], Scheme.UNKNOWN),
        ("argon2" + OURS, Scheme.DJANGO_ARGON2ID),
        ("argon2argon2" + OURS, Scheme.UNKNOWN),
        (OURS.replace("argon2id", "argon2i"), Scheme.UNKNOWN),
        (OURS.replace("v=19", "v=16"), Scheme.UNKNOWN),
        (f"$argon2id$v=19$m=1048576,t=64,p=64{SALT_AND_HASH}", Scheme.ARGON2ID),
        (f"$argon2id$v=19$m=1048577,t=2,p=1{SALT_AND_HASH}", Scheme.UNKNOWN),
        (f"$argon2id$v=19$m=19456,t=65,p=1{SALT_AND_HASH}", Scheme.UNKNOWN),
        (f"$argon2id$v=19$m=19456,t=2,p=65{SALT_AND_HASH}", Scheme.UNKNOWN),
        (f"$argon2id$v=19$m=15,t=2,p=2{SALT_AND_HASH}", Scheme.UNKNOWN),
    ],
)
def test_the_scheme_of_a_hash(stored: str, scheme: Scheme) -> None:
    assert scheme_of(stored) is scheme
    assert is_supported_hash(stored) is (scheme in SUPPORTED)
    if scheme not in SUPPORTED:
        assert not verify_password(PASSWORD, stored)
        assert needs_rehash(stored)


@pytest.mark.parametrize(
    ("hasher", "scheme"),
    [
        (PBKDF2PasswordHasher, Scheme.DJANGO_PBKDF2_SHA256),
        (PBKDF2SHA1PasswordHasher, Scheme.DJANGO_PBKDF2_SHA1),
        (ScryptPasswordHasher, Scheme.DJANGO_SCRYPT),
    ],
)
def test_what_django_writes_is_recognised(hasher: type, scheme: Scheme) -> None:
    assert scheme_of(hasher().encode("x", "saltsaltsalt")) is scheme


def test_a_damaged_hash_verifies_nothing() -> None:
    # Its last character stands for two bits only, and these are not possible ones.
    salt = OURS.split("$")[4]
    assert not verify_password(PASSWORD, OURS.replace(salt, salt[:-1] + "/"))


@pytest.mark.parametrize("like", [OURS, _pbkdf2("x"), _django_argon2("x")])
def test_a_name_without_a_password_costs_what_others_cost(like: str, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[str, str]] = []
    monkeypatch.setattr(passwords, "verify_password", lambda *given: asked.append(given))
    verify_nobody(PASSWORD, like)
    assert asked == [(PASSWORD, like)]


@pytest.mark.parametrize("like", ["", "!", "bcrypt$$2b$12$abcdefghijklmnopqrstuv"])
def test_where_a_hash_can_not_be_verified_one_of_ours_stands_in(
    like: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    monkeypatch.setattr(passwords, "verify_password", lambda _, stored: asked.append(stored))
    verify_nobody(PASSWORD, like)
    verify_nobody(PASSWORD, like)
    one, again = asked
    # Made once: to make one costs as much as to verify one.
    assert one == again
    assert scheme_of(one) is Scheme.ARGON2ID
    assert not needs_rehash(one)
