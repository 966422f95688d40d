"""What the chart renders is what an API server takes: strictly, without a warning, other projects' kinds too.

Nothing is installed: each example is a dry run on the server, in a namespace for restricted pods alone.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

import pytest
import yaml

from tests.support.chart import CHART, SEED, Helm, Tree, of_kind
from tests.support.cluster import foreign_definitions, ways
from tests.support.cluster.access import KubectlError
from tests.support.cluster.control_plane import ControlPlane
from tests.support.cluster.fresh_release import program
from tests.support.cluster.go_programs import REMEDY, ProgramsMissingError
from tests.support.postgres_programs import in_ci
from tests.support.unavailable import without

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

EXAMPLES: Final = sorted((CHART / "ci").glob("*-values.yaml"))

FOREIGN: Final = {"HTTPRoute", "Middleware", "PodMonitor", "PrometheusRule"}

HOME: Final = "login"

APPLY: Final = (
    "apply",
    "--server-side",
    "--dry-run=server",
    "--validate=strict",
    "--warnings-as-errors",
    "-f",
    "-",
)


@pytest.fixture(scope="module")
def plane() -> Iterator[ControlPlane]:
    """A cluster that knows the kinds, and has what some examples name."""
    try:
        if in_ci():
            foreign_definitions.ensure()
        programs = ways.control_plane_programs()
    except (ways.NoClusterError, ProgramsMissingError) as error:
        without(error)
    if foreign_definitions.missing():
        pytest.skip(f"Other projects' definitions are missing. {REMEDY}")
    with ControlPlane(programs) as found:
        found.apply(foreign_definitions.path())
        ways.install_definitions(found)
        found.kubectl("create", "priorityclass", "high", "--value=1000")
        # With its levels from its first moment: what judges pods hears of a later change later.
        labels = {f"pod-security.kubernetes.io/{mode}": "restricted" for mode in ("enforce", "warn")}
        home = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": HOME, "labels": labels}}
        found.apply(json.dumps(home))
        found.await_account(HOME)
        yield found


@pytest.fixture(scope="module")
def helm() -> Helm:
    return Helm(program("helm3"))


def rendered(helm: Helm, values: object) -> list[Tree]:
    text = helm.run("template", "mfa", str(CHART), f"--namespace={HOME}", values=(values,))
    return [tree for tree in yaml.safe_load_all(text) if tree]


def try_out(plane: ControlPlane, trees: list[Tree]) -> None:
    """Have the API server judge *trees*.

    Raises:
        KubectlError: It refuses one, or warns of it.
    """
    # A pod is refused where its account is not there, which a dry run makes none of.
    accounts = [tree for tree in trees if tree["kind"] == "ServiceAccount"]
    if accounts:
        plane.apply(yaml.safe_dump_all(accounts))
    plane.kubectl(*APPLY, input=yaml.safe_dump_all(trees))


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.stem.removesuffix("-values"))
def test_an_api_server_takes_all_of_it(plane: ControlPlane, helm: Helm, example: Any) -> None:  # noqa: ANN401
    try_out(plane, rendered(helm, example.read_text("utf-8")))


def everything(helm: Helm) -> list[Tree]:
    return rendered(helm, (CHART / "ci" / "everything-values.yaml").read_text("utf-8"))


def test_every_kind_that_somebody_else_defines_is_among_them(helm: Helm) -> None:
    assert {tree["kind"] for tree in everything(helm)} >= FOREIGN


def misspell(tree: Tree) -> None:
    match tree["kind"]:
        case "HTTPRoute":
            tree["spec"]["rules"][0]["matches"][0]["path"]["type"] = "Prefix"
        case "Middleware":
            tree["spec"]["forwardAuth"]["authResponseHeader"] = []
        case "PodMonitor":
            tree["spec"]["podMetricsEndpoints"][0]["interval"] = "soon"
        case "PrometheusRule":
            tree["spec"]["groups"][0]["rules"][0]["annotation"] = {}


@pytest.mark.parametrize("kind", sorted(FOREIGN))
def test_a_slip_in_another_project_s_kind_would_be_told(plane: ControlPlane, helm: Helm, kind: str) -> None:
    tree = of_kind(everything(helm), kind)
    try_out(plane, [tree])
    misspell(tree)
    with pytest.raises(KubectlError, match=r"field not declared|Unsupported value|should match"):
        try_out(plane, [tree])


def root(pod: Tree) -> None:
    pod["securityContext"]["runAsNonRoot"] = False


def old(pod: Tree) -> None:
    # A name from before Kubernetes 1.14, which it still takes.
    pod["nodeSelector"] = {"beta.kubernetes.io/os": "linux"}


@pytest.mark.parametrize("spoil", [root, old])
def test_a_warning_would_be_told(plane: ControlPlane, helm: Helm, spoil: Callable[[Tree], None]) -> None:
    deployment = of_kind(rendered(helm, json.dumps(SEED)), "Deployment")
    spoil(deployment["spec"]["template"]["spec"])
    with pytest.raises(KubectlError, match="warning"):
        try_out(plane, [deployment])
