"""YAML and TOML: what is refused, and that no message quotes the file."""

from __future__ import annotations

from pathlib import Path

import pytest

from practicus_mfa.documents import dump_yaml, parse_toml, parse_yaml, read_document
from practicus_mfa.errors import UsageError

KEY = "c2VjcmV0LWtleS1zZWNyZXQta2V5LXNlY3JldC1rZXk="

NO_END = "expected <block end>, but found"
NO_TAG = "could not determine a constructor for the tag"


@pytest.mark.parametrize(
    ("text", "tree"),
    [
        ("", None),
        ("# nothing\n", None),
        ("a: {b: [1, true, null, x]}", {"a": {"b": [1, True, None, "x"]}}),
        ('{"a": 1}', {"a": 1}),
        ("base: &b {x: 1}\nmore: &m {y: 2}\nall: {<<: *b, z: 3}\ntwo:\n  <<: *b\n  <<: *m", {
            "base": {"x": 1}, "more": {"y": 2}, "all": {"x": 1, "z": 3}, "two": {"x": 1, "y": 2},
        }),
        ("a: {x: 1}\nb: {x: 2}", {"a": {"x": 1}, "b": {"x": 2}}),
    ],
)  # fmt: skip
def test_yaml_is_read(text: str, tree: object) -> None:
    assert parse_yaml(text, "test") == tree


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: 1\na: 2", "file, line 2, column 1: the name a stands there twice"),
        (f"b:\n  {KEY}: 1\n  {KEY}: 2", "file, line 3, column 3: the name (not shown) stands there twice"),
        (f"a:\n  b: {KEY}\n c: x", f"file, line 3, column 2: {NO_END} '<block mapping start>'"),
        (f'a: "{KEY}', "file, line 1, column 49: found unexpected end of stream"),
        ("a: 1\n---\nb: 2", "file, line 2, column 1: but found another document"),
        (f"a: *{KEY.rstrip('=')}", "file, line 1, column 4: found undefined alias (not shown)"),
        (f"a: !{KEY.rstrip('=')} x", f"file, line 1, column 4: {NO_TAG} (not shown)"),
        ("a: [1", "file, line 1, column 6: expected ',' or ']', but got '<stream end>'"),
        ("a: \x00", "file: a character or a value that YAML can't hold"),
        ("a: 2026-13-45", "file: a character or a value that YAML can't hold"),
        ("{[a]: 1}", "file, line 1, column 2: found unhashable key"),
        ("[" * 5_000, "file: sections within sections without end"),
    ],
)  # fmt: skip
def test_yaml_that_can_t_be_read_is_told_by_its_place(text: str, message: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_yaml(text, "file")
    assert caught.value.message == message
    assert caught.value.remedy == "correct the file and try again; nothing was changed"
    # Nor may a traceback quote it.
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__


def test_toml_is_read() -> None:
    assert parse_toml('dataDir = "x"\n[a]\nb = 1', "test") == {"dataDir": "x", "a": {"b": 1}}


def test_toml_that_can_t_be_read_is_told_by_its_place() -> None:
    with pytest.raises(UsageError) as caught:
        parse_toml(f'a = "{KEY}', "file")
    assert caught.value.message == "file: Unterminated string (at end of document)"


def test_the_name_says_which_of_the_two(tmp_path: Path) -> None:
    (tmp_path / "a.toml").write_text("a = 1")
    (tmp_path / "a.yaml").write_text("a: 1")
    (tmp_path / "a").write_text("a: 1")
    assert [read_document(tmp_path / name) for name in ("a.toml", "a.yaml", "a")] == [{"a": 1}] * 3


def test_yaml_is_written_as_people_read_it() -> None:
    same = ["x"]
    text = dump_yaml({"b": {"name": "Şükrü", "id": "123456789012"}, "a": same, "c": same})
    assert text == "b:\n  name: Şükrü\n  id: '123456789012'\na:\n  - x\nc:\n  - x\n"
    assert parse_yaml(text, "test") == {"b": {"name": "Şükrü", "id": "123456789012"}, "a": ["x"], "c": ["x"]}
