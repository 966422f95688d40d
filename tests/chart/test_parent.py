"""The chart as a part of another: a parent's condition, and what it hands down."""

from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING, Final

import pytest

from tests.support.chart import CHART, SEED, Helm

if TYPE_CHECKING:
    from pathlib import Path

PARENT: Final = {
    "apiVersion": "v2",
    "name": "platform",
    "version": "1.0.0",
    "dependencies": [
        {
            "name": "practicus-mfa",
            "version": ">=0.0.0-0",
            "repository": "",
            "alias": "mfa",
            "condition": "mfa.enabled",
        }
    ],
}


@pytest.fixture(scope="module")
def parent(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A chart that this one is a part of, where a value says so."""
    folder = tmp_path_factory.mktemp("parent") / "platform"
    shutil.copytree(CHART, folder / "charts" / CHART.name)
    (folder / "Chart.yaml").write_text(json.dumps(PARENT), "utf-8")
    return folder


@pytest.mark.parametrize(
    ("enabled", "there"), [({}, True), ({"enabled": True}, True), ({"enabled": False}, False)]
)
def test_a_parent_s_condition_brings_it_or_leaves_it_out(
    helm: Helm, parent: Path, enabled: dict[str, bool], *, there: bool
) -> None:
    values = {"mfa": SEED | enabled, "global": {"imageRegistry": "x"}}
    objects = helm.render(values, chart=parent, release="one")
    assert ("MfaPolicy" in {tree["kind"] for tree in objects}) is there
    assert {tree["metadata"]["labels"]["app.kubernetes.io/instance"] for tree in objects} <= {"one"}


def test_what_is_installed_by_itself_is_not_switched_off_so(helm3: Helm) -> None:
    assert "at '/enabled'" in helm3.refusal(SEED, {"enabled": False})
