"""The objects that the chart renders from values.yaml: the MfaPolicy and the Secrets that it refers to.

The embedded platform keeps the same objects as files. Key IDs come from the caller: the core sees keys only
as text that passes through on its way into a Secret.
"""

from __future__ import annotations

from base64 import b64decode, b64encode
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from practicus_mfa.core.keyring import KeyId
from practicus_mfa.core.parse.faults import InvalidConfiguration
from practicus_mfa.core.parse.reader import Section
from practicus_mfa.core.parse.values import Values
from practicus_mfa.core.policy import DatabaseRef, SecretRef, SettingsPage
from practicus_mfa.core.spelling import (
    Tree,
    mfa_spelled,
    migration_spelled,
    remember_me_spelled,
    session_spelled,
)
from practicus_mfa.faults import Fault

API_VERSION: Final = "mfa.practicus.ai/v1"
KIND: Final = "MfaPolicy"
ACTIVE_ENTRY: Final = "activeKey"
ROLLING_ENTRY: Final = "rollingKey"

ADOPT: Final = "mfa.practicus.ai/adopt"
"""The annotation by which a person allows an MfaPolicy to take a database over from another one."""


SETTINGS_PAGE: Final = "mfa.practicus.ai/settings-page"
"""The annotation that says what administrators may change on the settings page. The operator goes by it, so
that a login service that is somebody else's by now can't allow itself more."""

APPLIED_REQUEST: Final = "mfa.practicus.ai/applied-request"
"""The annotation that says which change of the settings page was applied last. It is written together with
the change, so an operator that ends right after it leaves no doubt whether it was made."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifests:
    """What one values.yaml renders.

    Attributes:
        policy: The MfaPolicy.
        secret_store: The Secret with the keys; ``None`` where values.yaml names an existing one.
        database: The Secret with the database's URL; ``None`` where values.yaml holds none.
    """

    policy: Tree
    secret_store: Tree | None = field(repr=False)
    database: Tree | None = field(repr=False)


def render(
    values: Values,
    *,
    active: KeyId | None,
    rolling: KeyId | None,
    name: str = "practicus-mfa",
    namespace: str = "default",
) -> Manifests:
    """Return the objects of *values*.

    Args:
        values: A values.yaml, found valid.
        active: The ID of its active key; ``None`` where there is none, or it is no key.
        rolling: The ID of its rolling key, likewise.
        name: The release's name, which all names begin with.
        namespace: Where the objects live.
    """
    store, database = values.secret_store, values.database
    ref = SecretRef(name=store.existing_secret or f"{name}-secret-store", active=active, rolling=rolling)
    database_ref = database.existing or (DatabaseRef(f"{name}-database") if database.url else None)
    spec: Tree = {
        "mfa": mfa_spelled(values.mfa),
        "rememberMe": remember_me_spelled(values.remember_me),
        "session": session_spelled(values.session),
        "secretStoreRef": _secret_ref(ref),
    }
    if database_ref is not None:
        spec["databaseRef"] = {"name": database_ref.name, "key": database_ref.key}
    spec["migration"] = migration_spelled(values.migration)
    keys = {ACTIVE_ENTRY: store.active_key, ROLLING_ENTRY: store.rolling_key}
    return Manifests(
        policy={
            "apiVersion": API_VERSION,
            "kind": KIND,
            "metadata": {
                **_metadata(name, name, namespace),
                "annotations": {SETTINGS_PAGE: str(values.settings_page)},
            },
            "spec": spec,
        },
        secret_store=None if store.existing_secret else _secret(name, ref.name, namespace, keys),
        database=_secret(name, f"{name}-database", namespace, {"url": database.url})
        if database.url
        else None,
    )


def page_allowed(annotations: Mapping[str, object]) -> SettingsPage:
    """Return what the settings page may do, by an MfaPolicy's *annotations*.

    A policy without one was made without the chart, or by an older one: all is allowed. What nobody
    understands allows nothing.
    """
    found = annotations.get(SETTINGS_PAGE)
    if found is None:
        return SettingsPage.EDIT
    return next((mode for mode in SettingsPage if mode == found), SettingsPage.READ)


def _secret_ref(ref: SecretRef) -> Tree:
    spelled: Tree = {"name": ref.name}
    if ref.active is not None:
        spelled["activeKeyID"] = str(ref.active)
    if ref.rolling is not None:
        spelled["rollingKeyID"] = str(ref.rolling)
    return spelled


def _secret(release: str, name: str, namespace: str, entries: Mapping[str, str]) -> Tree:
    data = {entry: b64encode(text.encode()).decode("ascii") for entry, text in entries.items()}
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": _metadata(release, name, namespace),
        "type": "Opaque",
        "data": data,
    }


def _metadata(release: str, name: str, namespace: str) -> Tree:
    return {
        "name": name,
        "namespace": namespace,
        "labels": {"app.kubernetes.io/name": "practicus-mfa", "app.kubernetes.io/instance": release},
    }


def secret_entry(secret: object, entry: str, *, source: str) -> str:
    """Return the text of one entry of a Secret, '' where it is not there.

    Args:
        secret: A Secret as a tree; ``stringData`` wins over ``data``, as in Kubernetes.
        entry: The entry's name.
        source: What messages call the Secret.

    Raises:
        InvalidConfiguration: It is no Secret, or the entry is not text in base64; no value is quoted.
    """
    faults: list[Fault] = []
    top = Section(secret, "", faults)
    plain, encoded = top.section("stringData").text(entry), top.section("data").text(entry)
    text = plain
    if not plain and encoded:
        try:
            text = b64decode(encoded.encode("ascii"), validate=True).decode("utf-8")
        except ValueError:
            remedy = "encode it with base64, once, or write it below stringData as it is"
            faults.append(Fault(path=f"data.{entry}", problem="not text in base64", remedy=remedy))
    if faults:
        # What could not be decoded may be a secret: it is not chained.
        raise InvalidConfiguration(faults, source=source) from None
    return text
