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
from practicus_mfa.crypto.pages import Binding, PageRow, Rotated, rotate_page
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


CASES: Final[list[tuple[str, Binding, Callable[[int], bytes], str]]] = [
    ("TOTP secrets, ours", Binding.OWNER, _secret, ""),
    ("TOTP secrets, bare", Binding.BARE, _secret, ""),
    ("1,000 bytes", Binding.BARE, _kilobyte, ""),
    ("0 to 1,000 bytes", Binding.BARE, _any_length, ""),
    ("TOTP secrets, with a line end", Binding.OWNER, _secret, "\n"),
]
"""What is in the tokens, whether they are bound, how one is made, and what stands after each."""


def _pages(
    rows: int, binding: Binding, plaintext: Callable[[int], bytes], ending: str
) -> list[list[PageRow[str]]]:
    seal = OLD.fernet().encrypt_at_time
    page = [
        PageRow(
            seal(plaintext(row), NOW).decode() + ending, OLD.id, row if binding is Binding.OWNER else None
        )
        for row in range(rows)
    ]
    return [page[at : at + PAGE_ROWS] for at in range(0, rows, PAGE_ROWS)]


def _engine(pages: list[list[PageRow[str]]], binding: Binding) -> None:
    for page in pages:
        outcomes = rotate_page(page, keys=KEYS, write_key=NEW.id, binding=binding)
        assert all(type(outcome) is Rotated for outcome in outcomes)


def _library(pages: list[list[PageRow[str]]]) -> None:
    fernet = MultiFernet([NEW.fernet(), OLD.fernet()])
    for page in pages:
        for row in page:
            fernet.rotate(row.token)


def _seconds(work: Callable[[], None]) -> float:
    before = process_time()
    work()
    return process_time() - before


def measure(rows: int) -> list[tuple[str, float, float]]:
    """Return, for each case, its name and the tokens a second of engine and library."""
    results = []
    for name, binding, plaintext, ending in CASES:
        pages = _pages(rows, binding, plaintext, ending)
        turns = [
            (_seconds(lambda: _engine(pages, binding)), _seconds(lambda: _library(pages)))  # noqa: B023 - called at once
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
