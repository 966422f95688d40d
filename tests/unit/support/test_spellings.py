from __future__ import annotations

from base64 import b64encode, urlsafe_b64decode, urlsafe_b64encode

import pytest

from practicus_mfa.crypto.keys import generate_key
from tests.support.cluster.spellings import found

KEY = generate_key().text
STANDARD = KEY.translate(str.maketrans("-_", "+/"))


@pytest.mark.parametrize("before", range(4))
@pytest.mark.parametrize("around", range(4))
def test_a_key_is_found_wherever_it_stands_encoded_once_or_twice(before: int, around: int) -> None:
    for key in (KEY, STANDARD):
        text = b"x" * before + key.encode() + b"y" * around
        for encode in (b64encode, urlsafe_b64encode):
            once = encode(text)
            twice = encode(b"z" * around + once + b"w" * before)
            texts = [("plain", text.decode()), ("once", once.decode()), ("twice", twice.decode())]
            assert found(KEY, [*texts, ("clean", generate_key().text)]) == ["plain", "once", "twice"]


def test_the_bytes_of_a_key_are_found_in_hex() -> None:
    assert found(KEY, [("hex", f"it was {urlsafe_b64decode(KEY).hex()}.")]) == ["hex"]
