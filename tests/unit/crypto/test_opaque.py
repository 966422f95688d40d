"""Tokens of cookies, links and forms."""

from __future__ import annotations

import hashlib
import re

from practicus_mfa.crypto.opaque import digest, form_token, is_form_token, new_token, token_hash


def test_a_token_is_256_random_bits_of_text() -> None:
    tokens = {new_token() for _ in range(100)}
    assert len(tokens) == 100
    assert all(re.fullmatch(r"[A-Za-z0-9_-]{43}", token) for token in tokens)


def test_what_is_kept_of_a_token_is_its_sha256() -> None:
    token = new_token()
    assert token_hash(token) == hashlib.sha256(token.encode("ascii")).digest()
    assert len({token_hash(text) for text in ("", token, token.lower(), "\u015f", "\ud800")}) == 5


def test_a_forms_token_is_good_for_one_cookie() -> None:
    one, other = new_token(), new_token()
    given = form_token(one)
    assert one not in given
    assert is_form_token(one, given)
    assert not is_form_token(other, given)
    for wrong in ("", one, given.upper(), given[:-1], f"{given} ", "\u015f", "\ud800"):
        assert not is_form_token(one, wrong)


def test_without_a_cookie_no_form_is_good() -> None:
    assert not is_form_token("", form_token(""))


def test_a_digest_keeps_parts_apart() -> None:
    lists = [("ab", "c"), ("a", "bc"), ("abc",), ("abc", ""), ("", "abc"), (), ("",)]
    assert len({digest(*parts) for parts in lists}) == len(lists)
    assert re.fullmatch(r"[0-9a-f]{64}", digest("a", "\ud800"))
