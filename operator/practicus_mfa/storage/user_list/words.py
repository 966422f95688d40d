"""The words of a text, the same on every database: what separates them, and what capitals are.

Databases differ in what they hold to be a letter and its small form: PostgreSQL goes by the locale that it
was made with (in ``C`` it knows ASCII alone), SQLite knows ASCII alone. So the list of characters is ours. It
has the capitals of Latin, Greek and Cyrillic as Europe, Turkey, Central Asia and Vietnam write them; letters
of other scripts with capitals are compared as they are, but in user names, whose keys are folded already. The
letter i is one of four in Turkish, with and without a dot, and one here: any keyboard finds them.

The index of words on PostgreSQL is built of the same list: whoever changes that has to build it anew.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Mapping
from typing import Final

LONGEST: Final = 450
"""Characters of the longest word: the key of a user name of 150 characters may have three for each."""

# PostgreSQL looks a character up from the left: what stays as it is stands first, and is found at once.
_OFTEN: Final = "eainrostlumdkcbgyhpvfzjxwq0123456789"

_ASCII_SEPARATORS: Final = " @._-!\"#$%&'()*+,/:;<=>?[\\]^`{|}~\t\n\r"
_SEPARATORS: Final = _ASCII_SEPARATORS + "".join(
    map(
        chr,
        (
            *range(0xA0, 0xAA),
            *range(0xAB, 0xB2),
            *(0xB4, 0xB6, 0xB7, 0xB8, 0xBB, 0xBF, 0xD7, 0xF7),
            *range(0x2000, 0x200B),
            *range(0x2010, 0x2028),
            *range(0x202F, 0x205F),
            *(0x20AC, 0x20BA, 0x3000, 0x3001, 0x3002),
        ),
    )
)

_BLOCKS: Final = (
    (0x41, 0x5B),
    (0xC0, 0xDF),  # Latin-1
    (0x100, 0x180),  # Latin Extended-A
    *((0x18F, 0x190), (0x1A0, 0x1A2), (0x1AF, 0x1B0), (0x218, 0x21C)),  # Azerbaijani, Vietnamese, Romanian
    *((0x386, 0x3AC), (0x400, 0x430)),  # Greek, Cyrillic
    *((0x490, 0x4C0), (0x4D8, 0x4DA), (0x4E8, 0x4EA)),  # Cyrillic of Central Asia
    *((0x1E9E, 0x1E9F), (0x1EA0, 0x1F00)),  # the capital sharp s, Vietnamese
)

_SPECIAL: Final = {"\u0130": "i", "\u0131": "i", "\u03c2": "\u03c3"}
"""The dotted capital i, the dotless small one, and the sigma at a word's end."""

_DROPPED: Final = "\u0307"
"""The dot above, which folding leaves behind the i of a dotted capital one."""


def _small_forms() -> Iterator[tuple[str, str]]:
    yield from ((character, character) for character in _OFTEN)
    yield from ((character, " ") for character in _ASCII_SEPARATORS)
    for begin, end in _BLOCKS:
        for character in map(chr, range(begin, end)):
            small = _SPECIAL.get(character, character.lower())
            # A pair of capital and small letter never changes (Unicode's stability policy).
            if unicodedata.category(character) == "Lu" and len(small) == 1:
                yield character, small
    yield from ((character, _SPECIAL[character]) for character in ("\u0131", "\u03c2"))
    yield from ((character, " ") for character in _SEPARATORS[len(_ASCII_SEPARATORS) :])


_PAIRS: Final = tuple(_small_forms())

REPLACED: Final = "".join(old for old, _ in _PAIRS) + _DROPPED
"""The characters that are replaced by those at the same places of :data:`REPLACEMENTS`, or dropped."""

REPLACEMENTS: Final = "".join(new for _, new in _PAIRS)

_TABLE: Final[Mapping[int, str | None]] = {
    **{ord(old): new for old, new in _PAIRS},
    ord(_DROPPED): None,
    0: " ",
}

SHARP_S: Final = ("\u00df", "ss")
"""What two letters stand for; done after the other replacements."""


def fold(text: str) -> str:
    """Return *text* in small letters, a space for everything that separates words."""
    return text.translate(_TABLE).replace(*SHARP_S)


def words(text: str) -> tuple[str, ...]:
    """Return the words of *text*, each once, in small letters."""
    return tuple(dict.fromkeys(word for word in fold(unicodedata.normalize("NFC", text)).split(" ") if word))
