"""The keyring as text: read back as written, every damage found, no key quoted."""

from __future__ import annotations

import pytest

from practicus_mfa.core.keyring import Keyring, KeyState
from practicus_mfa.crypto.keyring_file import REMEDY, dump, load
from practicus_mfa.crypto.keys import FernetKey, HeldKeys
from practicus_mfa.errors import UsageError
from practicus_mfa.faults import InvalidConfiguration

NEW, OLD, NEXT = (FernetKey(bytes([number]) * 32) for number in (1, 2, 3))
KEYRING = Keyring(7, {NEW.id: KeyState.ACTIVE, OLD.id: KeyState.ROLLING})
TEXT = dump(KEYRING, HeldKeys([NEW, OLD]))


def fault_of(text: str) -> InvalidConfiguration:
    with pytest.raises(InvalidConfiguration) as caught:
        load(text, source="keyring.yaml")
    assert caught.value.remedy == REMEDY
    for key in (NEW, OLD, NEXT):
        assert key.text not in str(caught.value)
    return caught.value


def test_a_keyring_is_read_back_as_it_was_written() -> None:
    keyring, held = load(TEXT)
    assert keyring == KEYRING
    assert dict(held) == {NEW.id: NEW, OLD.id: OLD}


def test_its_form_is_this() -> None:
    expected = (
        "# The keyring of practicus-mfa: secret. The platform alone writes it; keys change in values.yaml.\n"
        "generation: 7\n"
        "keys:\n"
        + "".join(
            f"  - id: {key.id}\n    state: {state}\n    key: {key.text}\n"
            for key, state in sorted(((NEW, "active"), (OLD, "rolling")), key=lambda each: each[0].id)
        )
    )
    assert expected == TEXT


def test_an_empty_keyring_is_one() -> None:
    assert load(dump(Keyring(1), HeldKeys())) == (Keyring(1), HeldKeys())


def test_a_key_of_the_keyring_must_be_held() -> None:
    with pytest.raises(KeyError):
        dump(KEYRING, HeldKeys([NEW]))


def test_other_keys_are_left_out() -> None:
    assert NEXT.text not in dump(KEYRING, HeldKeys([NEW, OLD, NEXT]))


SHORT = "the file was cut short, or is no keyring"
ALTERED = "not the ID of the key beside it; one of them was altered"
NO_STATE = "not a key's state; it is one of staged, active, rolling, retired"
LIST = "a list where a section is expected; write its names below it, indented, one a line"
NO_END = "it has 43 characters, not a multiple of 4 (is its end missing?)"
MAKE_ONE = "Make a key with `practicus-mfa keys generate` and give it exactly as printed."


def altered(old: str, new: str) -> str:
    assert old in TEXT
    return TEXT.replace(old, new)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", f"generation, keys: missing; {SHORT}"),
        ("generation: 7\n", f"generation, keys: missing; {SHORT}"),
        (altered("generation: 7", "generation: -1"), "generation: -1 is too small; the least is 0"),
        (altered("state: rolling", "state: old"), f"keys[OLD].state: {NO_STATE}"),
        (altered("state: rolling", "state: active"), "keys: two keys are active; one key writes at a time"),
        (altered(OLD.text, NEXT.text), f"keys[OLD].id: {ALTERED}"),
        (altered(OLD.id, NEXT.id), f"keys[OLD].id: {ALTERED}"),
        (
            altered(OLD.text, NEW.text).replace(OLD.id, NEW.id),
            "keys[1].id: the same key as above; each key stands there once",
        ),
        (altered(OLD.text, OLD.text[:-1]), f"keys[OLD].key: it is not base64: {NO_END}; {MAKE_ONE}"),
        (TEXT + "extra: 1\n", "extra: unknown; known here: generation, keys"),
        (
            altered("state: rolling", "state: rolling\n    note: x"),
            "keys[OLD].note: unknown; known here: id, key, state",
        ),
        ("- 1", f"the whole: {LIST}"),
    ],
)
def test_each_damage_is_told(text: str, message: str) -> None:
    old = str(sorted((NEW.id, OLD.id)).index(OLD.id))
    assert message.replace("OLD", old) in [fault.line for fault in fault_of(text).faults]


@pytest.mark.parametrize("cut", range(len(TEXT) // 2, len(TEXT) - 1, 7))
def test_a_file_cut_short_is_never_taken_for_a_keyring(cut: int) -> None:
    with pytest.raises(UsageError) as caught:
        load(TEXT[:cut])
    assert caught.value.remedy == REMEDY


def test_a_file_that_is_no_yaml_is_told_with_the_same_remedy() -> None:
    with pytest.raises(UsageError) as caught:
        load("generation: [", source="keyring.yaml")
    assert caught.value.message.startswith("keyring.yaml, line 1, column 14: ")
    assert caught.value.remedy == REMEDY
