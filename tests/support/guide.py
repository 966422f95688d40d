"""A guide of the documents as a person follows it: its sections, and the commands and files in them."""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.support.installation import PROGRAM, Ended, call

ROOT: Final = Path(__file__).parents[2]
LOCKED_OUT: Final = ROOT / "docs" / "how-to" / "locked-out.md"

_BLOCK: Final = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True)
class Section:
    """A section of a guide.

    Attributes:
        blocks: Language and text of each block of code, in their order.
    """

    blocks: tuple[tuple[str, str], ...]

    def texts(self, language: str) -> list[str]:
        """Return the blocks of one language."""
        return [text for written_in, text in self.blocks if written_in == language]

    def commands(self, number: int = 0) -> list[str]:
        """Return the commands of one block for the shell."""
        return [line.partition("#")[0].strip() for line in self.texts("sh")[number].splitlines()]


def sections(guide: Path = LOCKED_OUT) -> dict[str, Section]:
    """Return the sections of a guide by their headings."""
    first, *parts = re.split(r"^## (.*)$", guide.read_text("utf-8"), flags=re.MULTILINE)
    assert first.startswith("# ")
    return {
        heading: Section(tuple((found[1], found[2]) for found in _BLOCK.finditer(text)))
        for heading, text in zip(parts[::2], parts[1::2], strict=True)
    }


def words_of(command: str) -> list[str]:
    """Return a command of the guide as this machine runs it: the program is the one of the tests."""
    program, *arguments = shlex.split(command)
    assert program == "practicus-mfa", command
    return [*PROGRAM, *arguments]


def type_in(command: str, folder: Path) -> Ended:
    """Type a command of the guide in a folder, and wait for its end."""
    return call(*words_of(command), folder=folder)
