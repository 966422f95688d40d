"""Reading a posted form strictly: its type, its size, its names once each, and text that is text."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final
from urllib.parse import parse_qsl

from starlette.exceptions import HTTPException

if TYPE_CHECKING:
    from starlette.requests import Request

MOST_BYTES: Final = 65_536
"""Of a body. The longest field is a password, of at most 1,024 bytes, each three characters in a form."""

MOST_FIELDS: Final = 16
"""Where a page names no other number."""

LONGEST_FIELD: Final = 8_192

_TYPE: Final = "application/x-www-form-urlencoded"

Form = Mapping[str, str]


async def read_form(request: Request, most_fields: int = MOST_FIELDS) -> Form:
    """Return the fields of a posted form.

    Args:
        request: The post.
        most_fields: As many fields as its page may have.

    Raises:
        HTTPException: 413 for too long a body, 415 for another type, 400 for what is no form.
    """
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != _TYPE:
        raise HTTPException(415)
    declared = request.headers.get("content-length", "")
    if declared.isascii() and declared.isdecimal() and (len(declared) > 9 or int(declared) > MOST_BYTES):
        raise HTTPException(413)
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > MOST_BYTES:
            raise HTTPException(413)
    return parse_form(bytes(body), most_fields)


def parse_form(body: bytes, most_fields: int = MOST_FIELDS) -> Form:
    """Return the fields of *body*.

    Raises:
        HTTPException: 400: it is not text, or a name stands there twice, or there is too much of it.
    """
    try:
        pairs = parse_qsl(
            body.decode("ascii"), keep_blank_values=True, errors="strict", max_num_fields=most_fields
        )
    except ValueError as error:  # UnicodeDecodeError is one
        raise HTTPException(400) from error
    fields = dict(pairs)
    if len(fields) != len(pairs) or any(len(value) > LONGEST_FIELD for value in fields.values()):
        raise HTTPException(400)
    return fields
