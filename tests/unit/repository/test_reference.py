"""The pages of the reference that are made from the sources, or told by hand, are up to date."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pytest

from practicus_mfa.reconciler.cluster.metrics import STATES, Metrics
from practicus_mfa.web.metrics import ENROLLMENT_RESULTS, LOGIN_RESULTS, LoginMetrics
from tools.reference import values
from tools.reference.__main__ import PAGES, ROOT

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry

METRICS: Final = (ROOT / "docs" / "reference" / "metrics.md").read_text("utf-8")
PARTS: Final = dict(re.findall(r"^## (.+?)\n(.*?)(?=^## |\Z)", METRICS, re.MULTILINE | re.DOTALL))


@pytest.mark.parametrize("name", list(PAGES))
def test_a_page_is_as_the_sources_have_it(name: str) -> None:
    assert (ROOT / name).read_text("utf-8") == PAGES[name](), "make reference"


def _leaves(schema: dict[str, Any], *above: str) -> Iterator[tuple[str, ...]]:
    for name, below in schema.get("properties", {}).items():
        yield (*above, name)
        yield from _leaves(below, *above, name)


def test_every_value_that_the_schema_knows_stands_in_the_page_or_below_one_that_does() -> None:
    schema = json.loads((Path(values.CHART) / "values.schema.json").read_text("utf-8"))
    told = {value.path for value in values.values()}
    for path in _leaves(schema):
        # What a parent chart says.
        if path not in {("global",), ("enabled",)}:
            assert path in told or path[:-1] in told or path[:-2] in told, ".".join(path)


def _series(registry: CollectorRegistry) -> Iterator[tuple[str, list[str]]]:
    for collector in registry._collector_to_names:
        for family in collector.collect():
            name = f"{family.name}_total" if family.type == "counter" else family.name
            yield name, list(getattr(collector, "_labelnames", ()))


@pytest.mark.parametrize(
    ("part", "registry", "of_all"),
    [("The operator", Metrics().registry, 2), ("The login service", LoginMetrics().registry, 0)],
)
def test_every_metric_stands_there_with_its_labels_and_no_other(
    part: str, registry: CollectorRegistry, of_all: int
) -> None:
    told = {}
    for name, cell in re.findall(r"^\| `(practicus_mfa_\w+)` \|([^|]*)\|", PARTS[part], re.MULTILINE):
        # "`state`: `active`, …" tells a label's values; else all are labels.
        words = re.findall(r"`(\w+)`", cell)
        told[name] = words[:1] if ":" in cell else words
    of_the_process = ("practicus_mfa_reconcile_total", "practicus_mfa_reconcile_duration_seconds")
    found = dict(_series(registry))
    for name, labels in found.items():
        skipped = 0 if name in (*of_the_process, "practicus_mfa_build_info") else of_all
        assert told.get(name) == labels[skipped:], name
    assert told.keys() == found.keys()


def test_every_result_of_a_log_in_and_every_state_of_a_row_is_explained() -> None:
    results = re.findall(r"^\| `(\w+)` \| \S", PARTS["The login service"], re.MULTILINE)
    assert [result for result in results if not result.startswith("practicus_mfa")] == list(LOGIN_RESULTS)
    for word in (*ENROLLMENT_RESULTS, *STATES):
        assert f"`{word}`" in METRICS
