"""What a pass decides: the actions to take now, or what it waits for.

An action is a fact to bring about; applying it twice does no harm, and a crash between two of them leaves
a state from which the next pass decides anew.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from practicus_mfa.core.keyring import KeyId, Keyring
from practicus_mfa.core.observed import Claim, Mode


class Step(StrEnum):
    """Where a rotation stands; derived in every pass, never stored, decides nothing."""

    IDLE = "Idle"
    VALIDATE = "Validate"
    STAGE = "Stage"
    CONVERGE = "Converge"
    PROMOTE = "Promote"
    MIGRATE = "Migrate"
    VERIFY = "Verify"
    RETIRE = "Retire"
    UNLOAD = "Unload"
    COMPLETE = "Complete"


@dataclass(frozen=True, slots=True)
class TakeClaim:
    """Own the database in this policy's name, with an epoch above every earlier one."""

    claim: Claim


@dataclass(frozen=True, slots=True)
class WriteKeyring:
    """Make *keyring* the keyring.

    The material of each key comes from the present keyring or from the Secret. The generation is recorded
    in the database first. Keys that leave the keyring go to its archive.
    """

    keyring: Keyring


@dataclass(frozen=True, slots=True)
class RecordGeneration:
    """Tell a database that is older than the keyring which generation there is."""

    generation: int


@dataclass(frozen=True, slots=True)
class SetFirstWriteKey:
    """Bootstrap: no key writes yet; let this one."""

    write_key: KeyId


@dataclass(frozen=True, slots=True)
class ReviveKey:
    """Forget that *key* was retired: rows that nothing else opens may need it after all."""

    key: KeyId


@dataclass(frozen=True, slots=True)
class StartRotation:
    """Record that rows are to be brought under *to_key*."""

    to_key: KeyId


@dataclass(frozen=True, slots=True)
class RetargetRotation:
    """A newer edit came before promotion: nothing was written under the old target, take the new one."""

    rotation: int
    to_key: KeyId


@dataclass(frozen=True, slots=True)
class NudgeReaders:
    """Bring this generation to the readers now rather than at their next refresh."""

    generation: int


@dataclass(frozen=True, slots=True)
class Promote:
    """Let *to_key* write: one commit, under the exclusive lock, convergence checked again inside."""

    rotation: int
    to_key: KeyId


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """Have workers do a pass over *relations*; parts that are done already stay done.

    Attributes:
        rotation: The rotation's number.
        mode: Migrate or verify.
        relations: The tables to work on.
        again: Those of them whose finished pass no longer holds and is to be planned anew.
        attempt: The number of this attempt, from 1.
    """

    rotation: int
    mode: Mode
    relations: tuple[str, ...]
    again: frozenset[str]
    attempt: int


@dataclass(frozen=True, slots=True)
class StopWork:
    """Have running workers finish their page and end."""


@dataclass(frozen=True, slots=True)
class RetireKeys:
    """Close the fence behind *keys*: from now on the database refuses a row under them."""

    rotation: int
    keys: frozenset[KeyId]


@dataclass(frozen=True, slots=True)
class CompleteRotation:
    """Record that the rotation is over and that no row anywhere needs *retired* any more."""

    rotation: int
    retired: frozenset[KeyId]


Action = (
    TakeClaim
    | WriteKeyring
    | RecordGeneration
    | SetFirstWriteKey
    | ReviveKey
    | StartRotation
    | RetargetRotation
    | NudgeReaders
    | Promote
    | Work
    | StopWork
    | RetireKeys
    | CompleteRotation
)


class For(StrEnum):
    """Who or what a waiting plan waits for."""

    MACHINE = "machine"
    PERSON = "person"


@dataclass(frozen=True, slots=True)
class Act:
    """A rule's verdict: do this, then look again."""

    step: Step
    actions: tuple[Action, ...]


@dataclass(frozen=True, slots=True)
class Wait:
    """A rule's verdict: nothing can be done now (but perhaps *meanwhile*), for this reason."""

    step: Step
    waits_for: For
    reason: str
    message: str
    meanwhile: tuple[Action, ...] = ()


Verdict = Act | Wait
