"""The stream that seals a page: where each IV comes from."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from practicus_mfa.crypto.keys import FernetKey
from practicus_mfa.crypto.streams import KeyStream

if TYPE_CHECKING:
    import pytest

STREAM = KeyStream(FernetKey(bytes(range(32))))
ROWS, SIZE = 16, 48


def test_every_block_before_a_message_is_random_and_used_once(monkeypatch: pytest.MonkeyPatch) -> None:
    drawn: list[bytes] = []

    def urandom(size: int) -> bytes:
        drawn.append(bytes(range(256))[:size])
        return drawn[-1]

    monkeypatch.setattr(os, "urandom", urandom)
    page = b"".join(b"\xff" * 16 + bytes([row]) * 32 for row in range(ROWS))
    bodies = STREAM.encrypt(page, SIZE)
    assert [len(block) for block in drawn] == [ROWS * 16]
    # What was encrypted as one stream is decrypted as one stream: also the blocks that became IVs.
    stream = STREAM.decrypt([bodies])
    blocks = b"".join(stream[at : at + 16] for at in range(0, len(stream), SIZE))
    assert sorted(blocks) == sorted(drawn[0])
    assert [stream[at + 16 : at + SIZE] for at in range(0, len(stream), SIZE)] == [
        bytes([row]) * 32 for row in range(ROWS)
    ]
