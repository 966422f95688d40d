"""Recovery codes."""

from __future__ import annotations

import re

import pytest

from practicus_mfa.crypto.recovery_codes import code_hash, new_codes, normal

CODE = "ABCDE-FGHIJ-KLMNO-PQRST-UVWXYZ"
PLAIN = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"


def test_ten_codes_of_128_bits_in_groups() -> None:
    codes = new_codes()
    assert len(set(codes)) == 10
    assert all(re.fullmatch(r"([A-Z2-7]{5}-){4}[A-Z2-7]{6}", code) for code in codes)
    # Each place varies, the last one among the eight characters that are left for three bits.
    many = [normal(code) or "" for code in new_codes(1_000)]
    assert [len({code[place] for code in many}) for place in range(26)] == [32] * 25 + [8]


@pytest.mark.parametrize(
    "typed",
    [
        CODE,
        PLAIN,
        CODE.lower(),
        f"  {CODE}\n",
        CODE.replace("-", " "),
        CODE.replace("-", "\u2013"),
        CODE.replace("-", "."),
        "abcde_fgh1j_klmn0_pqrst_uvwxyz",
        PLAIN.replace("B", "8"),
        PLAIN.replace("I", "\u0130"),
        PLAIN.lower().replace("i", "\u0131"),
    ],
)
def test_it_is_read_as_people_copy_it(typed: str) -> None:
    assert normal(typed) == PLAIN
    assert code_hash(typed) == code_hash(CODE)


@pytest.mark.parametrize(
    "typed",
    [
        "",
        "-",
        "123456",
        PLAIN[:-1],
        PLAIN + "A",
        PLAIN[:-1] + "9",
        PLAIN[:-1] + "\u015f",
        PLAIN[:-1] + "\u0661",
        PLAIN[:-2] + "\u00df",
        PLAIN[:-1] + "\ud800",
    ],
)
def test_what_can_not_be_a_code(typed: str) -> None:
    assert normal(typed) is None
    assert code_hash(typed) is None


def test_only_a_hash_is_kept() -> None:
    one, other = new_codes(2)
    kept = code_hash(one)
    assert kept is not None
    assert len(kept) == 32
    assert kept != code_hash(other)
