"""What GitHub runs for us: by commits, not by names that can be moved, with no needless right."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[3]
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))


@pytest.fixture(params=WORKFLOWS, ids=lambda path: path.stem)
def workflow(request: pytest.FixtureRequest) -> Path:
    path: Path = request.param
    return path


def _tree(workflow: Path) -> dict[Any, Any]:
    tree: dict[Any, Any] = yaml.safe_load(workflow.read_text())
    return tree


def test_there_are_workflows() -> None:
    assert {path.stem for path in WORKFLOWS} == {"chart", "image", "release", "test"}


def test_what_is_used_of_others_is_pinned_to_a_commit(workflow: Path) -> None:
    for line in workflow.read_text().splitlines():
        if "uses:" in line and "uses: ./" not in line:
            assert re.search(r"uses: [\w-]+/[\w-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+$", line), line


def test_what_is_used_of_ours_is_there(workflow: Path) -> None:
    for path in re.findall(r"uses: \./(\S+)", workflow.read_text()):
        assert (ROOT / path).is_file()


def test_a_workflow_reads_unless_a_job_says_more(workflow: Path) -> None:
    assert _tree(workflow)["permissions"] == {"contents": "read"}


def test_no_checkout_leaves_a_token_behind(workflow: Path) -> None:
    for job in _tree(workflow)["jobs"].values():
        for step in job.get("steps", []):
            if step.get("uses", "").startswith("actions/checkout@"):
                assert step["with"]["persist-credentials"] is False


def test_the_image_is_labelled_with_what_the_release_says_and_asks_itself_nothing() -> None:
    dockerfile = (ROOT / "Dockerfile").read_text()
    steps = _tree(ROOT / ".github" / "workflows" / "image.yml")["jobs"]["image"]["steps"]
    (told,) = (step["with"]["build-args"] for step in steps if "build-args" in step.get("with", {}))
    given = re.findall(r"^(\w+)=", told, re.MULTILINE)
    assert given == re.findall(r"^ARG (\w+)=$", dockerfile, re.MULTILINE)
    labels = dict(re.findall(r'org\.opencontainers\.image\.(\w+)="(.*?)"', dockerfile))
    assert {labels[name.lower()] for name in given} == {f"${{{name}}}" for name in given}
    assert labels["licenses"] == "Apache-2.0"
    # Kubernetes has its own probes; and it can tell of a number alone that it is not root.
    assert "HEALTHCHECK" not in dockerfile
    assert re.search(r"^USER 10001:10001$", dockerfile, re.MULTILINE)


def test_the_release_looks_for_versions_where_they_are() -> None:
    script = (ROOT / ".github" / "workflows" / "release.yml").read_text()
    looked_for = re.findall(r'--line-regexp "(.+?)\$version\S*" (\S+)', script)
    assert len(looked_for) == 3
    for beginning, file in looked_for:
        lines = (ROOT / file).read_text().splitlines()
        assert any(line.startswith(beginning.replace('\\"', '"')) for line in lines), (beginning, file)
