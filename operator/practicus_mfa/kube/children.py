"""The objects that belong to an MfaPolicy: their names, and the labels by which they are found again.

A policy's name is short enough for a label and a Secret (the CRD sees to that), but with all that a Job's
name tells it may be too long. Then it is cut, and a hash of the whole keeps two of them apart.
"""

from __future__ import annotations

from hashlib import sha256
from typing import Final

from practicus_mfa.core.observed import Mode

POLICY: Final = "mfa.practicus.ai/policy"
ROTATION: Final = "mfa.practicus.ai/rotation"
MODE: Final = "mfa.practicus.ai/mode"
ATTEMPT: Final = "mfa.practicus.ai/attempt"
KEYRING_GENERATION: Final = "mfa.practicus.ai/keyring-generation"
"""An annotation: which generation of the keyring a Secret holds, or a pod was told of."""
NUDGED_AT: Final = "mfa.practicus.ai/keyring-nudged-at"
"""An annotation of a pod: when it was last told. That it changes is what makes a kubelet look."""

COMPONENT: Final = "app.kubernetes.io/component"
MANAGED_BY: Final = "app.kubernetes.io/managed-by"
PRODUCT: Final = "practicus-mfa"
MIGRATION: Final = "migration"
LOGIN: Final = "login"

LONGEST_JOB_NAME: Final = 59
"""A pod's host name is the Job's name and its index, together a DNS label of 63: ``-999`` has room."""

KEYRING_ENTRY: Final = "keyring.yaml"
"""The entry of the keyring's Secret, and of its archive's."""

_HASH: Final = 8
"""Hex digits of a hash in a name."""


def labels_of(policy: str) -> dict[str, str]:
    """Return the labels of each object that the operator makes for *policy*."""
    return {
        "app.kubernetes.io/name": PRODUCT,
        MANAGED_BY: PRODUCT,
        POLICY: policy,
    }


def job_labels(policy: str) -> dict[str, str]:
    """Return what all Jobs of *policy*, and their pods, have in common."""
    return {**labels_of(policy), COMPONENT: MIGRATION}


def attempt_labels(policy: str, rotation: int, mode: Mode, attempt: int) -> dict[str, str]:
    """Return the labels of one Job, and of its pods."""
    return {**job_labels(policy), ROTATION: str(rotation), MODE: str(mode), ATTEMPT: str(attempt)}


def login_labels(policy: str) -> dict[str, str]:
    """Return the labels that the pods of the log-in service carry, whoever made them."""
    return {COMPONENT: LOGIN, POLICY: policy}


def keyring_name(policy: str) -> str:
    """Return the name of the Secret with the keyring."""
    return f"{policy}-keyring"


def archive_name(policy: str) -> str:
    """Return the name of the Secret with the last keys that left the keyring."""
    return f"{policy}-keyring-archive"


def job_name(policy: str, rotation: int, mode: Mode, attempt: int) -> str:
    """Return the name of an attempt's Job: a DNS label, for pods' host names are made of it."""
    suffix = f"-{mode}-{rotation}-{attempt}"
    # A hash keeps "a.b" and "a-b" apart.
    stem = policy if "." not in policy else f"{policy.replace('.', '-')}-{_hash(policy)}"
    return f"{_bounded(stem, LONGEST_JOB_NAME - len(suffix))}{suffix}"


def _bounded(text: str, most: int) -> str:
    if len(text) <= most:
        return text
    return f"{text[: most - _HASH - 1]}-{_hash(text)}"


def _hash(text: str) -> str:
    return sha256(text.encode()).hexdigest()[:_HASH]
