"""What the documents show of a values.yaml is what the chart takes."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import pytest
import yaml

from tests.support.chart import ACTIVE, CHART, ROLLING, Helm

ROOT: Final = CHART.parents[1]
BLOCK: Final = re.compile(r"^( *)```yaml\n(.*?)^\1```$", re.MULTILINE | re.DOTALL)
KNOWN: Final = frozenset(yaml.safe_load((CHART / "values.yaml").read_text("utf-8")))

IN_PLACE_OF: Final = {
    "the key that was printed": ACTIVE,
    "the new key": ACTIVE,
    "the key that was active": ROLLING,
}
"""What a person puts there."""

BASE: Final[Mapping[str, Any]] = {
    "secretStore": {"activeKey": ACTIVE},
    "database": {"existingSecret": "database"},
    "login": {"host": "login.example.com"},
}
"""What a part of a values.yaml stands beside."""


def _values_in(text: str) -> Iterator[dict[str, Any]]:
    for indentation, block in BLOCK.findall(text):
        lines = (line.removeprefix(indentation) for line in block.splitlines())
        for tree in yaml.safe_load_all("\n".join(lines)):
            if not isinstance(tree, dict):
                continue
            if tree.get("kind") == "HelmRelease":
                yield tree["spec"]["values"]
            elif tree.keys() <= KNOWN:
                yield tree


def _documented() -> Iterator[Any]:
    for document in [ROOT / "README.md", CHART / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]:
        for number, values in enumerate(_values_in(document.read_text("utf-8"))):
            yield pytest.param(values, id=f"{document.parent.name}-{document.stem}-{number}")


def _beside(base: Mapping[str, Any], values: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(base)
    for name, value in values.items():
        if isinstance(value, dict):
            merged[name] = _beside(base.get(name) or {}, value)
        else:
            merged[name] = IN_PLACE_OF.get(value, value) if isinstance(value, str) else value
    return merged


@pytest.mark.parametrize("values", list(_documented()))
def test_the_chart_takes_what_a_document_shows(helm3: Helm, values: dict[str, Any]) -> None:
    whole = _beside(BASE, values)
    if whole["secretStore"].get("existingSecret"):
        del whole["secretStore"]["activeKey"]
    embedded = "embedded" in whole["database"]
    if whole["database"].get("url") or embedded:
        del whole["database"]["existingSecret"]
    wanted = "StatefulSet" if embedded else "MfaPolicy"
    assert wanted in {tree["kind"] for tree in helm3.render(whole)}


def test_there_are_such_values() -> None:
    assert len(list(_documented())) > 10


def test_the_tutorial_says_all_that_a_first_installation_needs(helm3: Helm) -> None:
    first = next(_values_in((Path(ROOT) / "docs" / "tutorial" / "first-rotation.md").read_text("utf-8")))
    kinds = {tree["kind"] for tree in helm3.render(_beside({}, first))}
    assert {"Deployment", "MfaPolicy", "Secret", "Service"} <= kinds
