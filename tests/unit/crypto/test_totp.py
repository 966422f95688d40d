"""TOTP against the vectors of RFC 4226 and RFC 6238, and against pyotp."""

from __future__ import annotations

import hashlib
from typing import Final

import pyotp
import pytest

from practicus_mfa.crypto.totp import (
    USUAL,
    Algorithm,
    MalformedSecretError,
    Parameters,
    code_at,
    key_uri,
    matching_step,
    new_secret,
    parse_secret,
    secret_for,
    secret_text,
    step_at,
)

RFC_SECRET: Final = b"12345678901234567890"
NOW: Final = 1_700_000_000
STEP: Final = NOW // 30
RFC_SECRETS: Final[dict[Algorithm, bytes]] = {
    "sha1": RFC_SECRET,
    "sha256": (RFC_SECRET * 2)[:32],
    "sha512": (RFC_SECRET * 4)[:64],
}
REMEDY: Final = (
    "Give the secret in base32, as the authenticator app shows it: letters A to Z and digits 2 to 7."
)


@pytest.mark.parametrize(
    ("step", "code"),
    [
        (0, "755224"),
        (1, "287082"),
        (2, "359152"),
        (3, "969429"),
        (4, "338314"),
        (5, "254676"),
        (6, "287922"),
        (7, "162583"),
        (8, "399871"),
        (9, "520489"),
    ],
)
def test_rfc_4226_appendix_d(step: int, code: str) -> None:
    assert code_at(RFC_SECRET, step) == code


@pytest.mark.parametrize(
    ("now", "sha1", "sha256", "sha512"),
    [
        (59, "94287082", "46119246", "90693936"),
        (1_111_111_109, "07081804", "68084774", "25091201"),
        (1_111_111_111, "14050471", "67062674", "99943326"),
        (1_234_567_890, "89005924", "91819424", "93441116"),
        (2_000_000_000, "69279037", "90698825", "38618901"),
        (20_000_000_000, "65353130", "77737706", "47863826"),
    ],
)
def test_rfc_6238_appendix_b(now: int, sha1: str, sha256: str, sha512: str) -> None:
    codes = {"sha1": sha1, "sha256": sha256, "sha512": sha512}
    for algorithm, secret in RFC_SECRETS.items():
        parameters = Parameters(algorithm=algorithm, digits=8)
        assert code_at(secret, step_at(now, parameters), parameters) == codes[algorithm]


@pytest.mark.parametrize(
    "parameters",
    [
        USUAL,
        Parameters(digits=8, period=60),
        Parameters(algorithm="sha256"),
        Parameters(algorithm="sha512", digits=7),
    ],
)
def test_pyotp_makes_the_same_codes(parameters: Parameters) -> None:
    for _ in range(20):
        secret = new_secret()
        theirs = pyotp.TOTP(
            secret_text(secret),
            digits=parameters.digits,
            digest=getattr(hashlib, parameters.algorithm),
            interval=parameters.period,
        )
        assert code_at(secret, step_at(NOW, parameters), parameters) == theirs.at(NOW)


@pytest.mark.parametrize("off", [-1, 0, 1])
def test_the_step_whose_code_was_typed_is_found(off: int) -> None:
    assert matching_step(RFC_SECRET, code_at(RFC_SECRET, STEP + off), now=NOW) == STEP + off


@pytest.mark.parametrize("off", [-2, 2, 10])
def test_steps_further_off_do_not_match(off: int) -> None:
    assert matching_step(RFC_SECRET, code_at(RFC_SECRET, STEP + off), now=NOW) is None


def test_a_known_drift_moves_the_window() -> None:
    ahead = Parameters(drift=3)
    assert step_at(NOW, ahead) == STEP + 3
    assert matching_step(RFC_SECRET, code_at(RFC_SECRET, STEP + 4), now=NOW, parameters=ahead) == STEP + 4
    assert matching_step(RFC_SECRET, code_at(RFC_SECRET, STEP), now=NOW, parameters=ahead) is None


def test_of_two_steps_with_one_code_the_later_is_found() -> None:
    one_digit = Parameters(digits=1)
    step = next(
        step
        for step in range(100)
        if code_at(RFC_SECRET, step, one_digit) == code_at(RFC_SECRET, step + 1, one_digit)
    )
    code = code_at(RFC_SECRET, step, one_digit)
    assert matching_step(RFC_SECRET, code, now=step * 30, parameters=one_digit) == step + 1


@pytest.mark.parametrize(
    "typed",
    ["", " ", "12345", "1234567", "12345a", "-12345", "1_2345", "\u0661\u0662\u0663\u0664\u0665\u0666"],
)
def test_what_is_no_code_matches_nothing(typed: str) -> None:
    assert matching_step(RFC_SECRET, typed, now=NOW) is None


def test_other_digits_of_the_right_value_do_not_match() -> None:
    code = code_at(RFC_SECRET, STEP)
    assert matching_step(RFC_SECRET, code.translate({48 + n: 0x660 + n for n in range(10)}), now=NOW) is None


def test_new_secrets_have_160_bits() -> None:
    assert len({new_secret() for _ in range(10)}) == 10
    assert len(new_secret()) * 8 == 160


def test_each_is_shown_a_secret_of_the_same_length_that_tells_nothing_of_the_others() -> None:
    seed = new_secret()
    shown = [secret_for(seed, whom) for whom in ("session 1", "session 2", "half-login 1")]
    assert shown[0] == secret_for(seed, "session 1") != secret_for(new_secret(), "session 1")
    assert len({seed, *shown}) == 4
    assert {len(secret) for secret in shown} == {20}


@pytest.mark.parametrize("size", [1, 2, 3, 4, 5, 10, 20, 32])
def test_a_secret_is_read_as_people_write_it(size: int) -> None:
    secret = RFC_SECRET[:size] + bytes(max(0, size - 20))
    text = secret_text(secret)
    assert "=" not in text
    spaced = " ".join(text[at : at + 4] for at in range(0, len(text), 4)).lower()
    padded = text + "=" * (-len(text) % 8)
    for form in (text, padded, f"\t{spaced}\n", text.lower()):
        assert parse_secret(form) == secret


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("", "is empty"),
        (" == ", "is empty"),
        ("ABC1DEFG", "is not base32: character 4 (white space aside) is not of its alphabet"),
        ("AB C!", "is not base32: character 4 (white space aside) is not of its alphabet"),
        ("AB=CDEFG", "is not base32: character 3 (white space aside) is not of its alphabet"),
        ("\u015fABC", "is not base32: character 1 (white space aside) is not of its alphabet"),
        ("A", "is not base32: 1 characters can't be a whole secret (is its end missing?)"),
        ("ABC", "is not base32: 3 characters can't be a whole secret (is its end missing?)"),
        ("ABCDEFGHABCDEF", "is not base32: 14 characters can't be a whole secret (is its end missing?)"),
    ],
)
def test_what_is_no_secret_is_named(text: str, fault: str) -> None:
    with pytest.raises(MalformedSecretError) as raised:
        parse_secret(text, name="totp_secret")
    assert (raised.value.message, raised.value.remedy) == (f"totp_secret {fault}", REMEDY)


@pytest.mark.parametrize("account", ["ada", "ada@example.com", "a:b/c?d&e", "Şükrü Ünal"])
def test_an_app_reads_the_address_of_a_secret_as_it_was_meant(account: str) -> None:
    read = pyotp.parse_uri(key_uri(RFC_SECRET, issuer="Practicus: MFA & more", account=account))
    assert isinstance(read, pyotp.TOTP)
    assert (read.secret, read.digits, read.interval) == (secret_text(RFC_SECRET), 6, 30)
    assert (read.name, read.issuer) == (account, "Practicus: MFA & more")
    assert read.at(NOW) == code_at(RFC_SECRET, STEP)
