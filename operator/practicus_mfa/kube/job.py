"""The Job of one attempt: pods that re-encrypt rows, each its share. A pure manifest.

The database knows what is to be done and how far it is; a pod is told its share alone, by its index. So a pod
that dies is replaced, and one too many does no harm. A Job that ends, whichever way, is no proof: what is
left, the next pass reads in the database.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from practicus_mfa.core.manifests import API_VERSION, KIND
from practicus_mfa.core.plan import Work
from practicus_mfa.core.policy import DatabaseRef
from practicus_mfa.errors import EXIT_NEEDS_PERSON, EXIT_USAGE
from practicus_mfa.kube.children import (
    KEYRING_ENTRY,
    KEYRING_GENERATION,
    attempt_labels,
    job_name,
    keyring_name,
)
from practicus_mfa.kube.job_template import JobTemplate
from practicus_mfa.kube.objects import JOBS, Tree

CONTAINER: Final = "migrate"

KEYRING_FOLDER: Final = "/etc/practicus-mfa/keyring"
DATABASE_FOLDER: Final = "/etc/practicus-mfa/database"

SECRET_MODE: Final = 0o440
"""Files of a Secret belong to root; the pod's group, ``fsGroup``, may read them."""

TRIES: Final = 3
"""How often a share is tried again within an attempt, 10, 20 and 40 s after it failed (the Job controller's
own pauses). It bridges a database that starts again; what lasts longer is left to the next attempt."""

GRACE_SECONDS: Final = 30
"""For the page at hand and its commit, when a pod is told to end."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Owner:
    """The MfaPolicy that a Job is made for.

    Attributes:
        namespace: Its namespace.
        name: Its name.
        uid: Its ``metadata.uid``: with the policy its Jobs are deleted.
    """

    namespace: str
    name: str
    uid: str


def migration_job(
    owner: Owner, work: Work, *, generation: int, parts: int, database: DatabaseRef, template: JobTemplate
) -> Tree:
    """Return the Job for *work*.

    Args:
        owner: The policy.
        work: The attempt.
        generation: The keyring's: a pod that mounted an older one ends with 75 and is tried again.
        parts: Pods, all at the same time.
        database: The Secret with the database's URL.
        template: How its pods look.
    """
    labels = attempt_labels(owner.name, work.rotation, work.mode, work.attempt)
    return {
        "apiVersion": JOBS.api_version,
        "kind": JOBS.kind,
        "metadata": {
            "name": job_name(owner.name, work.rotation, work.mode, work.attempt),
            "namespace": owner.namespace,
            "labels": labels,
            "annotations": {KEYRING_GENERATION: str(generation)},
            "ownerReferences": [_owned_by(owner)],
        },
        "spec": {
            # KEP-2214 (indexed), KEP-3850 (limits for each index), KEP-3329 (failure policy), KEP-3939.
            "completionMode": "Indexed",
            "completions": parts,
            "parallelism": parts,
            "backoffLimitPerIndex": TRIES,
            # A share that can't be done does not end those that can.
            "maxFailedIndexes": parts,
            "podReplacementPolicy": "Failed",
            "podFailurePolicy": {"rules": _failure_rules()},
            "ttlSecondsAfterFinished": template.ttl_seconds,
            "template": {
                "metadata": {
                    "labels": {**template.pod_labels, **labels},
                    "annotations": dict(template.pod_annotations),
                },
                "spec": _pod(owner, f"{generation}", parts, database, template),
            },
        },
    }


def _owned_by(owner: Owner) -> Tree:
    return {
        "apiVersion": API_VERSION,
        "kind": KIND,
        "name": owner.name,
        "uid": owner.uid,
        "controller": True,
        # Nobody has to wait for a Job when a policy is deleted; and to block it would take the right to
        # update mfapolicies/finalizers (admission plug-in OwnerReferencesPermissionEnforcement).
        "blockOwnerDeletion": False,
    }


def _failure_rules() -> list[Tree]:
    """Return what becomes of a pod that failed; the first rule that fits counts.

    That a pod was evicted is not its fault. What only a person can mend is not tried again in vain: the
    attempt ends with its message, and further ones follow. All else counts, 75 ("start me again") included:
    a share that never gets what it needs must come to an end, for the next pass to decide anew.
    """
    disrupted = {"type": "DisruptionTarget", "status": "True"}
    hopeless = {"containerName": CONTAINER, "operator": "In", "values": [EXIT_USAGE, EXIT_NEEDS_PERSON]}
    return [
        {"action": "Ignore", "onPodConditions": [disrupted]},
        {"action": "FailIndex", "onExitCodes": hopeless},
    ]


def _pod(owner: Owner, generation: str, parts: int, database: DatabaseRef, template: JobTemplate) -> Tree:
    pod: Tree = {
        "restartPolicy": "Never",
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "terminationGracePeriodSeconds": GRACE_SECONDS,
        # The Pod Security Standard "restricted", whatever else is said.
        "securityContext": {
            **template.security_context,
            "runAsNonRoot": True,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "containers": [_container(generation, parts, database, template)],
        "volumes": [
            _volume("keyring", keyring_name(owner.name), KEYRING_ENTRY),
            _volume("database", database.name, database.key),
            *(dict(volume) for volume in template.volumes),
        ],
    }
    chosen: Mapping[str, Any] = {
        "imagePullSecrets": [{"name": name} for name in template.image_pull_secrets],
        "nodeSelector": dict(template.node_selector),
        "tolerations": [dict(entry) for entry in template.tolerations],
        "affinity": dict(template.affinity),
        "priorityClassName": template.priority_class,
        "serviceAccountName": template.service_account,
    }
    return pod | {name: value for name, value in chosen.items() if value}


def _container(generation: str, parts: int, database: DatabaseRef, template: JobTemplate) -> Tree:
    options = {
        "--database-url-file": f"{DATABASE_FOLDER}/{database.key}",
        "--keyring": f"{KEYRING_FOLDER}/{KEYRING_ENTRY}",
        "--keyring-generation": generation,
        # The variable is the Job controller's, the kubelet puts it in.
        "--indexed-shard": f"$(JOB_COMPLETION_INDEX)/{parts}",
    }
    container: Tree = {
        "name": CONTAINER,
        "image": template.image,
        "args": ["migrate", *(word for option in options.items() for word in option)],
        # The error that a pod ends with is read from its status: no right to read logs is needed.
        "terminationMessagePolicy": "FallbackToLogsOnError",
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "capabilities": {"drop": ["ALL"]},
            "readOnlyRootFilesystem": True,
        },
        "volumeMounts": [
            {"name": "keyring", "mountPath": KEYRING_FOLDER, "readOnly": True},
            {"name": "database", "mountPath": DATABASE_FOLDER, "readOnly": True},
            *(dict(mount) for mount in template.volume_mounts),
        ],
    }
    chosen = {"imagePullPolicy": template.image_pull_policy, "resources": dict(template.resources)}
    return container | {name: value for name, value in chosen.items() if value}


def _volume(name: str, secret: str, entry: str) -> Tree:
    """Return a volume with one entry of a Secret, and nothing else of it."""
    return {
        "name": name,
        "secret": {
            "secretName": secret,
            "defaultMode": SECRET_MODE,
            "items": [{"key": entry, "path": entry}],
        },
    }
