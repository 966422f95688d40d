"""The page engine: rotates thousands of tokens with one AES call each way.

``MultiFernet.rotate`` sets up two HMACs and two ciphers for each token, which would make the cryptography the
brake of a rotation. Here a page is opened as a whole (:mod:`~practicus_mfa.crypto.openings`) and sealed as a
whole. The result is what ``cryptography`` would have made: the timestamp is kept, the padded plaintext goes
from one stream into the other untouched, and each IV is fresh. Why this is safe:
docs/adr/0003-whole-pages-in-one-aes-call.md.
"""

from __future__ import annotations

from collections.abc import Sequence
from struct import Struct
from typing import cast

from cryptography.fernet import MultiFernet

from practicus_mfa.core.keyring import KeyId
from practicus_mfa.crypto.keys import FernetKey, HeldKeys
from practicus_mfa.crypto.openings import open_page
from practicus_mfa.crypto.records import HEAD_BYTES, write
from practicus_mfa.crypto.rows import (
    CURRENT,
    Binding,
    Current,
    Outcome,
    PageRow,
    Rotated,
    TokenT,
    Unreadable,
)
from practicus_mfa.crypto.runs import Run, Single
from practicus_mfa.crypto.streams import KeyStream

__all__ = [
    "Binding",
    "Current",
    "Outcome",
    "PageRow",
    "Rotated",
    "Unreadable",
    "rotate_page",
]


def rotate_page(
    rows: Sequence[PageRow[TokenT]], *, keys: HeldKeys, write_key: KeyId, binding: Binding
) -> list[Outcome[TokenT]]:
    """Seal every token of a page under the write key that is not yet under it.

    Args:
        rows: The page; text and bytes, keys and lengths may be mixed.
        keys: The keys to try, the write key among them: a row's hint, then the write key, then the rest.
        write_key: The key to seal with.
        binding: Whether the tokens are bound to their owners.

    Returns:
        What became of each row, in the order of *rows*.

    Raises:
        KeyError: The write key is not held.
        ValueError: A row has no owner and *binding* needs one.
    """
    writer = KeyStream(keys[write_key])
    page = open_page(rows, keys=keys, first=write_key, binding=binding)
    outcomes: list[Outcome[TokenT] | None] = [None] * len(rows)
    for row, reason in page.refused.items():
        outcomes[row] = Unreadable(reason)
    for run in page.runs:
        from_key = run.key.key.id
        if from_key == write_key:
            for row in run.rows:
                outcomes[row] = CURRENT
        else:
            for row, token in zip(run.rows, _sealed(run, writer, rows), strict=True):
                outcomes[row] = Rotated(token, from_key)
    for single in page.singles:
        from_key = single.key.id
        if from_key == write_key:
            outcomes[single.row] = CURRENT
        else:
            token = _sealed_single(single, writer.key, rows[single.row].token)
            outcomes[single.row] = Rotated(token, from_key)
    # Each row is in exactly one of the three, so none is left.
    return cast("list[Outcome[TokenT]]", outcomes)


def _sealed(run: Run, writer: KeyStream, rows: Sequence[PageRow[TokenT]]) -> list[TokenT]:
    """Return the tokens of a run, sealed by *writer*; each has the type that its row's token has."""
    shape = run.shape
    bodies = Struct(f"{shape.body}s").iter_unpack(writer.encrypt(run.padded, shape.body))
    signed = [was[:HEAD_BYTES] + body for was, (body,) in zip(run.signed, bodies, strict=True)]
    text = write(signed, writer.macs(signed), shape)
    starts = range(0, len(text), shape.letters)
    if isinstance(rows[run.rows[0]].token, str):
        return cast("list[TokenT]", [text[at : at + shape.letters] for at in starts])
    data = text.encode("ascii")
    return [
        _like(rows[row].token, data[at : at + shape.letters])
        for row, at in zip(run.rows, starts, strict=True)
    ]


def _sealed_single(single: Single, writer: FernetKey, old: TokenT) -> TokenT:
    """Return the token of one row, sealed by ``cryptography``, which keeps the timestamp."""
    return _like(old, MultiFernet([writer.fernet(), single.key.fernet()]).rotate(single.token))


def _like(old: TokenT, new: bytes) -> TokenT:
    if isinstance(old, str):
        return cast("TokenT", new.decode("ascii"))
    return cast("TokenT", memoryview(new) if isinstance(old, memoryview) else new)
