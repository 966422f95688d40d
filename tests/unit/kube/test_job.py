"""The Job of an attempt: what stands in it, word for word, and what depends on what."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import pytest

from practicus_mfa.core.observed import Mode
from practicus_mfa.core.plan import Work
from practicus_mfa.core.policy import DatabaseRef
from practicus_mfa.documents import dump_yaml, read_document
from practicus_mfa.kube.children import (
    LONGEST_JOB_NAME,
    archive_name,
    job_name,
    keyring_name,
)
from practicus_mfa.kube.job import Owner, migration_job
from practicus_mfa.kube.job_template import JobTemplate

GOLDEN: Final = Path(__file__).parent / "migration_job.yaml"
OWNER = Owner(namespace="here", name="mfa", uid="6a6ae3f5-7d94-4b0c-9ed4-b5c1b4c3f0a1")
WORK = Work(rotation=7, mode=Mode.MIGRATE, relations=("mfa_factors",), again=frozenset(), attempt=2)
TEMPLATE = JobTemplate(
    image="registry.example.com/practicus-mfa:1.2.3",
    image_pull_policy="IfNotPresent",
    image_pull_secrets=("registry",),
    node_selector={"disk": "fast"},
    tolerations=({"key": "batch", "operator": "Exists"},),
    affinity={"podAntiAffinity": {}},
    priority_class="low",
    service_account="worker",
    pod_labels={"team": "platform", "mfa.practicus.ai/policy": "not theirs to say"},
    pod_annotations={"example.com/inject": "false"},
)


def job(template: JobTemplate = TEMPLATE) -> dict[str, Any]:
    database = DatabaseRef("mfa-database", "url")
    return migration_job(OWNER, WORK, generation=5, parts=4, database=database, template=template)


def test_the_job_is_the_one_that_was_agreed_upon() -> None:
    assert job() == read_document(GOLDEN), f"where this is meant, write to {GOLDEN}:\n{dump_yaml(job())}"


def test_what_an_installation_does_not_say_is_left_out() -> None:
    pod = job(JobTemplate(image="mfa:1"))["spec"]["template"]["spec"]
    said = {
        "imagePullSecrets",
        "nodeSelector",
        "tolerations",
        "affinity",
        "priorityClassName",
        "serviceAccountName",
    }
    assert not said & pod.keys()
    assert "imagePullPolicy" not in pod["containers"][0]
    assert pod["containers"][0]["resources"]["limits"] == {"memory": "512Mi"}


def test_resources_may_be_left_out() -> None:
    pod = job(replace(TEMPLATE, resources={}))["spec"]["template"]["spec"]
    assert "resources" not in pod["containers"][0]


def test_pods_run_as_whom_the_installation_says_and_restricted_in_any_case() -> None:
    def user(template: JobTemplate) -> dict[str, Any]:
        found: dict[str, Any] = job(template)["spec"]["template"]["spec"]["securityContext"]
        return found

    restricted = {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}}
    assert user(replace(TEMPLATE, security_context={})) == restricted
    asked = {"fsGroup": 7, "runAsNonRoot": False}
    assert user(replace(TEMPLATE, security_context=asked)) == {**restricted, "fsGroup": 7}


def test_volumes_of_the_installation_are_found_beside_our_own() -> None:
    authority, place = {"name": "ca", "configMap": {"name": "ca"}}, {"name": "ca", "mountPath": "/etc/ca"}
    before = job()["spec"]["template"]["spec"]
    after = job(replace(TEMPLATE, volumes=(authority,), volume_mounts=(place,)))["spec"]["template"]["spec"]
    assert after["volumes"] == [*before["volumes"], authority]
    (own,), (container,) = before["containers"], after["containers"]
    assert container["volumeMounts"] == [*own["volumeMounts"], place]


@pytest.mark.parametrize("policy", ["a", "a-b.c", "x" * 53, f"{'x' * 51}.y", "a" * 25 + "-" * 8 + "b" * 20])
@pytest.mark.parametrize("number", [1, 123_456_789])
def test_a_job_s_name_and_the_greatest_index_are_a_host_name(policy: str, number: int) -> None:
    name = job_name(policy, number, Mode.MIGRATE, number)
    assert len(name) <= LONGEST_JOB_NAME
    assert re.fullmatch(r"[a-z0-9]([a-z0-9-]*[a-z0-9])?", f"{name}-999")
    assert len(f"{name}-999") <= 63


def test_names_differ_where_their_policies_attempts_or_modes_do() -> None:
    long = "x" * 52
    names = [
        job_name("a.b", 1, Mode.MIGRATE, 1),
        job_name("a-b", 1, Mode.MIGRATE, 1),
        job_name("a-b", 1, Mode.VERIFY, 1),
        job_name("a-b", 1, Mode.MIGRATE, 2),
        job_name("a-b", 2, Mode.MIGRATE, 1),
        job_name(f"{long}y", 1, Mode.MIGRATE, 1),
        job_name(f"{long}z", 1, Mode.MIGRATE, 1),
    ]
    assert len(set(names)) == len(names)


def test_a_plain_name_can_be_read() -> None:
    assert job_name("practicus-mfa", 7, Mode.VERIFY, 2) == "practicus-mfa-verify-7-2"
    assert keyring_name("practicus-mfa") == "practicus-mfa-keyring"
    assert archive_name("practicus-mfa") == "practicus-mfa-keyring-archive"
