"""What ``audit verify`` says."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Final, assert_never

from practicus_mfa.errors import NeedsPersonError
from practicus_mfa.storage.audit_verify import Broken, Fault

if TYPE_CHECKING:
    from practicus_mfa.core.audit_chain import Head
    from practicus_mfa.storage.audit_verify import Verified

_REMEDY: Final = "find out who can write to the database; a backup of before shows what the audit was"


def sentences(found: Verified, given: Head | None) -> Iterator[str]:
    """Yield what was found, without what is wrong.

    Args:
        found: What verifying found.
        given: The head to compare with.
    """
    if found.start.count:
        yield f"Pruned up to line {found.start.count} of the chain: {found.start}"
    yield f"Sealed lines looked at: {found.checked:,}"
    if found.unsealed:
        yield f"Lines that wait to be sealed: {found.unsealed:,}"
    if given is not None and not found.compared:
        yield f"The head {given.count} can't be compared: the lines that it speaks for were pruned."
    elif given is not None and found.first is None:
        yield f"The head {given.count} is on the chain."
    yield f"Head: {found.head}"


def faults(found: Verified, *, more: str = "") -> NeedsPersonError:
    """Return the error that names the first thing that is wrong, and how many there are.

    Args:
        found: What verifying found; something is wrong.
        more: Added to the remedy.
    """
    assert found.first is not None  # noqa: S101 - the caller looked
    message = _message(found.first)
    if found.broken > 1:
        message += f"; {found.broken:,} places do not fit in all, this is the first"
    return NeedsPersonError(message, remedy=_REMEDY + more)


def _message(broken: Broken) -> str:
    line, position = broken.line, broken.position
    match broken.fault:
        case Fault.CHANGED:
            return f"line {line} of the audit was changed after it was sealed (place {position} of the chain)"
        case Fault.REMOVED:
            return f"line {line} of the audit was removed (place {position} of the chain)"
        case Fault.INSERTED:
            return f"line {line} of the audit was put in after later lines were sealed"
        case Fault.UNREADABLE:
            return f"line {line} of the audit was changed and can't be read (place {position} of the chain)"
        case Fault.BESIDE:
            return f"line {line} of the audit was kept out of the chain (by the place {position})"
        case Fault.NO_PLACE:
            return f"place {position} of the audit's chain was removed"
        case Fault.CUT_OFF:
            return f"the end of the audit was cut off: the head has more lines, place {position} is missing"
        case Fault.OTHER_HEAD:
            return f"the audit's chain was computed anew: at place {position} it does not have the given hash"
        case _:
            assert_never(broken.fault)
