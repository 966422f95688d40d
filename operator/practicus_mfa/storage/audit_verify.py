"""Verifying the sealed audit: every place of the chain is computed again from its line.

A place fits if its hash follows from the hash before it, as stored, and from the line as it is in the table.
If all places fit, every line is as it was when it was sealed, or somebody computed the whole chain anew: that
shows by a head that was kept elsewhere. Lines without a place are told apart by their numbers: above the mark
they wait to be sealed, below it they were put in later. One snapshot is read, a page at a time.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum

from sqlalchemy import Connection, select

from practicus_mfa.core.audit_chain import NOTHING, AuditLine, Head, link
from practicus_mfa.storage import audit_chain as chain
from practicus_mfa.storage.audit_places import Place, last_checkpoint, out_of_the_chain, places
from practicus_mfa.storage.engine import Database
from practicus_mfa.storage.schema import audit, audit_chain
from practicus_mfa.storage.types import UnreadableDocument


class Fault(StrEnum):
    """What is wrong."""

    CHANGED = "changed"
    REMOVED = "removed"
    INSERTED = "inserted"
    UNREADABLE = "unreadable"
    NO_PLACE = "no place"
    BESIDE = "beside"
    """A line has a place that no line can have got: it hides from the chain."""
    CUT_OFF = "cut off"
    OTHER_HEAD = "other head"


@dataclass(frozen=True, slots=True, kw_only=True)
class Broken:
    """One thing that is wrong.

    Attributes:
        fault: What.
        line: The number of the line; ``None`` where the chain itself lacks the place, or ends too early.
        position: The place in the chain; ``None`` of a line that has none.
    """

    fault: Fault
    line: int | None = None
    position: int | None = None


@dataclass(slots=True, kw_only=True)
class Verified:
    """What verifying found.

    Attributes:
        start: Where it began: the last checkpoint, or nothing.
        head: The head of the chain.
        checked: Places that were computed again.
        unsealed: Lines that wait for a place.
        first: The first thing that is wrong, in the order of the chain; ``None``: nothing is.
        broken: How many things are wrong.
        compared: Whether the given head could be compared; not so where its place was pruned.
    """

    start: Head = NOTHING
    head: Head = NOTHING
    checked: int = 0
    unsealed: int = 0
    first: Broken | None = None
    broken: int = 0
    compared: bool = False

    def add(self, fault: Fault, *, line: int | None = None, position: int | None = None) -> None:
        """Note one thing that is wrong."""
        self.first = self.first or Broken(fault=fault, line=line, position=position)
        self.broken += 1


def verify(
    db: Database, given: Head | None = None, *, until: int | None = None, settled: timedelta = chain.SETTLED
) -> Verified:
    """Compute the chain again, from the last checkpoint to its end.

    Args:
        db: The database.
        given: A head that was kept elsewhere; the chain must lead through it.
        until: The last place to look at, and none of what has no place.
        settled: See :mod:`~practicus_mfa.storage.audit_chain`.

    Raises:
        UnreachableError: The database can't be used at the moment.
    """
    with db.read(snapshot=True) as connection:
        checkpoint = last_checkpoint(connection)
        start = checkpoint.head
        found = Verified(start=start, head=chain.head(connection))
        walk = _Walk(found=found, given=given, at=start)
        walk.compare()
        for position, line in out_of_the_chain(connection, checkpoint):
            found.add(Fault.BESIDE, line=line, position=position)
        for place in places(connection, start.count, until):
            walk.step(place)
        if until is None:
            walk.look_beside(connection, chain.mark(connection, settled=settled))
            _compare_end(found, given)
    return found


def _compare_end(found: Verified, given: Head | None) -> None:
    if given is not None and given.count > found.head.count:
        found.compared = True
        found.add(Fault.CUT_OFF, position=found.head.count + 1)


@dataclass(slots=True, kw_only=True)
class _Walk:
    """Goes from place to place; *at* is the head as stored at the one before."""

    found: Verified
    given: Head | None
    at: Head
    restored: list[range] = field(default_factory=list)

    def step(self, place: Place) -> None:
        """Look at the next place."""
        fault = self._fault(place)
        if fault is Fault.NO_PLACE:
            self.found.add(fault, position=self.at.count + 1)
        elif fault is not None:
            self.found.add(fault, line=place.line_id, position=place.position)
        elif place.line is not None and (some := _restored_by(place.line)):
            self.restored.append(some)
        self.found.checked += 1
        # On with what is stored: one line that was changed is one fault, however many come after it.
        self.at = Head(place.position, place.hash)
        self.compare()

    def _fault(self, place: Place) -> Fault | None:
        if place.position != self.at.count + 1:
            return Fault.NO_PLACE
        if not place.readable:
            return Fault.UNREADABLE
        if place.line is None:
            return Fault.REMOVED
        if link(self.at, place.line).hash == place.hash:
            return None
        return Fault.UNREADABLE if isinstance(place.line.detail, UnreadableDocument) else Fault.CHANGED

    def compare(self) -> None:
        """Compare the given head, where this is its place."""
        if self.given is not None and self.given.count == self.at.count:
            self.found.compared = True
            if self.given.hash != self.at.hash:
                self.found.add(Fault.OTHER_HEAD, position=self.at.count)

    def look_beside(self, connection: Connection, mark: int) -> None:
        """Look at the lines that have no place."""
        self.found.unsealed = chain.count_unsealed(connection, mark)
        place = select(audit_chain.c.line_id).where(audit_chain.c.line_id == audit.c.id).exists()
        query = select(audit.c.id).where(audit.c.id <= mark, ~place).order_by(audit.c.id)
        for line in connection.execute(query).scalars():
            if any(line in some for some in self.restored):
                self.found.unsealed += 1
            else:
                self.found.add(Fault.INSERTED, line=line)


def _restored_by(line: AuditLine) -> range | None:
    """Return the numbers of the lines that were put back by a restore that *line* tells of."""
    match line.action, line.detail:
        case "backup.restore", {"lines": [int(first), int(last)]}:
            return range(first, last + 1)
        case _:
            return None
