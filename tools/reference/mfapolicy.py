"""The tables of the page about MfaPolicy, from its definition; the prose between them is written by hand."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import yaml

from tools.reference.schema import type_told

ROOT: Final = Path(__file__).resolve().parents[2]
PAGE: Final = ROOT / "docs" / "reference" / "mfapolicy.md"


def page() -> str:
    """Return the page as it is, with its tables as they should be."""
    definition = yaml.safe_load((ROOT / "crds" / "mfapolicies.yaml").read_text(encoding="utf-8"))
    version = definition["spec"]["versions"][0]
    parts = version["schema"]["openAPIV3Schema"]["properties"]
    text = PAGE.read_text(encoding="utf-8")
    text = _with_table(text, "Spec", [_row(*field, "default") for field in _fields("", parts["spec"])])
    text = _with_table(text, "Status", [_row(*field) for field in _fields("", parts["status"])])
    return _with_table(text, "Columns", [_column(column) for column in version["additionalPrinterColumns"]])


def _with_table(text: str, heading: str, rows: list[str]) -> str:
    """Return *text* with these rows in the first table below *heading*."""
    before, title, after = text.partition(f"\n## {heading}\n")
    table = re.compile(r"(^\|[-|]+\|\n)(?:\|.*\n)*", re.MULTILINE)
    told = "".join(f"{row}\n" for row in rows)
    return before + title + table.sub(lambda found: found[1] + told, after, count=1)


def _fields(path: str, schema: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    for name, field in schema.get("properties", {}).items():
        place = f"{path}.{name}" if path else name
        yield place, field
        yield from _fields(place, field)
        yield from _fields(f"{place}[]", field.get("items", {}))


def _row(path: str, field: Mapping[str, Any], *more: str) -> str:
    cells = [f"`{path}`", type_told(field), *(_default(field) for _ in more), _line(field["description"])]
    return f"| {' | '.join(cells)} |"


def _default(field: Mapping[str, Any]) -> str:
    default = field.get("default", {})
    if default == {}:
        return ""
    return f"`{str(default).lower() if isinstance(default, bool) else default}`"


def _column(column: Mapping[str, Any]) -> str:
    wide = " (wide)" if column.get("priority") else ""
    return f"| `{column['name']}`{wide} | {_line(column['description'])} |"


def _line(description: str) -> str:
    return " ".join(description.split())
