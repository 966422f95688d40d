"""The operator's configuration file: which namespaces it serves, and how its Jobs' pods look.

What users ask for stands in their MfaPolicies; this is what an installation says once. What a pod may hold is
the API server's to judge: here sections have to be sections, and labels text.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal, get_args

from practicus_mfa.core.parse.address import network_address
from practicus_mfa.core.parse.reader import Section
from practicus_mfa.core.parse.rules import object_name, object_names
from practicus_mfa.core.rules.rows_to_move import LONGEST_PAUSE
from practicus_mfa.faults import Fault, InvalidConfiguration
from practicus_mfa.kube.job_template import (
    AS_THE_IMAGE_S_USER,
    RESOURCES,
    TTL_SECONDS,
    JobTemplate,
    PullPolicy,
)

__all__ = ["JobTemplate", "OperatorConfig", "read_config"]

METRICS_ADDRESS: Final = "0.0.0.0:9464"
"""Prometheus scrapes from another pod, so all addresses; the port is the one that exporters of OpenTelemetry
use."""

RESYNC_SECONDS: Final = 60
LONGEST_RESYNC_SECONDS: Final = 3_600

LEAST_TTL_SECONDS: Final = int(LONGEST_PAUSE.total_seconds())
"""A failed Job holds the next attempt back: it must not be gone before that is due."""
MOST_TTL_SECONDS: Final = 30 * 24 * 3_600

_ELSEWHERE: Final = {
    name: f"jobTemplate.{name}"
    for name in (
        "image",
        "resources",
        "nodeSelector",
        "tolerations",
        "affinity",
        "podLabels",
        "podAnnotations",
    )
}
"""Names of a section that stand a level too high when indentation is lost."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OperatorConfig:
    """The configuration, found valid.

    Attributes:
        watch_namespaces: The namespaces that it serves; none: the whole cluster.
        lease_namespace: Where the Lease is that elects the one that acts; '' for the pod's own.
        metrics_host: The address that /metrics, /healthz and /readyz listen on.
        metrics_port: Their port; 0 takes a free one.
        resync_seconds: Seconds between two passes over a policy that nothing happens to.
        job_template: How Jobs' pods look.
        definition: A file with the definition of MfaPolicy, to bring the cluster's up to date with; ``None``
            where somebody else does.
        definition_owner: The ClusterRole that the definition goes with; '' for none.
    """

    watch_namespaces: tuple[str, ...]
    lease_namespace: str
    metrics_host: str
    metrics_port: int
    resync_seconds: int
    job_template: JobTemplate
    definition: Path | None = None
    definition_owner: str = ""


def read_config(tree: object, *, source: str = "the operator's configuration") -> OperatorConfig:
    """Return *tree* (YAML values), found valid.

    Args:
        tree: What the file holds.
        source: How messages call it.

    Raises:
        InvalidConfiguration: With every fault.
    """
    faults: list[Fault] = []
    with Section(tree, "", faults, elsewhere=_ELSEWHERE) as top:
        host, port = network_address(top, "metricsAddress", METRICS_ADDRESS)
        file, owner = _definition(top.section("definition"))
        config = OperatorConfig(
            watch_namespaces=object_names(top, "watchNamespaces"),
            lease_namespace=object_name(top, "leaseNamespace"),
            metrics_host=host,
            metrics_port=port,
            resync_seconds=top.whole(
                "resyncSeconds", RESYNC_SECONDS, at_least=1, at_most=LONGEST_RESYNC_SECONDS
            ),
            job_template=_job_template(top.section("jobTemplate")),
            definition=file,
            definition_owner=owner,
        )
    if faults:
        raise InvalidConfiguration(faults, source=source)
    return config


def _definition(section: Section) -> tuple[Path | None, str]:
    with section as definition:
        file, owner = definition.text("file"), object_name(definition, "owner")
    return (Path(file) if file else None), owner


def _job_template(section: Section) -> JobTemplate:
    with section as template:
        return JobTemplate(
            image=template.needed_text("image", "registry.example.com/practicus-mfa:1.2.3").strip(),
            image_pull_policy=_pull_policy(template),
            image_pull_secrets=tuple(_pull_secrets(template)),
            resources=_resources(template),
            node_selector=template.labels("nodeSelector"),
            tolerations=template.trees("tolerations"),
            affinity=template.tree("affinity"),
            priority_class=object_name(template, "priorityClassName"),
            service_account=object_name(template, "serviceAccountName"),
            pod_labels=template.labels("podLabels"),
            pod_annotations=template.labels("podAnnotations"),
            security_context=_security_context(template),
            volumes=template.trees("volumes"),
            volume_mounts=template.trees("volumeMounts"),
            ttl_seconds=template.whole(
                "ttlSecondsAfterFinished", TTL_SECONDS, at_least=LEAST_TTL_SECONDS, at_most=MOST_TTL_SECONDS
            ),
        )


def _pull_policy(template: Section) -> PullPolicy | Literal[""]:
    text = template.text("imagePullPolicy")
    known: tuple[PullPolicy, ...] = get_args(PullPolicy)
    for policy in known:
        if text == policy:
            return policy
    if text:
        remedy = f"write {', '.join(known[:-1])} or {known[-1]}, or leave it out"
        template.fault("imagePullPolicy", "no policy of that name", remedy)
    return ""


def _pull_secrets(template: Section) -> Iterator[str]:
    for entry in template.entries("imagePullSecrets"):
        with entry:
            name = object_name(entry, "name")
            if not name and not entry.given("name"):
                entry.fault("name", "missing", "write the Secret's name, for example name: registry")
        yield name


def _security_context(template: Section) -> dict[str, object]:
    """Return as whom pods run; where a section is written, nothing is added to it."""
    given = template.given("securityContext")
    written = template.tree("securityContext")
    return dict(written if given else AS_THE_IMAGE_S_USER)


def _resources(template: Section) -> dict[str, object]:
    """Return requests and limits; where a section is written, nothing is added to it."""
    given = template.given("resources")
    with template.section("resources") as resources:
        read = {name: resources.tree(name) for name in ("requests", "limits")}
    return {name: amounts for name, amounts in read.items() if amounts} if given else dict(RESOURCES)
