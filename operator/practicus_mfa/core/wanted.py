"""What the user asks for: the keys of the Secret, judged.

A mistake in values.yaml harms nothing: it is named, no new key is taken up, and what the system already
reads with goes on working.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from practicus_mfa.core.keyring import KeyId
from practicus_mfa.core.observed import DatabaseSeen, MalformedKey, Observed, SecretMissing, SecretSeen

GENERATE = "make one with `practicus-mfa keys generate`"


class KeysReason(StrEnum):
    """The reasons of the condition ``KeysValid``."""

    VALID = "Valid"
    ACTIVE_KEY_MISSING = "ActiveKeyMissing"
    ONLY_ROLLING_KEY = "OnlyRollingKey"
    MALFORMED_KEY = "MalformedKey"
    SAME_KEY = "SameKey"
    REVERSED_KEYS = "ReversedKeys"
    SECRET_MISSING = "SecretMissing"  # noqa: S105 - a reason's name, no secret
    SECRET_STALE = "SecretStale"  # noqa: S105 - a reason's name, no secret


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """The judged Secret.

    Attributes:
        reason: ``VALID``, or the first thing that is wrong.
        message: One sentence, with the remedy where something is wrong.
        active: The key that shall write; only where everything is valid.
        rolling: The key that shall also be read with; only where everything is valid.
        named: Every key ID that could be read from the Secret, valid as a whole or not.
        legible: Each field is empty or a key: it is known which keys the Secret does *not* name.
    """

    reason: KeysReason
    message: str
    active: KeyId | None = None
    rolling: KeyId | None = None
    named: frozenset[KeyId] = frozenset()
    legible: bool = True

    @property
    def valid(self) -> bool:
        """Whether the keys may be taken up."""
        return self.reason is KeysReason.VALID


def judge(seen: Observed) -> Wanted:
    """Judge the Secret of *seen*; every fault has its own reason and remedy."""
    secret = seen.secret
    if isinstance(secret, SecretMissing):
        return Wanted(
            reason=KeysReason.SECRET_MISSING,
            message=f"Secret {secret.name} does not exist: create it with the keys activeKey and rollingKey.",
            legible=False,
        )
    malformed = _malformed(secret)
    named = frozenset(key for key in (secret.active, secret.rolling) if isinstance(key, str))
    if malformed:
        return Wanted(reason=KeysReason.MALFORMED_KEY, message=malformed, named=named, legible=False)
    fault = _stale(seen, secret) or _misused(secret, seen) or _reversed(secret, seen)
    if fault:
        reason, message = fault
        legible = reason is not KeysReason.SECRET_STALE
        return Wanted(reason=reason, message=message, named=named, legible=legible)
    active, rolling = _as_id(secret.active), _as_id(secret.rolling)
    return Wanted(
        reason=KeysReason.VALID, message="The keys are valid.", active=active, rolling=rolling, named=named
    )


def _as_id(reading: KeyId | MalformedKey | None) -> KeyId | None:
    return None if isinstance(reading, MalformedKey) else reading


def _malformed(secret: SecretSeen) -> str:
    faults = [reading.why for reading in (secret.active, secret.rolling) if isinstance(reading, MalformedKey)]
    return " ".join(faults)


def _stale(seen: Observed, secret: SecretSeen) -> tuple[KeysReason, str] | None:
    expected = seen.policy.secret_ref
    if expected.active is None and expected.rolling is None:
        return None
    if (secret.active, secret.rolling) == (expected.active, expected.rolling):
        return None
    return (
        KeysReason.SECRET_STALE,
        (
            f"Secret {expected.name} does not hold the keys that the policy names (active {expected.active}, "
            f"rolling {expected.rolling}): apply both from the same values.yaml."
        ),
    )


def _misused(secret: SecretSeen, seen: Observed) -> tuple[KeysReason, str] | None:
    if secret.active is None:
        if secret.rolling is not None and seen.keyring is None:
            return (
                KeysReason.ONLY_ROLLING_KEY,
                "Only secretStore.rollingKey is set: at a first install put the key in activeKey.",
            )
        return (
            KeysReason.ACTIVE_KEY_MISSING,
            f"secretStore.activeKey is empty: put the active key back, or {GENERATE}.",
        )
    if secret.active == secret.rolling:
        return (
            KeysReason.SAME_KEY,
            (
                "secretStore.activeKey and rollingKey are the same key: "
                "empty rollingKey, or put the previous key there."
            ),
        )
    return None


def _reversed(secret: SecretSeen, seen: Observed) -> tuple[KeysReason, str] | None:
    database = seen.database
    if not isinstance(database, DatabaseSeen) or secret.active not in database.former_keys:
        return None
    if secret.active in (database.write_key, seen.policy.migration.allow_reverse):
        return None
    return (
        KeysReason.REVERSED_KEYS,
        (
            f"secretStore.activeKey is the former key {secret.active} (a rollback, or the two keys swapped): "
            f"restore the newer key {database.write_key}, or set migration.allowReverse to "
            f'"{secret.active}" to go back to it.'
        ),
    )
