"""A CSV file as such: its lines as text, its records with their places, its heading.

Python's reader is told to be strict, so that a quote out of place is a fault and not a wrong value.
"""

from __future__ import annotations

import codecs
import csv
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from practicus_mfa.faults import nearest, shown
from practicus_mfa.login.candidates import Findings

COLUMNS: Final = (
    "username",
    "email",
    "name",
    "password",
    "password_hash",
    "is_active",
    "is_staff",
    "is_superuser",
    "totp_secret",
)
"""What is read, in the order in which it is documented."""

_OTHER_SEPARATORS: Final = {";": "semicolons", "\t": "tabs", "|": "bars"}
_OTHER_ENCODINGS: Final = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


def decoded(lines: Iterable[bytes], findings: Findings) -> Iterator[str]:
    """Yield the lines as text; a line that is not UTF-8 is noted, and goes on without what is wrong in it."""
    for number, line in enumerate(lines, 1):
        if number == 1 and line.startswith(_OTHER_ENCODINGS):
            findings.fault("line 1", "the file is in UTF-16", "save it as UTF-8")
            return
        data = line.removeprefix(codecs.BOM_UTF8) if number == 1 else line
        try:
            yield data.decode()
        except UnicodeDecodeError as error:
            findings.fault(
                f"line {number}", f"byte {error.start + 1} of the line is not UTF-8", "save the file as UTF-8"
            )
            yield data.decode(errors="replace")


def records(lines: Iterator[str], findings: Findings) -> Iterator[tuple[str, list[str]]]:
    """Yield each record that is not empty, with its place."""
    reader = csv.reader(lines, strict=True)
    while True:
        place = f"line {reader.line_num + 1}"
        try:
            fields = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            problem, remedy = _quoting(str(error))
            findings.fault(place, problem, remedy)
            continue
        if any(field.strip() for field in fields):
            yield place, fields


def _quoting(message: str) -> tuple[str, str]:
    """Return what the reader's *message* means."""
    if "unexpected end of data" in message:
        return (
            "a quote that is opened here is never closed",
            'close it; a quote inside a field is written twice: ""',
        )
    if "expected after" in message:
        return "something follows a closing quote", 'a quote inside a field is written twice: ""'
    if "field larger" in message:
        return "a field is longer than any user's", "look for a quote that is not closed"
    return "the line can't be read", "check its quotes and line breaks"


def check_heading(place: str, columns: Sequence[str], findings: Findings) -> bool:
    """Note what is wrong with the heading; return whether the records can be read all the same."""
    if len(columns) == 1:
        for separator, what in _OTHER_SEPARATORS.items():
            if separator in columns[0]:
                findings.fault(place, f"the columns are separated by {what}", "separate them by commas")
                return False
    for name in columns:
        if name not in COLUMNS:
            closest = nearest(name, COLUMNS)
            remedy = f"did you mean {closest}?" if closest else f"known here: {', '.join(COLUMNS)}"
            findings.fault(place, f"unknown column {shown(name)}", remedy)
    for name in dict.fromkeys(name for name in columns if name in COLUMNS and columns.count(name) > 1):
        findings.fault(place, f"the column {name} is there {columns.count(name)} times", "keep one of them")
    if "username" not in columns:
        findings.fault(
            place, "the column username is missing", "begin the file with the names of its columns"
        )
        return False
    return True
