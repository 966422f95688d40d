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
from practicus_mfa.crypto.rows import RotatedPage, SealedPage, TokenT
from practicus_mfa.crypto.runs import Run, Single
from practicus_mfa.crypto.streams import KeyStream


class PageEngine:
    """Brings tokens under one key, page after page."""

    def __init__(self, keys: HeldKeys, write_key: KeyId) -> None:
        """Set up the keys, once for all pages.

        Args:
            keys: The keys to try, the write key among them: a row's hint, then the write key, then the rest.
            write_key: The key to seal with.

        Raises:
            KeyError: The write key is not held.
        """
        self._keys = keys
        self._streams = {name: KeyStream(key) for name, key in keys.items()}
        self._writer = self._streams[write_key]

    def rotate(self, page: SealedPage[TokenT]) -> RotatedPage[TokenT]:
        """Seal every token of a page under the write key that is not yet under it.

        Args:
            page: The rows; text and bytes, keys and lengths may be mixed.

        Returns:
            What became of each row.
        """
        writer = self._writer
        opened = open_page(page, keys=self._keys, streams=self._streams, first=writer.key.id)
        done = RotatedPage(tokens=list(page.tokens), refused=opened.refused)
        for run in opened.runs:
            if run.key is writer:
                done.current.extend(run.rows)
            else:
                done.rotated.extend(run.rows)
                for row, token in zip(run.rows, _sealed(run, writer, page.tokens), strict=True):
                    done.tokens[row] = token
        for single in opened.singles:
            if single.key is writer.key:
                done.current.append(single.row)
            else:
                done.rotated.append(single.row)
                done.tokens[single.row] = _sealed_single(single, writer.key, page.tokens[single.row])
        return done


def _sealed(run: Run, writer: KeyStream, old: Sequence[TokenT]) -> list[TokenT]:
    """Return the tokens of a run, sealed by *writer*; each has the type that its row's *old* token has."""
    shape = run.shape
    bodies = Struct(f"{shape.body}s").iter_unpack(writer.encrypt(run.padded, shape.body))
    signed = [was[:HEAD_BYTES] + body for was, (body,) in zip(run.signed, bodies, strict=True)]
    text = write(signed, writer.macs(signed), shape)
    starts = range(0, len(text), shape.letters)
    if isinstance(old[run.rows[0]], str):
        return cast("list[TokenT]", [text[at : at + shape.letters] for at in starts])
    data = text.encode("ascii")
    return [_like(old[row], data[at : at + shape.letters]) for row, at in zip(run.rows, starts, strict=True)]


def _sealed_single(single: Single, writer: FernetKey, old: TokenT) -> TokenT:
    """Return the token of one row, sealed by ``cryptography``, which keeps the timestamp."""
    return _like(old, MultiFernet([writer.fernet(), single.key.fernet()]).rotate(single.token))


def _like(old: TokenT, new: bytes) -> TokenT:
    if isinstance(old, str):
        return cast("TokenT", new.decode("ascii"))
    return cast("TokenT", memoryview(new) if isinstance(old, memoryview) else new)
