"""The keyring: which keys the system can read with, and in what state each one is.

Keys are known here by their ID only; key material never enters the core. A key's life:

    staged ──promote──▶ active ──next promotion──▶ rolling ──retire──▶ retired ──unload──▶ (archive)

* ``staged``: every reader must be able to read with it before it may write.
* ``active``: the write key. What truly writes is one row in the database; the state here repeats it.
* ``rolling``: a key that rows may still need.
* ``retired``: proved to be needed by no row; the database refuses it. It stays readable until
  values.yaml no longer names it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType
from typing import Final, NewType

KeyId = NewType("KeyId", str)
"""The first 12 hex digits of a SHA-256 over a fixed label and a key's 32 raw bytes."""

KEY_ID_PATTERN: Final = re.compile(r"[0-9a-f]{12}", re.ASCII)


def parse_key_id(text: str) -> KeyId:
    """Return *text* as a key ID.

    Raises:
        ValueError: *text* is not 12 lower-case hex digits.
    """
    if not KEY_ID_PATTERN.fullmatch(text):
        msg = f"{text!r} is not a key ID (12 lower-case hex digits)"
        raise ValueError(msg)
    return KeyId(text)


class KeyState(StrEnum):
    """The state of one key of the keyring."""

    STAGED = "staged"
    ACTIVE = "active"
    ROLLING = "rolling"
    RETIRED = "retired"


def _frozen(states: Mapping[KeyId, KeyState]) -> Mapping[KeyId, KeyState]:
    return MappingProxyType(dict(sorted(states.items())))


@dataclass(frozen=True, slots=True)
class Keyring:
    """A generation of the keyring.

    Attributes:
        generation: Counts every change; the highest one ever is also kept in the database.
        states: The state of each key that can be read with.
    """

    generation: int
    states: Mapping[KeyId, KeyState] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Freeze the mapping, sorted, so that equal keyrings look the same."""
        object.__setattr__(self, "states", _frozen(self.states))

    @property
    def ids(self) -> frozenset[KeyId]:
        """Every key that can be read with."""
        return frozenset(self.states)

    def in_state(self, *wanted: KeyState) -> frozenset[KeyId]:
        """Return the keys that are in one of the *wanted* states."""
        return frozenset(key for key, state in self.states.items() if state in wanted)


def joined(keys: Iterable[KeyId]) -> str:
    """Return key IDs for a sentence: sorted, separated by commas."""
    return ", ".join(sorted(keys))
