"""What is seen: one frozen snapshot, taken at the start of a pass, that every decision is made from.

Gathering fills it in, deciding only reads it. Nothing here is a secret: keys appear by their ID. A part
that could not be seen says so by its own type (a Secret that is missing, a database out of reach); it is
never an empty value that could be taken for "nothing there".
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from practicus_mfa.core.audit_chain import NOTHING, Head
from practicus_mfa.core.keyring import KeyId, Keyring
from practicus_mfa.core.policy import Policy

OWN_TABLE = "mfa_factors"
"""The relation that is ours; every other relation is another application's table."""


# --- what the user asks for: the Secret ---------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class MalformedKey:
    """A value that is no Fernet key; *why* says what is wrong, and the remedy, without quoting it."""

    why: str


KeyReading = KeyId | MalformedKey | None
"""A field of the Secret: a key's ID, a malformed value, or ``None`` where it is empty."""


@dataclass(frozen=True, slots=True)
class SecretSeen:
    """The Secret made from ``secretStore``."""

    active: KeyReading
    rolling: KeyReading


@dataclass(frozen=True, slots=True)
class SecretMissing:
    """There is no such Secret."""

    name: str


# --- what the rows say --------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Counts:
    """How many rows with a token there are, by what is known of their key.

    Attributes:
        by_key: Rows by the key that their hint names.
        untried: Rows that no pass has tried yet (written by hand, or restored).
        unknown: Well-formed tokens that no known key opens.
        corrupt: Rows that are no token of ours at all: broken, altered, or moved from another owner.
        counted_at: When they were counted.
    """

    by_key: Mapping[KeyId, int]
    untried: int
    unknown: int
    corrupt: int
    counted_at: datetime

    @property
    def total(self) -> int:
        """All rows with a token."""
        return sum(self.by_key.values()) + self.untried + self.unknown + self.corrupt

    def under(self, key: KeyId | None) -> int:
        """Rows under *key*."""
        return self.by_key.get(key, 0) if key else 0

    def awaiting(self, key: KeyId | None) -> int:
        """Rows that a migration to *key* would still change: under another key, or not tried yet."""
        return self.total - self.under(key) - self.unknown - self.corrupt


class Mode(StrEnum):
    """What a pass over the rows does: only those that the hints name, or every one."""

    MIGRATE = "migrate"
    VERIFY = "verify"


@dataclass(frozen=True, slots=True, kw_only=True)
class PassSeen:
    """How far one pass (mode and relation) of a rotation is, summed over its shards."""

    relation: str
    mode: Mode
    shards: int
    done: int
    migrated: int
    current: int
    unknown: int
    corrupt: int

    @property
    def finished(self) -> bool:
        """Every shard is done."""
        return self.done == self.shards


@dataclass(frozen=True, slots=True, kw_only=True)
class RotationSeen:
    """A rotation's facts as the database keeps them; each instant is set once, when it happened."""

    id: int
    to_key: KeyId
    from_key: KeyId | None
    started_at: datetime
    promoted_at: datetime | None = None
    migrated_at: datetime | None = None
    verified_at: datetime | None = None
    retired_at: datetime | None = None
    completed_at: datetime | None = None
    attempt: int = 0
    passes: tuple[PassSeen, ...] = ()

    def pass_of(self, relation: str, mode: Mode) -> PassSeen | None:
        """Return the pass over *relation*, ``None`` where it was not planned yet."""
        return next((seen for seen in self.passes if (seen.relation, seen.mode) == (relation, mode)), None)

    def finished(self, relation: str, mode: Mode) -> bool:
        """Whether that pass was planned and all of it is done."""
        seen = self.pass_of(relation, mode)
        return seen is not None and seen.finished

    @property
    def migrated(self) -> int:
        """Rows that this rotation re-encrypted, in all its passes."""
        return sum(seen.migrated for seen in self.passes)


@dataclass(frozen=True, slots=True)
class ReaderSeen:
    """An unexpired lease: a login replica and the keys that it can read with."""

    instance: str
    key_ids: frozenset[KeyId]


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """Which policy a database belongs to, and who acts for it."""

    cluster: str
    namespace: str
    policy: str
    owner: str
    epoch: int

    def same_policy(self, other: Claim) -> bool:
        """Whether both name the same policy, whoever acts for it."""
        return (self.cluster, self.namespace, self.policy) == (other.cluster, other.namespace, other.policy)


@dataclass(frozen=True, slots=True)
class Administrators:
    """Active administrators (staff or superuser), and how many of them are enrolled."""

    active: int
    enrolled: int


@dataclass(frozen=True, slots=True, kw_only=True)
class DatabaseSeen:
    """What the database knows.

    Attributes:
        claim: The policy that owns it; ``None`` before the first.
        keyring_generation: The highest keyring generation it was ever told of.
        live_keys: The fence: keys that a row may be written under.
        write_key: What writes; ``None`` before the bootstrap is complete.
        former_keys: Keys that were the write key once and are no more.
        retired_keys: Keys that a completed rotation proved to be needed by no row.
        counts: Rows of ``mfa_factors``.
        tables: Rows of other applications' tables, by relation, as last scanned; absent before that.
        users: All users, enrolled or not.
        rotation: The rotation that is under way.
        history: The last completed rotations, newest first.
        readers: Unexpired leases.
        audit_head: The end of the sealed audit.
    """

    claim: Claim | None
    keyring_generation: int
    live_keys: frozenset[KeyId]
    write_key: KeyId | None
    former_keys: frozenset[KeyId]
    retired_keys: frozenset[KeyId]
    counts: Counts
    tables: Mapping[str, Counts] = field(default_factory=dict)
    users: int
    administrators: Administrators
    rotation: RotationSeen | None = None
    history: tuple[RotationSeen, ...] = ()
    readers: tuple[ReaderSeen, ...] = ()
    audit_head: Head = NOTHING


@dataclass(frozen=True, slots=True)
class DatabaseUnreachable:
    """The database did not answer, or not as it should; *why* holds no secret."""

    why: str


# --- who works ----------------------------------------------------------------------------------------


class WorkState(StrEnum):
    """The state of the workers of one attempt."""

    IDLE = "idle"
    RUNNING = "running"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class WorkSeen:
    """The workers that the platform runs for a rotation (Jobs, or local processes).

    Only *running* and *failed* count: that nothing runs is no proof that anything was done. What is done
    stands in the database. *why* says what they failed with, or, of those that run, what keeps all of them
    from their work.
    """

    state: WorkState = WorkState.IDLE
    name: str = ""
    failed_at: datetime | None = None
    why: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Observed:
    """The snapshot that a pass decides from.

    Attributes:
        now: The time of the snapshot.
        generation: The MfaPolicy's ``metadata.generation``.
        policy: The policy, already found valid.
        identity: This policy and this process, as a claim on the database would name them.
        secret: The Secret made from ``secretStore``.
        keyring: The keyring that the operator owns; ``None`` where there is none.
        database: What the database knows.
        work: The workers.
        trial: Rows of a sample by the key that opens them; only looked at while no key writes yet.
        adopt: A person allowed this policy to take over a database that another one claims.
    """

    now: datetime
    generation: int
    policy: Policy
    identity: Claim
    secret: SecretSeen | SecretMissing
    keyring: Keyring | None
    database: DatabaseSeen | DatabaseUnreachable
    work: WorkSeen = WorkSeen()
    trial: Mapping[KeyId, int] = field(default_factory=dict)
    adopt: bool = False
