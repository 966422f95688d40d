"""Progress: on standard error, a line at each tenth where there is no terminal."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from practicus_mfa.cli.progress import progress

if TYPE_CHECKING:
    import pytest


def test_a_line_at_each_tenth(capsys: pytest.CaptureFixture[str]) -> None:
    with progress("Rows", 2_000) as advance:
        for _ in range(20):
            advance(100)
    out, err = capsys.readouterr()
    assert out == ""
    assert err.splitlines() == [f"Rows: {done:,} of 2,000" for done in range(200, 2_001, 200)]


def test_a_big_step_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    with progress("Rows", 10) as advance:
        advance(7)
        advance(8)
    assert capsys.readouterr().err == "Rows: 7 of 10\nRows: 15 of 10\n"


def test_nothing_to_do_is_done_at_once(capsys: pytest.CaptureFixture[str]) -> None:
    with progress("Rows", 0) as advance:
        advance(0)
    assert capsys.readouterr().err == "Rows: 0 of 0\n"


def test_a_terminal_gets_a_bar(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    monkeypatch.setenv("TERM", "xterm")
    with progress("Rows", 10) as advance:
        advance(10)
    out, err = capsys.readouterr()
    assert out == ""
    assert "Rows" in err
    assert "10/10" in err
