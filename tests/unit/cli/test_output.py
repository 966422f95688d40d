"""Results: three forms with stable names, and nothing of a database's text acts on the terminal."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import click
import pytest
import yaml
from click.testing import CliRunner

from practicus_mfa.cli.invocation import Invocation
from practicus_mfa.cli.output import (
    Column,
    cell,
    output_option,
    plain,
    printable,
    show_rows,
    show_tree,
)
from practicus_mfa.core.keyring import KeyState
from practicus_mfa.settings import Form

COLUMNS = (Column("NAME", "name"), Column("ROWS", "rows", right=True), Column("OK", "ok"))
ROWS: tuple[Mapping[str, object], ...] = (
    {"name": "a", "rows": 5, "ok": True, "more": "x"},
    {"name": "longer", "rows": 12_345, "ok": None, "more": "y"},
)
MOMENT = datetime(2026, 1, 2, 5, 4, 5, tzinfo=timezone(timedelta(hours=2)))


def test_a_table_is_plain_columns_where_there_is_no_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    show_rows(ROWS, COLUMNS, "table")
    out, err = capsys.readouterr()
    assert out.splitlines() == ["NAME     ROWS  OK", "a           5  yes", "longer  12345  -"]
    assert err == ""


def test_columns_stand_below_each_other_whatever_the_letters(capsys: pytest.CaptureFixture[str]) -> None:
    show_rows([{"name": "ユーザー"}, {"name": "u\u0308x"}], (Column("N", "name"), Column("O", "o")), "table")
    assert capsys.readouterr().out == "N         O\nユーザー  -\nu\u0308x        -\n"


def test_a_table_without_rows_says_so_beside_the_result(capsys: pytest.CaptureFixture[str]) -> None:
    show_rows([], COLUMNS, "table", empty="No users.")
    assert capsys.readouterr() == ("", "No users.\n")


@pytest.mark.parametrize("rows", [(), ROWS[:1], ROWS], ids=len)
@pytest.mark.parametrize("form", ["json", "yaml"])
def test_programs_are_given_every_name(
    form: Form, rows: tuple[Mapping[str, object], ...], capsys: pytest.CaptureFixture[str]
) -> None:
    show_rows(rows, COLUMNS, form)
    out = capsys.readouterr().out
    read = json.loads(out) if form == "json" else yaml.safe_load(out)
    assert read == [dict(row) for row in rows]


def test_json_is_written_row_by_row(capsys: pytest.CaptureFixture[str]) -> None:
    written = []

    def rows() -> Iterator[Mapping[str, object]]:
        for number in range(3):
            yield {"number": number}
            written.append(capsys.readouterr().out)

    show_rows(rows(), COLUMNS, "json")
    assert written == ['[\n  {"number": 0}', ',\n  {"number": 1}', ',\n  {"number": 2}']


def test_a_tree_is_printed_whole(capsys: pytest.CaptureFixture[str]) -> None:
    tree = {"b": MOMENT, "a": [KeyState.ACTIVE, Path("x"), frozenset({"z", "y"}), None, 1.5], 3: (1, True)}
    expected = {
        "b": "2026-01-02T03:04:05Z",
        "a": ["active", "x", ["y", "z"], None, 1.5],
        "3": [1, True],
    }
    show_tree(tree, "json")
    as_json = capsys.readouterr().out
    assert json.loads(as_json) == expected
    assert as_json.index('"b"') < as_json.index('"a"')
    show_tree(tree, "yaml")
    assert yaml.load(capsys.readouterr().out, Loader=yaml.BaseLoader)["b"] == "2026-01-02T03:04:05Z"  # noqa: S506  (BaseLoader makes text alone)


def test_what_has_no_form_is_a_slip_of_the_program() -> None:
    for value in (b"bytes", object()):
        with pytest.raises(TypeError):
            plain(value)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "-"),
        ("", "-"),
        (True, "yes"),
        (False, "no"),
        (0, "0"),
        (MOMENT, "2026-01-02 03:04:05Z"),
        (KeyState.ACTIVE, "active"),
        (["a", None], "a, -"),
        ((), "-"),
        (Path("a"), "a"),
        ("Şükrü", "Şükrü"),
        ("red \x1b[31m", "red \\x1b[31m"),
        ("two\nlines", "two\\nlines"),
        ("\u202egnp.exe", "\\u202egnp.exe"),
        ("\x9b31m", "\\x9b31m"),
    ],
)
def test_a_cell_is_one_line_that_acts_on_no_terminal(value: object, text: str) -> None:
    assert cell(value) == text


@pytest.mark.parametrize("form", ["table", "json", "yaml"])
def test_no_form_lets_control_characters_through(form: Form, capsys: pytest.CaptureFixture[str]) -> None:
    show_rows([{"name": "\x1b]0;title\x07 \x9b31m \u202e"}], COLUMNS, form)
    out = capsys.readouterr().out
    assert printable(out.replace("\n", "")) == out.replace("\n", "")


def test_a_terminal_gets_a_drawn_table_and_names_are_no_markup(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True, raising=False)
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "60")
    show_rows([{"name": "[red]a[/red]", "rows": 1, "ok": False}], COLUMNS, "table")
    out = capsys.readouterr().out
    assert "─" in out
    assert "[red]a[/red]" in out


def form_of(
    *arguments: str, invocation: Invocation | None = None, env: Mapping[str, str] | None = None
) -> str:
    @click.command()
    @output_option
    def command(output: Form) -> None:
        click.echo(output)

    result = CliRunner().invoke(
        command, list(arguments), obj=invocation, env=dict(env or {}), catch_exceptions=False
    )
    return result.output.strip()


def test_the_form_is_a_flag_s_then_a_setting_s_then_a_table(tmp_path: Path) -> None:
    file = tmp_path / "mfa.yaml"
    file.write_text("output: yaml")
    variable: dict[str, Any] = {"PRACTICUS_MFA_OUTPUT": "json"}
    assert form_of() == "table"
    assert form_of(invocation=Invocation(config=file)) == "yaml"
    assert form_of(invocation=Invocation(config=file), env=variable) == "json"
    assert form_of("-o", "table", invocation=Invocation(config=file), env=variable) == "table"


def test_moments_are_told_in_utc() -> None:
    assert plain(MOMENT) == plain(MOMENT.astimezone(UTC)) == "2026-01-02T03:04:05Z"
