"""YAML and TOML files as trees of plain values.

YAML's reader forgives what a person would want to hear of: a name that stands twice in one section counts
once, the last. And its errors print the line they mean, which may hold a key. Here the first is an error,
and errors name places only.
"""

from __future__ import annotations

import re
from collections.abc import Hashable
from pathlib import Path
from typing import Any, Final

import yaml

from practicus_mfa.errors import UsageError
from practicus_mfa.faults import HIDDEN, shown
from practicus_mfa.files import read_text

_QUOTED: Final = re.compile(r"(?P<mark>['\"]).+?(?P=mark)")
# Punctuation, or what YAML calls a token ("<block end>"); anything else comes from the file.
_HARMLESS: Final = re.compile(r"['\"](\W{1,2}|<[a-z ]+>)['\"]")


def _unquoted(problem: str) -> str:
    """Return what a parser complains about, without what it quotes from the file."""
    return _QUOTED.sub(lambda found: found[0] if _HARMLESS.fullmatch(found[0]) else HIDDEN, problem)


class _NamesOnce(yaml.constructor.SafeConstructor):
    """Refuses a name that stands twice in one section."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        """Return a section's names and values."""
        names: set[object] = set()
        for key, _ in node.value:
            # Of merges (<<) there may be several.
            if key.tag == "tag:yaml.org,2002:merge" or not isinstance(key, yaml.ScalarNode):
                continue
            if key.value in names:
                problem = f"the name {shown(key.value)} stands there twice"
                raise yaml.constructor.ConstructorError(problem=problem, problem_mark=key.start_mark)
            names.add(key.value)
        return super().construct_mapping(node, deep=deep)


class _Loader(_NamesOnce, yaml.SafeLoader):
    """YAML's safe reader, whose messages say where and what."""


class _QuickLoader(_NamesOnce, getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]
    """libyaml's, where PyYAML was built with it: several times as fast, with fewer words for a fault."""


class _Dumper(yaml.SafeDumper):
    """YAML's writer, with lists set in and nothing abbreviated: what people read."""

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:
        """Set lists in below their name."""
        del indentless
        super().increase_indent(flow, indentless=False)

    def ignore_aliases(self, data: object) -> bool:
        """Write a value that occurs twice twice."""
        del data
        return True


def read_document(path: Path) -> object:
    """Return the tree of the file at *path*: TOML where its name ends so, else YAML (or JSON, a part of it).

    Raises:
        UsageError: The file can't be read, or it is not of that form.
    """
    text = read_text(path)
    return parse_toml(text, str(path)) if path.suffix == ".toml" else parse_yaml(text, str(path))


def parse_yaml(text: str, source: str) -> object:
    """Return the tree of one YAML document, ``None`` for an empty one; messages call it *source*.

    Raises:
        UsageError: It is not YAML, has more than one document, or a name twice in one section.
    """
    try:
        return _load_yaml(text)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        place = f", line {mark.line + 1}, column {mark.column + 1}" if mark else ""
        problem = _unquoted(error.problem or "not YAML")
        raise _not_readable(f"{source}{place}: {problem}") from None
    except (yaml.YAMLError, ValueError):
        # The reader's own words quote the file: they are not chained.
        raise _not_readable(f"{source}: a character or a value that YAML can't hold") from None
    except RecursionError:
        raise _not_readable(f"{source}: sections within sections without end") from None


def _load_yaml(text: str) -> object:
    try:
        return yaml.load(text, Loader=_QuickLoader)  # noqa: S506  (it is a safe loader)
    except (yaml.YAMLError, ValueError, RecursionError):
        # Once more, for the message.
        return yaml.load(text, Loader=_Loader)  # noqa: S506  (it is a safe loader)


def parse_toml(text: str, source: str) -> dict[str, Any]:
    """Return the tree of a TOML document; messages call it *source*.

    Raises:
        UsageError: It is not TOML.
    """
    import tomllib  # here: YAML is the rule

    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise _not_readable(f"{source}: {_unquoted(str(error))}") from None


def dump_yaml(tree: object, *, ascii_only: bool = False) -> str:
    """Return *tree* as YAML, names in the order they have.

    Args:
        tree: Plain values.
        ascii_only: Spell other letters out, as text that comes from anybody must be for a terminal.
    """
    text = yaml.dump(tree, Dumper=_Dumper, sort_keys=False, allow_unicode=not ascii_only, width=110)
    assert isinstance(text, str)  # noqa: S101  (it returns bytes only where an encoding is given)
    return text


def _not_readable(message: str) -> UsageError:
    return UsageError(message, remedy="correct the file and try again; nothing was changed")
