"""The keyring as text: what the embedded platform keeps in ``keyring.yaml`` and ``--keyring`` reads.

::

    generation: 3
    keys:
    - id: 0123456789ab
      state: active
      key: …44 characters of base64…

An ID is stored beside its key and computed anew when it is read: a key that was altered on the disk is
noticed before it is used.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from practicus_mfa.core.keyring import KeyId, Keyring, KeyState
from practicus_mfa.core.parse.faults import InvalidConfiguration
from practicus_mfa.core.parse.reader import Section
from practicus_mfa.crypto.keys import FernetKey, HeldKeys, MalformedKeyError, parse_key
from practicus_mfa.documents import dump_yaml, parse_yaml
from practicus_mfa.errors import UsageError
from practicus_mfa.faults import Fault

HEADER: Final = (
    "# The keyring of practicus-mfa: secret. The platform alone writes it; keys change in values.yaml.\n"
)
REMEDY: Final = (
    "restore it from a backup, or move it away: "
    "it is made anew where values.yaml holds every key that rows need"
)
STATES: Final = tuple(state.value for state in KeyState)


def dump(keyring: Keyring, held: Mapping[KeyId, FernetKey]) -> str:
    """Return *keyring* with its keys as text. The text is a secret.

    Args:
        keyring: The states of the keys.
        held: Every key of the keyring; others are left out.

    Raises:
        KeyError: A key of the keyring is not held.
    """
    keys = [
        {"id": str(key), "state": state.value, "key": held[key].text} for key, state in keyring.states.items()
    ]
    return HEADER + dump_yaml({"generation": keyring.generation, "keys": keys})


def load(text: str, *, source: str = "the keyring") -> tuple[Keyring, HeldKeys]:
    """Return the keyring that *text* holds, and its keys.

    Args:
        text: What :func:`dump` made.
        source: What messages call it.

    Raises:
        InvalidConfiguration: It is damaged; every fault is told, no key is quoted.
    """
    try:
        tree = parse_yaml(text, source)
    except UsageError as error:
        raise UsageError(error.message, remedy=REMEDY) from error
    faults: list[Fault] = []
    keys: dict[KeyId, FernetKey] = {}
    states: dict[KeyId, KeyState] = {}
    with Section(tree, "", faults) as top:
        if tree is None or not (top.given("generation") and top.given("keys")):
            top.fault("generation, keys", "missing", "the file was cut short, or is no keyring")
        generation = top.whole("generation", 0, at_least=0)
        for entry in top.entries("keys"):
            with entry:
                _read_key(entry, keys, states)
    if sum(state is KeyState.ACTIVE for state in states.values()) > 1:
        faults.append(Fault(path="keys", problem="two keys are active", remedy="one key writes at a time"))
    if faults:
        raise InvalidConfiguration(faults, source=source, remedy=REMEDY)
    return Keyring(generation, states), HeldKeys(keys.values())


def _read_key(entry: Section, keys: dict[KeyId, FernetKey], states: dict[KeyId, KeyState]) -> None:
    named, state, text = entry.key_id("id"), entry.text("state"), entry.text("key")
    if state not in STATES:
        entry.fault("state", "not a key's state", f"it is one of {', '.join(STATES)}")
        return
    try:
        key = parse_key(text, name="it")
    except MalformedKeyError as error:
        entry.fault("key", error.message, error.remedy)
        return
    if named != key.id:
        entry.fault("id", "not the ID of the key beside it", "one of them was altered")
    elif key.id in keys:
        entry.fault("id", "the same key as above", "each key stands there once")
    keys[key.id], states[key.id] = key, KeyState(state)
