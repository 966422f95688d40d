"""Opening a page: which key opens each row, and what stands inside.

    rows ─ by hint and length ─▶ records ─ MACs, key after key ─▶ runs ─ one AES call each ─▶ plaintexts
             │ not canonical                                       │ no padding
             └────────────────────────▶ cryptography ◀─────────────┘

A *run* is the rows of one shape that one key authenticated. The MACs of all records are checked before any
record is decrypted, and a row whose MAC no key made is never decrypted. Whatever is not canonical goes to
``cryptography``, one by one, and its answer is final.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from hmac import compare_digest
from itertools import compress, starmap
from typing import Generic

from practicus_mfa.core.keyring import KeyId
from practicus_mfa.crypto.columns import paddings, reasons_unbound
from practicus_mfa.crypto.faults import reason_unopened
from practicus_mfa.crypto.keys import HeldKeys
from practicus_mfa.crypto.records import HEAD_BYTES, Shape, read, shape_of
from practicus_mfa.crypto.rows import SealedPage, TokenT
from practicus_mfa.crypto.runs import OpenedPage, Run, Single
from practicus_mfa.crypto.streams import KeyStream
from practicus_mfa.crypto.tokens import opened_by, reason_unbound


def open_page(
    page: SealedPage[TokenT],
    *,
    keys: HeldKeys,
    streams: Mapping[KeyId, KeyStream],
    first: KeyId | None,
) -> OpenedPage:
    """Open the rows of a page.

    Args:
        page: The rows.
        keys: The keys to try: the one that a row's hint names, then *first*, then the others.
        streams: Each of them, set up.
        first: A key to prefer.
    """
    return _Opener(page, keys, streams, first).open()


class _Opener(Generic[TokenT]):
    """The columns of one page, and what has become of its rows so far."""

    def __init__(
        self,
        page: SealedPage[TokenT],
        keys: HeldKeys,
        streams: Mapping[KeyId, KeyStream],
        first: KeyId | None,
    ) -> None:
        self.tokens, self.hints, self.owners = page.tokens, page.hints, page.owners
        self.keys, self.streams, self.first = keys, streams, first
        self.runs: list[Run] = []
        self.page = OpenedPage()

    def open(self) -> OpenedPage:
        for (_, hint, letters), rows in self._alike().items():
            shape = shape_of(letters)
            if shape is None:
                self._ask_cryptography(rows)
            else:
                self._read(rows, hint, shape)
        for run in self.runs:
            self._decrypt(run)
        return self.page

    def _alike(self) -> Mapping[tuple[type, KeyId | None, int], Sequence[int]]:
        """Return the rows by the type of their token, their hint and their token's length."""
        kinds = list(zip(map(type, self.tokens), self.hints, map(len, self.tokens), strict=True))
        if kinds and kinds.count(kinds[0]) == len(kinds):  # as in nearly every page of our table
            return {kinds[0]: range(len(kinds))}
        groups: defaultdict[tuple[type, KeyId | None, int], list[int]] = defaultdict(list)
        for row, kind in enumerate(kinds):
            groups[kind].append(row)
        return groups

    def _read(self, rows: Sequence[int], hint: KeyId | None, shape: Shape) -> None:
        """Read rows of one length and one hint as records; one that is not canonical is found by halving."""
        records = read([self.tokens[row] for row in rows], shape)
        if records is not None:
            self._authenticate(rows, records, hint, shape)
        elif len(rows) == 1:
            self._ask_cryptography(rows)
        else:
            middle = len(rows) // 2
            self._read(rows[:middle], hint, shape)
            self._read(rows[middle:], hint, shape)

    def _authenticate(
        self,
        rows: Sequence[int],
        records: tuple[Sequence[bytes], Sequence[bytes]],
        hint: KeyId | None,
        shape: Shape,
    ) -> None:
        """Find the key whose MAC each record bears."""
        signed, macs = records
        for key in self.keys.in_order(hint, self.first):
            stream = self.streams[key.id]
            made = stream.macs(signed)
            run = Run(key=stream, shape=shape, rows=rows, signed=signed)
            if compare_digest(b"".join(made), b"".join(macs)):
                self.runs.append(run)
                return
            good = list(starmap(compare_digest, zip(made, macs, strict=True)))
            if any(good):
                self.runs.append(run.only(good))
                rest = [not is_good for is_good in good]
                rows = list(compress(rows, rest))
                signed, macs = list(compress(signed, rest)), list(compress(macs, rest))
        for row in rows:
            self.page.refused[row] = reason_unopened(_plain(self.tokens[row]), hint, self.keys)

    def _decrypt(self, run: Run) -> None:
        """Decrypt a run whose every MAC is good, and look at what stands inside."""
        size = run.shape.body
        padded = run.key.decrypt([signed[HEAD_BYTES:] for signed in run.signed])
        run = replace(run, padded=padded)
        pads = paddings(padded, size)
        if 0 in pads:
            self._ask_cryptography([row for row, pad in zip(run.rows, pads, strict=True) if not pad])
            run, pads = run.only([pad > 0 for pad in pads]), [pad for pad in pads if pad]
        if self.owners is not None and run.rows:
            reasons = reasons_unbound(run.padded, size, pads, [self.owners[row] for row in run.rows])
            if any(reasons):
                self.page.refused.update(
                    (row, reason) for row, reason in zip(run.rows, reasons, strict=True) if reason
                )
                run = run.only([reason is None for reason in reasons])
        if run.rows:
            self.page.runs.append(run)

    def _ask_cryptography(self, rows: Iterable[int]) -> None:
        """Let ``cryptography`` judge these rows."""
        for row in rows:
            token, hint = _plain(self.tokens[row]), self.hints[row]
            opened = opened_by(token, self.keys.in_order(hint, self.first))
            if opened is None:
                self.page.refused[row] = reason_unopened(token, hint, self.keys)
                continue
            key, plaintext = opened
            reason = None if self.owners is None else reason_unbound(plaintext, self.owners[row])
            if reason is None:
                self.page.singles.append(Single(row, token, key))
            else:
                self.page.refused[row] = reason


def _plain(token: TokenT) -> str | bytes:
    """Return *token* as ``cryptography`` takes it."""
    return bytes(token) if isinstance(token, memoryview) else token
