"""One key at work on a whole page: MACs from a prepared state, CBC as one stream each way.

CBC decrypts a block with nothing but itself and the block before it, so the bodies of a page (IV and
ciphertext each), joined, are one stream: the first block of each body comes out as rubbish, the rest is
right. To encrypt, a fresh random block in that place becomes the body's IV. Why this is safe:
docs/adr/0003-whole-pages-in-one-aes-call.md.
"""

from __future__ import annotations

import os
from collections.abc import Iterable

from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import CBC
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.hmac import HMAC

from practicus_mfa.crypto.faults import BLOCK_BYTES
from practicus_mfa.crypto.keys import FernetKey


class KeyStream:
    """A key with its states set up once."""

    __slots__ = ("_cipher", "_mac", "key")

    def __init__(self, key: FernetKey) -> None:
        """Set up the states of *key*."""
        self.key = key
        self._mac = HMAC(key.signing, SHA256())
        # The stream's own IV only meets the first body's first block: rubbish one way, random the other.
        self._cipher = Cipher(AES(key.encryption), CBC(bytes(BLOCK_BYTES)))

    def macs(self, messages: Iterable[bytes]) -> list[bytes]:
        """Return the MAC of each message."""
        copy, macs = self._mac.copy, []
        for message in messages:
            state = copy()
            state.update(message)
            macs.append(state.finalize())
        return macs

    def decrypt(self, bodies: Iterable[bytes]) -> bytes:
        """Return padded plaintexts of equal length, joined, each after one block of rubbish.

        The MAC of every body must have been checked before.
        """
        return self._cipher.decryptor().update(b"".join(bodies))

    def encrypt(self, padded: bytes, size: int) -> bytes:
        """Return bodies of *size* bytes, joined.

        Args:
            padded: Padded plaintexts of equal length, joined, each after one block that is overwritten.
            size: Bytes from one body to the next.
        """
        count = len(padded) // size
        blocks, stream = os.urandom(count * BLOCK_BYTES), bytearray(padded)
        for at in range(BLOCK_BYTES):
            stream[at::size] = blocks[at * count : (at + 1) * count]
        return self._cipher.encryptor().update(stream)
