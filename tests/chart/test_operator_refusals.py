"""A mistake in what the operator is configured by is told by Helm, not by an operator that doesn't start."""

from __future__ import annotations

import json
from typing import Any, Final

import pytest

from practicus_mfa.faults import InvalidConfiguration
from practicus_mfa.reconciler.cluster.config import LEAST_TTL_SECONDS, MOST_TTL_SECONDS, read_config
from tests.chart.test_chart import operator_config
from tests.support.chart import CHART, SEED, Helm

# Each is wrong by itself.
WRONG: Final[list[tuple[str, Any]]] = [
    ("affinity", [{}]),
    ("imagePullSecrets", ["registry"]),
    ("imagePullSecrets", [{}]),
    ("imagePullSecrets", [{"name": "My Registry"}]),
    ("nodeSelector", {"fast": True}),
    ("podAnnotations", {"number": 1}),
    ("podLabels", {"number": 1}),
    ("priorityClassName", "My Class"),
    ("resources", {"limit": {"memory": "1Gi"}}),
    ("resources", {"limits": "1Gi"}),
    ("serviceAccountName", "worker_1"),
    ("tolerations", ["Exists"]),
    ("ttlSecondsAfterFinished", LEAST_TTL_SECONDS - 1),
    ("ttlSecondsAfterFinished", MOST_TTL_SECONDS + 1),
]

RIGHT: Final[dict[str, Any]] = {
    "affinity": {"nodeAffinity": {}},
    "imagePullSecrets": [{"name": "registry"}],
    "nodeSelector": {"disk": "fast"},
    "podAnnotations": {"example.com/inject": "false"},
    "podLabels": {"team": "platform"},
    "priorityClassName": "low",
    "resources": {"requests": {"cpu": 0.5}, "limits": {"memory": "1Gi"}},
    "serviceAccountName": "worker.1",
    "tolerations": [{"operator": "Exists"}],
    "ttlSecondsAfterFinished": LEAST_TTL_SECONDS,
}

OF_ALL_PODS: Final = {
    "affinity",
    "imagePullSecrets",
    "nodeSelector",
    "podAnnotations",
    "podLabels",
    "priorityClassName",
    "tolerations",
}
"""What Jobs' pods get as well, where operator.jobTemplate says nothing."""


@pytest.mark.parametrize(("name", "value"), WRONG)
def test_what_the_operator_refuses_helm_refuses(helm3: Helm, name: str, value: object) -> None:
    with pytest.raises(InvalidConfiguration):
        read_config({"jobTemplate": {"image": "mfa:1", name: value}})
    assert f"at '/operator/jobTemplate/{name}" in helm3.refusal(
        SEED, {"operator": {"jobTemplate": {name: value}}}
    )
    if name in OF_ALL_PODS:
        assert f"at '/{name}" in helm3.refusal(SEED, {name: value})


def test_the_operator_gets_each_name_that_helm_takes(helm: Helm) -> None:
    schema = json.loads((CHART / "values.schema.json").read_text("utf-8"))
    taken = schema["properties"]["operator"]["properties"]["jobTemplate"]["properties"]
    assert set(taken) == set(RIGHT)
    read = read_config(operator_config(helm.render(SEED, {"operator": {"jobTemplate": RIGHT}}))).job_template
    given = {"image": read.image, "imagePullPolicy": read.image_pull_policy}
    assert read == read_config({"jobTemplate": RIGHT | given}).job_template
