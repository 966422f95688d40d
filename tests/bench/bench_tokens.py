"""Tokens a second on one core: the page engine against ``MultiFernet.rotate``, side by side in one run.

    python tests/bench/bench_tokens.py [ROWS]

Both rotate the same tokens from an old key to a new one. They take turns, so that whatever else the machine
does meets both, and each one's fastest turn counts: what slows a turn down is somebody else.
"""

from __future__ import annotations

import os
import random
import sys
from time import process_time
from typing import TYPE_CHECKING, Final

from cryptography.fernet import MultiFernet

from practicus_mfa.crypto.keys import HeldKeys, generate_key
from practicus_mfa.crypto.pages import PageEngine
from practicus_mfa.crypto.rows import SealedPage
from practicus_mfa.crypto.tokens import bound

if TYPE_CHECKING:
    from collections.abc import Callable

ROWS: Final = 20_000
PAGE_ROWS: Final = 2_000
TURNS: Final = 7
NOW: Final = 1_700_000_000

OLD, NEW = generate_key(), generate_key()
KEYS: Final = HeldKeys([NEW, OLD])


def _secret(row: int) -> bytes:
    return bound(os.urandom(20), row)


def _kilobyte(_: int) -> bytes:
    return os.urandom(1_000)


def _any_length(row: int) -> bytes:
    return os.urandom(random.Random(row).randrange(1_000))


CASES: Final[list[tuple[str, bool, Callable[[int], bytes], str]]] = [
    ("TOTP secrets, ours", True, _secret, ""),
    ("TOTP secrets, bare", False, _secret, ""),
    ("1,000 bytes", False, _kilobyte, ""),
    ("0 to 1,000 bytes", False, _any_length, ""),
    ("TOTP secrets, with a line end", True, _secret, "\n"),
]
"""What is in the tokens, whether they are bound, how one is made, and what stands after each."""


def _pages(
    rows: int, is_bound: bool, plaintext: Callable[[int], bytes], ending: str
) -> list[SealedPage[str]]:
    seal = OLD.fernet().encrypt_at_time
    return [
        SealedPage(
            tokens=[seal(plaintext(row), NOW).decode() + ending for row in page],
            hints=[OLD.id] * len(page),
            owners=page if is_bound else None,
        )
        for page in (range(at, min(at + PAGE_ROWS, rows)) for at in range(0, rows, PAGE_ROWS))
    ]


def _engine(pages: list[SealedPage[str]]) -> None:
    engine = PageEngine(KEYS, NEW.id)
    for page in pages:
        done = engine.rotate(page)
        assert len(done.rotated) == len(page.tokens)


def _library(pages: list[SealedPage[str]]) -> None:
    fernet = MultiFernet([NEW.fernet(), OLD.fernet()])
    for page in pages:
        for token in page.tokens:
            fernet.rotate(token)


def _seconds(work: Callable[[], None]) -> float:
    before = process_time()
    work()
    return process_time() - before


def measure(rows: int) -> list[tuple[str, float, float]]:
    """Return, for each case, its name and the tokens a second of engine and library."""
    results = []
    for name, is_bound, plaintext, ending in CASES:
        pages = _pages(rows, is_bound, plaintext, ending)
        turns = [
            (_seconds(lambda: _engine(pages)), _seconds(lambda: _library(pages)))  # noqa: B023 - called at once
            for _ in range(TURNS)
        ]
        engine, library = (min(column) for column in zip(*turns, strict=True))
        results.append((name, rows / engine, rows / library))
    return results


def main(rows: int = ROWS) -> None:
    """Print the table."""
    print(f"\n{rows:,} tokens in pages of {PAGE_ROWS:,}, one core, CPU time, fastest of {TURNS} turns")
    print(f"{'tokens a second':<32}{'page engine':>14}{'MultiFernet':>14}{'ratio':>8}")
    for name, engine, library in measure(rows):
        print(f"{name:<32}{engine:>14,.0f}{library:>14,.0f}{engine / library:>8.1f}")


def test_tokens() -> None:
    main()


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else ROWS)
