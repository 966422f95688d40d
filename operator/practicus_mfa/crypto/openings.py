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
from collections.abc import Iterable, Sequence
from dataclasses import replace
from hmac import compare_digest
from itertools import compress

from practicus_mfa.core.keyring import KeyId
from practicus_mfa.crypto.columns import paddings, reasons_unbound
from practicus_mfa.crypto.faults import reason_unopened
from practicus_mfa.crypto.keys import HeldKeys
from practicus_mfa.crypto.records import HEAD_BYTES, Shape, read, shape_of
from practicus_mfa.crypto.rows import Binding, PageRow, TokenT
from practicus_mfa.crypto.runs import OpenedPage, Run, Single
from practicus_mfa.crypto.streams import KeyStream
from practicus_mfa.crypto.tokens import opened_by, reason_unbound


def open_page(
    rows: Sequence[PageRow[TokenT]], *, keys: HeldKeys, first: KeyId | None, binding: Binding
) -> OpenedPage:
    """Open the rows of a page.

    Args:
        rows: The rows.
        keys: The keys to try: the one that a row's hint names, then *first*, then the others.
        first: A key to prefer.
        binding: What the plaintexts say about their rows.

    Raises:
        ValueError: A row has no owner and *binding* needs one.
    """
    return _Opener(rows, keys, first, binding).open()


class _Opener:
    """The columns of one page, and what has become of its rows so far."""

    def __init__(
        self, rows: Sequence[PageRow[TokenT]], keys: HeldKeys, first: KeyId | None, binding: Binding
    ) -> None:
        tokens, self.hints, self.owners = _columns(rows, binding)
        self.tokens = [bytes(token) if isinstance(token, memoryview) else token for token in tokens]
        self.keys, self.first = keys, first
        self.streams = {name: KeyStream(key) for name, key in keys.items()}
        self.runs: list[Run] = []
        self.page = OpenedPage()

    def open(self) -> OpenedPage:
        groups: defaultdict[tuple[type, KeyId | None, int], list[int]] = defaultdict(list)
        alike = zip(map(type, self.tokens), self.hints, map(len, self.tokens), strict=True)
        for row, group in enumerate(alike):
            groups[group].append(row)
        for (_, hint, letters), rows in groups.items():
            shape = shape_of(letters)
            if shape is None:
                self._ask_cryptography(rows)
            else:
                self._read(rows, hint, shape)
        for run in self.runs:
            self._decrypt(run)
        return self.page

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
        self, rows: Sequence[int], records: Sequence[tuple[bytes, bytes]], hint: KeyId | None, shape: Shape
    ) -> None:
        """Find the key whose MAC each record bears."""
        signed, macs = zip(*records, strict=True)
        for key in self.keys.in_order(hint, self.first):
            stream = self.streams[key.id]
            computed = stream.macs(signed)
            if compare_digest(b"".join(computed), b"".join(macs)):
                self.runs.append(Run(key=stream, shape=shape, rows=rows, signed=signed))
                return
            good = [compare_digest(*pair) for pair in zip(computed, macs, strict=True)]
            if any(good):
                run = Run(key=stream, shape=shape, rows=rows, signed=signed)
                self.runs.append(run.only(good))
                rest = [not is_good for is_good in good]
                rows, signed, macs = (tuple(compress(column, rest)) for column in (rows, signed, macs))
        for row in rows:
            self.page.refused[row] = reason_unopened(self.tokens[row], hint, self.keys)

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
            token, hint = self.tokens[row], self.hints[row]
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


def _columns(
    rows: Sequence[PageRow[TokenT]], binding: Binding
) -> tuple[Sequence[TokenT], Sequence[KeyId | None], Sequence[int] | None]:
    """Return the tokens, the hints and, where tokens are bound, the owners of a page."""
    tokens, hints, owners = zip(*rows, strict=True) if rows else ((), (), ())
    if binding is Binding.BARE:
        return tokens, hints, None
    if None in owners:
        msg = "a row without an owner can't be bound to one"
        raise ValueError(msg)
    return tokens, hints, owners
