"""What holds for every pod of a release, those of Jobs too: as whom it runs, and what is mounted into it."""

from __future__ import annotations

from typing import Final

import pytest
import yaml

from practicus_mfa.kube.job_template import AS_THE_IMAGE_S_USER, JobTemplate
from practicus_mfa.reconciler.cluster.config import read_config
from tests.chart.test_embedded import LEAST as EMBEDDED
from tests.chart.test_login import LEAST
from tests.support.chart import SEED, Helm, Tree, of_kind

AUTHORITY: Final = {"name": "database-ca", "configMap": {"name": "database-ca"}}
FOUND: Final = {"name": "database-ca", "mountPath": "/etc/database-ca", "readOnly": True}
MOUNTED: Final = {"extraVolumes": [AUTHORITY], "extraVolumeMounts": [FOUND]}
NOBODY: Final = dict.fromkeys(AS_THE_IMAGE_S_USER)
RESTRICTED: Final = {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}}
"""As the Pod Security Standard "restricted" has it, whoever the user is."""


def pods(objects: list[Tree]) -> dict[str, Tree]:
    """Return what is said of each kind of pods."""
    found = {tree["metadata"]["name"]: tree["spec"] for tree in objects if tree["kind"] == "Pod"}
    for tree in objects:
        if tree["kind"] in {"Deployment", "StatefulSet"}:
            found[tree["metadata"]["name"]] = tree["spec"]["template"]["spec"]
    return {name.removeprefix("practicus-mfa-"): spec for name, spec in found.items()}


def jobs(objects: list[Tree]) -> JobTemplate:
    config = of_kind(objects, "ConfigMap", "practicus-mfa-operator")["data"]["operator.yaml"]
    return read_config(yaml.safe_load(config)).job_template


@pytest.mark.parametrize(
    ("values", "names"),
    [(LEAST, {"operator", "login", "test"}), (SEED, {"operator", "test"}), (EMBEDDED, {"login", "test"})],
    ids=["login", "no login", "embedded"],
)
def test_what_is_mounted_is_found_in_each_pod_beside_our_own(
    helm: Helm, values: Tree, names: set[str]
) -> None:
    before, after = pods(helm.render(values)), pods(helm.render(values, MOUNTED))
    assert set(after) == names
    for name, spec in after.items():
        (container,) = spec["containers"]
        (own,) = before[name]["containers"]
        assert spec["volumes"] == [*before[name]["volumes"], AUTHORITY]
        assert container["volumeMounts"] == [*own["volumeMounts"], FOUND]


def test_so_it_is_in_pods_of_jobs(helm3: Helm) -> None:
    found = jobs(helm3.render(LEAST, MOUNTED))
    assert (found.volumes, found.volume_mounts) == ((AUTHORITY,), (FOUND,))
    nothing = jobs(helm3.render(LEAST))
    assert (nothing.volumes, nothing.volume_mounts) == ((), ())


@pytest.mark.parametrize(
    ("given", "user"),
    [
        ({}, AS_THE_IMAGE_S_USER),
        ({"podSecurityContext": None}, AS_THE_IMAGE_S_USER),
        ({"podSecurityContext": {"runAsUser": 1000}}, {**AS_THE_IMAGE_S_USER, "runAsUser": 1000}),
        # OpenShift takes a pod that names none, and puts the namespace's own there.
        ({"podSecurityContext": NOBODY}, {}),
    ],
    ids=["nothing", "null", "another", "nobody"],
)
def test_pods_run_as_the_image_s_user_as_another_or_as_the_cluster_says(
    helm: Helm, given: Tree, user: Tree
) -> None:
    objects = [*helm.render(LEAST, given), *helm.render(EMBEDDED, given)]
    assert jobs(objects).security_context == user
    for spec in pods(objects).values():
        told = spec["securityContext"]
        told.pop("fsGroupChangePolicy", None)
        assert told == {**RESTRICTED, **user}


@pytest.mark.parametrize(
    ("values", "told"),
    [
        ({"podSecurityContext": {"runAsUser": 0}}, "at '/podSecurityContext/runAsUser'"),
        ({"podSecurityContext": {"runAsNonRoot": False}}, "'runAsNonRoot' not allowed"),
        (
            {"extraVolumes": [AUTHORITY], "extraVolumeMounts": [{**FOUND, "name": "ca"}]},
            "extraVolumeMounts[0].name: no volume of that name is in extraVolumes; add it there",
        ),
        ({"extraVolumes": [{"configMap": {"name": "x"}}]}, "at '/extraVolumes/0'"),
        ({"extraVolumeMounts": [{"name": "x", "mountPath": "etc"}]}, "at '/extraVolumeMounts/0/mountPath'"),
    ],
)
def test_what_no_pod_could_be_is_refused(helm3: Helm, values: Tree, told: str) -> None:
    assert told in helm3.refusal(LEAST, values)


def test_no_volume_may_have_the_name_of_one_of_ours(helm3: Helm) -> None:
    specs = [*pods(helm3.render(LEAST)).values(), *pods(helm3.render(EMBEDDED)).values()]
    ours = {volume["name"] for spec in specs for volume in spec["volumes"]}
    assert ours == {"configuration", "data", "database", "keyring", "tmp", "values"}
    for name in ours:
        told = helm3.refusal(LEAST, {"extraVolumes": [{"name": name, "emptyDir": {}}]})
        assert "at '/extraVolumes/0/name'" in told
