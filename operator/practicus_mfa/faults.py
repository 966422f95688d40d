"""Faults of a configuration: all of them at once, each with its place and what to do about it.

Whoever reads a configuration collects every :class:`Fault` before it gives up, so that a person corrects
a file once. A fault names places and types; it never quotes a key, a password or a database URL.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Final

from practicus_mfa.errors import UsageError

# A key in the place of a name ("activeKey:gAAA…", the blank forgotten) is longer than any name of ours.
_SHOWN: Final = re.compile(r"[A-Za-z0-9_.\-]{1,40}", re.ASCII)

HIDDEN: Final = "(not shown)"
"""Stands for a name that may be a secret in the wrong place."""

_ALIKE: Final = 0.6
"""How alike two names must be (``difflib`` ratio, 0 to 1) for one to be proposed for the other."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One fault of a configuration.

    Attributes:
        path: Where it is, names joined by dots, ``[n]`` for the n-th entry of a list, counted from 0.
        problem: What is wrong, without the value where that could be a secret.
        remedy: What to do about it.
    """

    path: str
    problem: str
    remedy: str

    @property
    def line(self) -> str:
        """The fault in one line."""
        return f"{self.path}: {self.problem}; {self.remedy}"


class InvalidConfiguration(UsageError):  # noqa: N818  (it names what is invalid, as its faults do)
    """A configuration that can't be used; nothing was changed.

    Attributes:
        faults: Every fault that was found, in the order of the configuration.
        source: What was read: a file's name, or a word for it.
    """

    def __init__(self, faults: Iterable[Fault], *, source: str, remedy: str = "") -> None:
        """Make one line of each fault; several stand below a line that counts them.

        Args:
            faults: At least one.
            source: What was read.
            remedy: What to do about them all, where that is not to correct the source.
        """
        self.faults: Final = tuple(faults)
        self.source: Final = source
        if len(self.faults) == 1:
            message = f"{source}: {self.faults[0].line}"
        else:
            message = "\n".join(
                [f"{source}: {len(self.faults)} faults", *(f"  {fault.line}" for fault in self.faults)]
            )
        super().__init__(message, remedy=remedy or f"correct {source} and try again; nothing was changed")


def shown(name: object) -> str:
    """Return *name* as a message may show it: a short plain name as it is, anything else hidden."""
    text = str(name)
    return text if _SHOWN.fullmatch(text) else HIDDEN


def nearest(name: str, known: Iterable[str]) -> str | None:
    """Return the name of *known* that *name* was probably meant to be, whatever its case."""
    by_folded = {candidate.casefold(): candidate for candidate in known}
    match get_close_matches(name.casefold(), by_folded, n=1, cutoff=_ALIKE):
        case [closest]:
            return by_folded[closest]
        case _:
            return None


def unknown(path: str, name: object, known: Sequence[str], *, elsewhere: str | None = None) -> Fault:
    """Return the fault of a name that nobody reads.

    Args:
        path: Where the name stands, with a dot at its end unless it is empty.
        name: The name as it was written.
        known: The names that are read there.
        elsewhere: Where that very name would have been read, if anywhere.
    """
    if (closest := nearest(str(name), known)) is not None:
        remedy = f"did you mean {closest}?"
    elif elsewhere is not None:
        remedy = f"did you mean {elsewhere}?"
    else:
        remedy = f"known here: {', '.join(sorted(known))}" if known else "nothing is known here"
    return Fault(path=f"{path}{shown(name)}", problem="unknown", remedy=remedy)
