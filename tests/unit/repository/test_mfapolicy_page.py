"""The page about MfaPolicy tells every field as the definition has it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest
import yaml

ROOT: Final = Path(__file__).parents[3]
PAGE: Final = (ROOT / "docs" / "reference" / "mfapolicy.md").read_text("utf-8")
VERSION: Final = yaml.safe_load((ROOT / "crds" / "mfapolicies.yaml").read_text("utf-8"))["spec"]["versions"][
    0
]


def fields(path: str, schema: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for name, field in schema.get("properties", {}).items():
        place = f"{path}.{name}" if path else name
        yield place, field
        yield from fields(place, field)
        yield from fields(f"{place}[]", field.get("items", {}))


@pytest.mark.parametrize("part", ["spec", "status"])
def test_every_field_stands_there_with_its_words_bounds_and_default(part: str) -> None:
    table = PAGE.partition(f"\n## {part.capitalize()}\n")[2].partition("\n## ")[0]
    told = re.findall(r"^\| `([\w.\[\]]+)` \| (.*) \|$", table, re.MULTILINE)
    wanted = list(fields("", VERSION["schema"]["openAPIV3Schema"]["properties"][part]))
    assert [path for path, _ in told] == [path for path, _ in wanted]
    for (path, cells), (_, field) in zip(told, wanted, strict=True):
        assert cells.endswith(f"| {' '.join(field['description'].split())}"), path
        for bound in ("minimum", "maximum"):
            assert bound not in field or f"{field[bound]:,}" in cells, path
        default = field.get("default", {})
        if default != {}:
            assert f"| `{str(default).lower() if isinstance(default, bool) else default}` |" in cells, path


def test_every_column_stands_there() -> None:
    table = PAGE.partition("\n## Columns\n")[2].partition("\n## ")[0]
    told = re.findall(r"^\| `([\w-]+)`(?: \(wide\))? \| (.*) \|$", table, re.MULTILINE)
    assert told == [(column["name"], column["description"]) for column in VERSION["additionalPrinterColumns"]]
