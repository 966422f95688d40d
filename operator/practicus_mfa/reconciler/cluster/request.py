"""What a cluster's objects ask for: an MfaPolicy and the Secrets that it names, read into a request.

An object that can't be used is an error that names it. The API server has found an MfaPolicy valid, but a
newer or older release of the CRD may have let something else through.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from practicus_mfa.core.manifests import ACTIVE_ENTRY, ADOPT, KIND, ROLLING_ENTRY, secret_entry
from practicus_mfa.core.observed import Claim
from practicus_mfa.core.parse.spec import policy_from_spec
from practicus_mfa.core.policy import DatabaseRef, Policy
from practicus_mfa.core.status import sound_status
from practicus_mfa.errors import UsageError
from practicus_mfa.reconciler.ports import Request, SecretTexts

Object = Mapping[str, Any]
"""An object as the API server gives it."""


def spec_of(policy: Object) -> Policy:
    """Return the spec of *policy*.

    Raises:
        UsageError: It is not valid.
    """
    return policy_from_spec(policy.get("spec"), source=called(KIND, policy))


def request_from(
    policy: Object,
    spec: Policy,
    secret: Object | None,
    identity: Claim,
    status: Mapping[str, object] | None = None,
) -> Request:
    """Return what *policy* asks for.

    Args:
        policy: The MfaPolicy.
        spec: Its spec, as :func:`spec_of` gives it.
        secret: The Secret of its ``secretStoreRef``; ``None`` where that does not exist.
        identity: This policy and this process, as a claim on the database names them.
        status: The status as published last, where that is newer than the one in *policy*.

    Raises:
        UsageError: One of the two is not valid.
    """
    generation = _section(policy, "metadata").get("generation")
    if not isinstance(generation, int):
        raise UsageError(
            f"{called(KIND, policy)} has no metadata.generation",
            remedy="install this release's CustomResourceDefinition: it counts changes of the spec",
        )
    return Request(
        generation=generation,
        policy=spec,
        secret=_texts(secret) if secret is not None else None,
        identity=identity,
        adopt=asks_to_adopt(policy),
        status=sound_status(policy.get("status") if status is None else status),
    )


def asks_to_adopt(policy: Object) -> bool:
    """Whether a person allowed *policy* to take its database over from another one."""
    annotations = _section(_section(policy, "metadata"), "annotations")
    return str(annotations.get(ADOPT)).lower() == "true"


def database_url_from(secret: Object | None, ref: DatabaseRef | None, *, namespace: str) -> str:
    """Return the database's URL, which may hold a password. A secret.

    Args:
        secret: The Secret that *ref* names; ``None`` where that does not exist.
        ref: The policy's ``databaseRef``.
        namespace: The policy's, for messages.

    Raises:
        UsageError: There is no URL; nothing is quoted.
    """
    if ref is None:
        raise UsageError(
            "the MfaPolicy names no database",
            remedy="name the Secret with its URL in spec.databaseRef: {name: …, key: url}",
        )
    name = f"Secret {namespace}/{ref.name}"
    if secret is None:
        raise UsageError(
            f"{name}, which is to hold the database's URL, does not exist",
            remedy=f"create it with the entry {ref.key}, or correct spec.databaseRef of the MfaPolicy",
        )
    url = secret_entry(secret, ref.key, source=name).strip()
    if not url:
        raise UsageError(
            f"{name} holds no database URL in the entry {ref.key}",
            remedy="write it there, or name the entry that holds it in spec.databaseRef.key",
        )
    return url


def called(kind: str, found: Object) -> str:
    """Return how messages call an object: its kind, namespace and name."""
    metadata = _section(found, "metadata")
    return f"{kind} {metadata.get('namespace', '')}/{metadata.get('name', '')}"


def _texts(secret: Object) -> SecretTexts:
    name = called("Secret", secret)
    return SecretTexts(
        active=secret_entry(secret, ACTIVE_ENTRY, source=name),
        rolling=secret_entry(secret, ROLLING_ENTRY, source=name),
    )


def _section(tree: Object, name: str) -> Object:
    found = tree.get(name)
    return found if isinstance(found, Mapping) else {}
