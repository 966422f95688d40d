"""A secret as it may stand elsewhere: as it is, in base64, or in base64 of that, wherever it begins there.

Base64 turns three bytes into four characters, so a text within a larger one has three spellings, and three
times three when that is encoded once more. Of each the middle is taken, which no neighbour changes.
"""

from __future__ import annotations

from base64 import b64encode, urlsafe_b64decode
from collections.abc import Iterable, Iterator

_URL_SAFE = str.maketrans("+/", "-_")
_STANDARD = str.maketrans("-_", "+/")


def encodings(text: str) -> Iterator[str]:
    """Return the middle of *text* in base64 at each alignment."""
    for before in range(3):
        encoded = b64encode(b"\0" * before + text.encode()).decode("ascii")
        # The first characters hold bits of what stands before, the last ones of what follows.
        yield encoded[(before * 8 + 5) // 6 : -4]


def spellings(key: str) -> frozenset[str]:
    """Return every spelling of a Fernet *key*: both alphabets, its bytes in hex, base64 once and twice."""
    plain = {text.rstrip("=") for text in (key.translate(_URL_SAFE), key.translate(_STANDARD))}
    once = {each for text in plain for each in encodings(text)}
    twice = {each for text in once for each in encodings(text)}
    again = {text.translate(_URL_SAFE) for text in once | twice}
    raw = urlsafe_b64decode(key.translate(_URL_SAFE)).hex()
    return frozenset(plain | once | twice | again | {raw, raw.upper()})


def found(key: str, texts: Iterable[tuple[str, str]]) -> list[str]:
    """Return the names of those *texts* (name and text) in which *key* stands, however it is spelled."""
    spelled = spellings(key)
    return [name for name, text in texts if any(each in text for each in spelled)]
