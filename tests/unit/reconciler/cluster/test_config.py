"""The operator's configuration: what is read, and the exact words for what is not right."""

from __future__ import annotations

from pathlib import Path

import pytest

from practicus_mfa.documents import parse_yaml
from practicus_mfa.faults import InvalidConfiguration
from practicus_mfa.kube.job_template import AS_THE_IMAGE_S_USER, RESOURCES, JobTemplate
from practicus_mfa.reconciler.cluster.config import OperatorConfig, read_config

WHOLE = """
watchNamespaces: [one, two, one]
leaseNamespace: here
metricsAddress: "[::1]:8080"
resyncSeconds: 30
jobTemplate:
  image: registry.example.com/mfa@sha256:0123
  imagePullPolicy: Never
  imagePullSecrets: [{name: registry}]
  resources: {requests: {cpu: 0.5, memory: 64Mi}}
  nodeSelector: {disk: fast}
  tolerations: [{key: batch, operator: Exists}]
  affinity: {nodeAffinity: {}}
  priorityClassName: low
  serviceAccountName: worker
  podLabels: {team: platform}
  podAnnotations: {example.com/inject: "false"}
  securityContext: {runAsUser: 1000}
  volumes: [{name: ca, configMap: {name: ca}}]
  volumeMounts: [{name: ca, mountPath: /etc/ca}]
  ttlSecondsAfterFinished: 600
definition: {file: /etc/practicus-mfa/mfapolicies.yaml, owner: here-mfa-operator}
"""


def read(text: str) -> OperatorConfig:
    return read_config(parse_yaml(text, "config"), source="config.yaml")


def faults(text: str) -> list[str]:
    with pytest.raises(InvalidConfiguration) as caught:
        read(text)
    return [fault.line for fault in caught.value.faults]


def test_an_image_is_all_that_must_be_given() -> None:
    assert read("jobTemplate: {image: mfa:1}") == OperatorConfig(
        watch_namespaces=(),
        lease_namespace="",
        metrics_host="0.0.0.0",  # noqa: S104 - a pod's
        metrics_port=9464,
        resync_seconds=60,
        job_template=JobTemplate(image="mfa:1"),
    )


def test_everything_is_read() -> None:
    assert read(WHOLE) == OperatorConfig(
        watch_namespaces=("one", "two"),
        lease_namespace="here",
        metrics_host="::1",
        metrics_port=8080,
        resync_seconds=30,
        job_template=JobTemplate(
            image="registry.example.com/mfa@sha256:0123",
            image_pull_policy="Never",
            image_pull_secrets=("registry",),
            resources={"requests": {"cpu": 0.5, "memory": "64Mi"}},
            node_selector={"disk": "fast"},
            tolerations=({"key": "batch", "operator": "Exists"},),
            affinity={"nodeAffinity": {}},
            priority_class="low",
            service_account="worker",
            pod_labels={"team": "platform"},
            pod_annotations={"example.com/inject": "false"},
            security_context={"runAsUser": 1000},
            volumes=({"name": "ca", "configMap": {"name": "ca"}},),
            volume_mounts=({"name": "ca", "mountPath": "/etc/ca"},),
            ttl_seconds=600,
        ),
        definition=Path("/etc/practicus-mfa/mfapolicies.yaml"),
        definition_owner="here-mfa-operator",
    )


def test_all_faults_are_told_at_once() -> None:
    text = """
    watchNamespace: [one]
    leaseNamespace: Not A Name
    metricsAddress: "9464"
    resyncSeconds: "30"
    image: mfa:1
    jobTemplate:
      imagePullPolicy: Sometimes
      imagePullSecrets: [{}]
      tolerations: {key: batch}
      nodeSelector: {fast: true, 1: one}
      affinity: [none]
      ttlSecondsAfterFinished: 60
      ressources: {}
    """
    letters = "it has lower-case letters, digits, '-' and '.', and begins and ends with one of the first two"
    assert faults(text) == [
        (
            "metricsAddress: not an address and a port; "
            "write ADDRESS:PORT, for example 0.0.0.0:9464, or [::]:9464 for IPv6"
        ),
        f"leaseNamespace: not the name of a Kubernetes object; {letters}",
        (
            "resyncSeconds: text where a whole number is expected; "
            "write it in digits without quotes, for example resyncSeconds: 30"
        ),
        "jobTemplate.image: missing; write it, for example image: registry.example.com/practicus-mfa:1.2.3",
        (
            "jobTemplate.imagePullPolicy: no policy of that name; "
            "write Always, IfNotPresent or Never, or leave it out"
        ),
        "jobTemplate.imagePullSecrets[0].name: missing; write the Secret's name, for example name: registry",
        "jobTemplate.nodeSelector.1: a name that is not text; put the name in quotes",
        "jobTemplate.nodeSelector.fast: true or false where text is expected; put it in quotes",
        (
            "jobTemplate.tolerations: a section where a list is expected; "
            "write tolerations: [], or one entry a line, each after a dash"
        ),
        (
            "jobTemplate.affinity: a list where a section is expected; "
            "write its names below it, indented, one a line"
        ),
        "jobTemplate.ttlSecondsAfterFinished: 60 is too small; the least is 300",
        "jobTemplate.ressources: unknown; did you mean resources?",
        "watchNamespace: unknown; did you mean watchNamespaces?",
        "image: unknown; did you mean jobTemplate.image?",
    ]


@pytest.mark.parametrize(
    ("text", "host", "port"),
    [(":8080", "0.0.0.0", 8080), ("localhost:0", "localhost", 0), ("[::]:65535", "::", 65535)],  # noqa: S104
)
def test_addresses(text: str, host: str, port: int) -> None:
    config = read(f"metricsAddress: '{text}'\njobTemplate: {{image: mfa:1}}")
    assert (config.metrics_host, config.metrics_port) == (host, port)


@pytest.mark.parametrize(
    "text", ["8080", "::1:8080", "host:65536", "host:", "host:-1", "host:٣", "host:1234567"]
)
def test_what_is_no_address(text: str) -> None:
    (fault,) = faults(f"metricsAddress: '{text}'\njobTemplate: {{image: mfa:1}}")
    assert fault.startswith("metricsAddress: not an address and a port; ")


def test_a_namespace_among_others_is_named_by_its_place() -> None:
    (fault,) = faults("watchNamespaces: [good, Bad]\njobTemplate: {image: mfa:1}")
    assert fault.startswith("watchNamespaces[1]: not the name of a Kubernetes object; ")


def test_resources_that_are_written_are_not_added_to() -> None:
    assert read("jobTemplate: {image: mfa:1, resources: {}}").job_template.resources == {}
    assert read("jobTemplate: {image: mfa:1}").job_template.resources == RESOURCES


def test_as_whom_pods_run_is_not_added_to_where_it_is_written() -> None:
    assert read("jobTemplate: {image: mfa:1, securityContext: {}}").job_template.security_context == {}
    assert read("jobTemplate: {image: mfa:1}").job_template.security_context == AS_THE_IMAGE_S_USER


def test_an_empty_file_lacks_the_image() -> None:
    assert [fault.split(":")[0] for fault in faults("")] == ["jobTemplate.image"]
