"""Every object of every example is one that each supported version of Kubernetes knows, to the last field.

The versions' own schemas are asked by kubeconform, strictly: an unknown field, a missing one, a wrong type.
What other projects define stands in tests/cluster/test_strictly.py, beside all that only an API server knows.
"""

from __future__ import annotations

import json
import subprocess
from typing import TYPE_CHECKING, Any, Final

import pytest
import yaml

from tests.support.chart import CHART, NAMESPACE, Helm, Tree, of_kind
from tests.support.cluster import kubernetes_schemas, ways
from tests.support.cluster.go_programs import ProgramsMissingError
from tests.support.cluster.kubernetes_schemas import VERSIONS
from tests.support.postgres_programs import in_ci
from tests.support.unavailable import without

if TYPE_CHECKING:
    from pathlib import Path

EXAMPLES: Final = sorted((CHART / "ci").glob("*-values.yaml"))

DEFINED: Final = frozenset({"HTTPRoute", "MfaPolicy", "Middleware", "PodMonitor", "PrometheusRule"})
"""Kinds that are not Kubernetes' own."""

OLDER: Final = "1.29"
"""The version before the first that the chart is for."""


@pytest.fixture(scope="module")
def kubeconform() -> Path:
    try:
        if in_ci():
            kubernetes_schemas.ensure()
        program = ways.find("kubeconform")
    except (ways.NoClusterError, ProgramsMissingError) as error:
        without(error)
    if kubernetes_schemas.missing():
        pytest.skip(f"The schemas of Kubernetes are missing. {kubernetes_schemas.REMEDY}")
    return program


@pytest.fixture(scope="module")
def rendered(helm3: Helm) -> dict[str, list[Tree]]:
    """What each example makes, Kubernetes' own kinds alone."""
    found = {}
    for example in EXAMPLES:
        values = example.read_text("utf-8")
        objects = helm3.run("template", "mfa", str(CHART), f"--namespace={NAMESPACE}", values=(values,))
        trees = [tree for tree in yaml.safe_load_all(objects) if tree]
        found[example.name] = [tree for tree in trees if tree["kind"] not in DEFINED]
    return found


def judged(program: Path, version: str, folder: Path, examples: dict[str, list[Tree]]) -> list[str]:
    """Return what kubeconform says against *examples*, a sentence each."""
    schemas, objects = folder / "schemas", folder / "objects"
    schemas.mkdir()
    objects.mkdir()
    for name, trees in examples.items():
        (objects / name).write_text(yaml.safe_dump_all(trees), "utf-8")
    kinds = {tree["kind"] for trees in examples.values() for tree in trees}
    where = kubernetes_schemas.unpack(version, kinds, schemas)
    done = subprocess.run(
        [program, "-strict", "-n=1", "-output=json", "-summary", f"-schema-location={where}", objects],
        capture_output=True,
        text=True,
        check=False,
        timeout=240,
    )
    assert done.stderr == ""
    found = json.loads(done.stdout)
    # It reads no file whose name has another end, and says nothing of it.
    assert sum(found["summary"].values()) == sum(map(len, examples.values()))
    assert found["summary"]["skipped"] == 0
    return [f"{told['kind']} {told['name']}: {told['msg']}" for told in found["resources"]]


@pytest.mark.parametrize("version", VERSIONS)
def test_this_kubernetes_knows_all_that_the_chart_makes(
    kubeconform: Path, rendered: dict[str, list[Tree]], tmp_path: Path, version: str
) -> None:
    assert judged(kubeconform, version, tmp_path, rendered) == []


def test_every_kind_of_the_chart_is_tried(rendered: dict[str, list[Tree]]) -> None:
    # No template asks which version it is rendered for: what is tried here is what every cluster gets.
    assert not [path for path in (CHART / "templates").iterdir() if "Capabilities" in path.read_text("utf-8")]
    assert len({tree["kind"] for trees in rendered.values() for tree in trees}) > 15


def test_an_older_kubernetes_lacks_what_the_chart_needs(
    kubeconform: Path, rendered: dict[str, list[Tree]], tmp_path: Path
) -> None:
    told = judged(kubeconform, OLDER, tmp_path, {"usual.yaml": rendered["usual-values.yaml"]})
    assert {line.rpartition(": ")[2] for line in told} == {
        "could not find schema for ValidatingAdmissionPolicy",
        "could not find schema for ValidatingAdmissionPolicyBinding",
    }


def spoiled(deployment: Tree, what: str) -> Any:  # noqa: ANN401 - any object will do
    container = deployment["spec"]["template"]["spec"]["containers"][0]
    match what:
        case "an unknown field":
            container["readinesProbe"] = {}
        case "a field at another place":
            deployment["spec"]["automountServiceAccountToken"] = False
        case "text for a number":
            container["ports"][0]["containerPort"] = "8080"
        case "a missing field":
            del container["name"]
    return deployment


@pytest.mark.parametrize("version", [VERSIONS[0], VERSIONS[-1]])
@pytest.mark.parametrize(
    "what", ["an unknown field", "a field at another place", "text for a number", "a missing field"]
)
def test_a_slip_would_be_told(
    kubeconform: Path, helm3: Helm, tmp_path: Path, version: str, what: str
) -> None:
    values = yaml.safe_load((CHART / "ci" / "usual-values.yaml").read_text("utf-8"))
    deployment = of_kind(helm3.render(values, only="login"), "Deployment")
    (told,) = judged(kubeconform, version, tmp_path, {"spoiled.yaml": [spoiled(deployment, what)]})
    assert told.startswith("Deployment practicus-mfa-login: problem validating schema")
