"""What the reconcile loop needs of its platform: a cluster, or a folder on one machine."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from practicus_mfa.core.keyring import Keyring
from practicus_mfa.core.observed import Claim, WorkSeen
from practicus_mfa.core.plan import Work
from practicus_mfa.core.policy import Policy, SettingsPage
from practicus_mfa.core.status import Manifest
from practicus_mfa.crypto.keys import HeldKeys


@dataclass(frozen=True, slots=True)
class SecretTexts:
    """The two fields of the Secret, as they stand there. Secrets."""

    active: str = field(repr=False)
    rolling: str = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What the user asks for.

    Attributes:
        generation: The MfaPolicy's ``metadata.generation``.
        policy: Its spec, found valid.
        secret: The Secret that it refers to; ``None`` where that does not exist.
        identity: This policy and this process, as a claim on the database names them.
        adopt: A person allowed taking the database over from another policy.
        status: The status as it was published last; empty at the first time.
    """

    generation: int
    policy: Policy
    secret: SecretTexts | None
    identity: Claim
    adopt: bool = False
    status: Manifest = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredPolicy:
    """The MfaPolicy as it stands in the cluster or the folder, at this moment.

    Attributes:
        generation: Its ``metadata.generation``.
        spec: Its spec.
        settings_page: What the settings page may do, by its annotation.
        applied: Which request of the settings page was applied last, by its annotation.
        version: What every change of it changes.
    """

    generation: int
    spec: Mapping[str, Any]
    settings_page: SettingsPage
    applied: str = ""
    version: str = ""


class PolicyObject(Protocol):
    """The MfaPolicy, of which the platform alone writes ``spec.overrides``."""

    def read(self) -> StoredPolicy:
        """Return it as it stands.

        Raises:
            RetryableError: It is gone, or can't be read at the moment.
        """

    def override(self, present: StoredPolicy, overrides: Mapping[str, Any], *, request: str) -> int:
        """Make *overrides* its ``spec.overrides``, and note the *request*; return the new generation.

        Raises:
            RetryableError: It is not what it was any more, or can't be written at the moment.
            UsageError: It may not be written so.
        """


class KeyringStore(Protocol):
    """Where the keyring is kept; the platform alone writes it."""

    def load(self) -> tuple[Keyring, HeldKeys] | None:
        """Return the keyring and its keys, ``None`` where there is none.

        Raises:
            UsageError: It is damaged.
        """

    def save(self, keyring: Keyring, held: HeldKeys) -> None:
        """Make *keyring* the keyring; keys that leave it go to the archive. All of it or nothing."""


class Workers(Protocol):
    """Who re-encrypts rows: Jobs in a cluster, processes on one machine."""

    def seen(self) -> WorkSeen:
        """Return how they are."""

    def start(self, work: Work, keyring: Keyring, shards: int) -> None:
        """Have them do *work*, cut into *shards* parts that are not done, with at least *keyring*."""

    def stop(self) -> None:
        """Have them finish their page and end."""

    def nudge(self, generation: int) -> None:
        """Bring this generation of the keyring to the readers now, where the platform can."""
