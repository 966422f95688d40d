"""Keys: what a person may give, and the exact sentence where it is no key."""

from __future__ import annotations

import base64
import hashlib
import pickle

import pytest
from cryptography.fernet import Fernet

from practicus_mfa.crypto.keys import FernetKey, HeldKeys, MalformedKeyError, generate_key, key_id, parse_key

RAW = bytes(range(200, 232))
TEXT = base64.urlsafe_b64encode(RAW).decode()
STANDARD = base64.b64encode(RAW).decode()
TWICE = base64.b64encode(TEXT.encode()).decode()
ALIKE = bytes([0xFB, 0xFF]) * 16
"""Raw bytes whose base64 holds both characters that the alphabets differ in."""

AS_PRINTED = "Make a key with `practicus-mfa keys generate` and give it exactly as printed."


def test_a_key_is_read_in_both_alphabets() -> None:
    assert parse_key(TEXT) == parse_key(STANDARD) == FernetKey(RAW)
    url_safe, standard = base64.urlsafe_b64encode(ALIKE).decode(), base64.b64encode(ALIKE).decode()
    assert url_safe != standard
    assert parse_key(url_safe) == parse_key(standard) == FernetKey(ALIKE)


def test_a_key_is_what_cryptography_takes_it_for() -> None:
    key = generate_key()
    assert key.raw == key.signing + key.encryption
    assert parse_key(key.text) == key
    assert Fernet(key.text).decrypt(key.fernet().encrypt(b"text")) == b"text"
    assert parse_key(Fernet.generate_key().decode()) != key != generate_key()


def test_the_id_is_a_labelled_hash_of_the_raw_bytes() -> None:
    expected = hashlib.sha256(b"practicus-mfa/fernet-key/v1:" + RAW).hexdigest()[:12]
    assert FernetKey(RAW).id == key_id(RAW) == expected == "db0ad65e53af"


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("", "is empty"),
        (" \n", "is nothing but white space"),
        (TEXT + "\n", "has white space around it"),
        ("\t" + TEXT, "has white space around it"),
        (f'"{TEXT}"', "has quotes around it"),
        (f"'{TEXT}", "has quotes around it"),
        (f"\u201c{TEXT}\u201d", "has quotes around it"),
        (TEXT[:20] + " " + TEXT[20:], "has white space inside"),
        (TEXT[:20] + "\n" + TEXT[20:], "has white space inside"),
        (TEXT[:20] + "!" + TEXT[21:], "is not base64: character 21 is not of its alphabet"),
        ("k\u00e9y", "is not base64: character 2 is not of its alphabet"),
        ("-+==", "is not base64: it mixes the two alphabets or has '=' before its end"),
        ("A===", "is not base64: it mixes the two alphabets or has '=' before its end"),
        ("AA=A", "is not base64: it mixes the two alphabets or has '=' before its end"),
        (TEXT[:-1], "is not base64: it has 43 characters, not a multiple of 4 (is its end missing?)"),
        ("A" * 41, "is not base64: it has 41 characters, not a multiple of 4 (is its end missing?)"),
        ("AB==", "is not canonical base64: its last character is wrong"),
        (base64.urlsafe_b64encode(RAW[:16]).decode(), "decodes to 16 bytes, a Fernet key has 32"),
        (base64.urlsafe_b64encode(RAW + b"!").decode(), "decodes to 33 bytes, a Fernet key has 32"),
        ("====", "is not base64: it mixes the two alphabets or has '=' before its end"),
    ],
)
def test_what_is_no_key_is_named(text: str, fault: str) -> None:
    with pytest.raises(MalformedKeyError) as raised:
        parse_key(text)
    assert (raised.value.message, raised.value.remedy) == (f"the key {fault}", AS_PRINTED)


@pytest.mark.parametrize(
    "text", [TWICE, base64.urlsafe_b64encode(f"{TEXT}\n".encode()).decode()], ids=["printf", "echo"]
)
def test_a_key_encoded_twice_is_named(text: str) -> None:
    with pytest.raises(MalformedKeyError) as raised:
        parse_key(text, name="secretStore.activeKey")
    assert raised.value.message == "secretStore.activeKey is encoded with base64 twice"
    assert "under `data` of a Secret it is encoded once" in raised.value.remedy


def test_thirty_two_bytes_that_look_like_base64_are_a_key() -> None:
    raw = base64.b64encode(RAW[:24])
    assert len(raw) == 32
    assert parse_key(base64.urlsafe_b64encode(raw).decode()).raw == raw


def test_cryptography_would_take_what_is_refused_here() -> None:
    """The reason for a stricter reader: the lenient one skips a stray character."""
    assert Fernet(f"{TEXT[:20]}!{TEXT[20:]}").decrypt(FernetKey(RAW).fernet().encrypt(b"text")) == b"text"


def test_a_key_of_another_length_is_not_made() -> None:
    with pytest.raises(ValueError, match="a Fernet key has 32 bytes, not 31"):
        FernetKey(RAW[1:])


def test_nothing_shows_a_key() -> None:
    key = FernetKey(RAW)
    assert repr(key) == f"FernetKey(id='{key.id}')"
    assert repr(HeldKeys([key])) == f"HeldKeys({key.id})"
    assert pickle.loads(pickle.dumps(key)) == key  # noqa: S301 - a worker process is given its keys so


def test_held_keys_are_a_mapping() -> None:
    first, second = generate_key(), generate_key()
    keys = HeldKeys.from_texts([first.text, second.text, first.text])
    assert list(keys) == [first.id, second.id]
    assert len(keys) == 2
    assert keys[second.id] == second
    assert keys == {first.id: first, second.id: second}


def test_keys_are_tried_in_the_order_asked_for() -> None:
    first, second, third = (generate_key() for _ in range(3))
    keys = HeldKeys([first, second, third])
    assert keys.in_order() == [first, second, third]
    assert keys.in_order(None, third.id) == [third, first, second]
    assert keys.in_order(second.id, third.id) == [second, third, first]
    assert keys.in_order(generate_key().id, second.id, second.id) == [second, first, third]
