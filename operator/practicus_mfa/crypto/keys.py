"""Fernet keys: 32 random bytes, the first half for the MAC and the second for the cipher.

A person meets a key as 44 characters of base64; everything but these pages knows it by its ID alone. Key
material stays inside :class:`FernetKey`, whose ``repr`` shows the ID.

``cryptography`` reads a key with a lenient decoder that silently skips what is not base64. Here only the
canonical text is a key (url-safe or standard alphabet, not mixed, with its padding), so that a key which was
pasted with a fault is told apart from a right one.
"""

from __future__ import annotations

import hashlib
import secrets
from base64 import urlsafe_b64encode
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Self

from practicus_mfa.core.keyring import KeyId
from practicus_mfa.crypto.base64_text import decoded, fault_of_text, is_text_of
from practicus_mfa.errors import UsageError

if TYPE_CHECKING:
    from cryptography.fernet import Fernet

KEY_BYTES: Final = 32
KEY_ID_LABEL: Final = b"practicus-mfa/fernet-key/v1:"
"""Keeps a key's ID apart from every other hash of the same bytes."""

KEY_ID_DIGITS: Final = 12

_REMEDY: Final = "Make a key with `practicus-mfa keys generate` and give it exactly as printed."
_REMEDY_TWICE: Final = (
    "Give the key as `practicus-mfa keys generate` prints it; under `data` of a Secret it is encoded once, "
    "under `stringData` not at all."
)


class MalformedKeyError(UsageError):
    """A text that is not a Fernet key. The message never quotes it."""


def key_id(raw: bytes) -> KeyId:
    """Return the ID of the key with these 32 *raw* bytes."""
    return KeyId(hashlib.sha256(KEY_ID_LABEL + raw).hexdigest()[:KEY_ID_DIGITS])


@dataclass(frozen=True, slots=True)
class FernetKey:
    """A Fernet key.

    Attributes:
        raw: The 32 bytes of the key; never shown.
        id: The key's ID, for logs, messages and the database.
    """

    raw: bytes = field(repr=False)
    id: KeyId = field(init=False, compare=False)
    _fernet: Fernet | None = field(default=None, init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Derive the ID.

        Raises:
            ValueError: *raw* has not 32 bytes.
        """
        if len(self.raw) != KEY_BYTES:
            msg = f"a Fernet key has {KEY_BYTES} bytes, not {len(self.raw)}"
            raise ValueError(msg)
        object.__setattr__(self, "id", key_id(self.raw))

    @property
    def text(self) -> str:
        """The key as a person keeps it: url-safe base64, 44 characters. A secret."""
        return urlsafe_b64encode(self.raw).decode("ascii")

    @property
    def signing(self) -> bytes:
        """The half that the MAC uses (Fernet specification, "Key Format")."""
        return self.raw[:16]

    @property
    def encryption(self) -> bytes:
        """The half that AES-128 uses."""
        return self.raw[16:]

    def fernet(self) -> Fernet:
        """Return the key as ``cryptography`` uses it, set up once."""
        if self._fernet is not None:
            return self._fernet
        # Imported here: who only asks for keys' IDs, as `status` does, need not wait for it.
        from cryptography.fernet import Fernet

        made = Fernet(self.text)
        object.__setattr__(self, "_fernet", made)
        return made


def generate_key() -> FernetKey:
    """Return a new key from the system's random numbers."""
    return FernetKey(secrets.token_bytes(KEY_BYTES))


def parse_key(text: str, *, name: str = "the key") -> FernetKey:
    """Read a key as a person keeps it.

    Args:
        text: The key's text.
        name: What the message calls the key, for example ``secretStore.activeKey``.

    Raises:
        MalformedKeyError: *text* is not the canonical base64 of 32 bytes; the message says in which way.
    """
    if fault := fault_of_text(text):
        raise MalformedKeyError(f"{name} {fault}", remedy=_REMEDY)
    raw = decoded(text)
    if raw is None:
        msg = f"{name} is not canonical base64: its last character is wrong"
        raise MalformedKeyError(msg, remedy=_REMEDY)
    if is_text_of(KEY_BYTES, raw):
        raise MalformedKeyError(f"{name} is encoded with base64 twice", remedy=_REMEDY_TWICE)
    if len(raw) != KEY_BYTES:
        msg = f"{name} decodes to {len(raw)} bytes, a Fernet key has {KEY_BYTES}"
        raise MalformedKeyError(msg, remedy=_REMEDY)
    return FernetKey(raw)


def id_of(text: str) -> KeyId | None:
    """Return the ID of the key in *text*; ``None`` for no text, or text that is no key."""
    try:
        return parse_key(text).id if text else None
    except MalformedKeyError:
        return None


class HeldKeys(Mapping[KeyId, FernetKey]):
    """The keys that this process holds and can read with, by their ID. Immutable; ``repr`` shows IDs only."""

    __slots__ = ("_keys",)

    def __init__(self, keys: Iterable[FernetKey] = ()) -> None:
        """Hold *keys*, in this order; a key given twice is held once."""
        self._keys = {key.id: key for key in keys}

    @classmethod
    def from_texts(cls, texts: Iterable[str]) -> Self:
        """Read each text as a key.

        Raises:
            MalformedKeyError: One of them is not a key.
        """
        return cls(parse_key(text) for text in texts)

    def __getitem__(self, key: KeyId) -> FernetKey:
        """Return the key with this ID."""
        return self._keys[key]

    def __iter__(self) -> Iterator[KeyId]:
        """Go through the IDs."""
        return iter(self._keys)

    def __len__(self) -> int:
        """Return how many keys are held."""
        return len(self._keys)

    def __repr__(self) -> str:
        """Show the IDs, never a key."""
        return f"HeldKeys({', '.join(self._keys)})"

    def in_order(self, *first: KeyId | None) -> list[FernetKey]:
        """Return every key, those named *first* in front; None and IDs that are not held are skipped."""
        named = [name for name in first if name is not None and name in self._keys]
        return [self._keys[name] for name in dict.fromkeys((*named, *self._keys))]
