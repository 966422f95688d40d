"""Reading posted forms: strictly, and never more than a form is."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import TYPE_CHECKING, Final

import pytest
from starlette.exceptions import HTTPException
from starlette.requests import Request

from practicus_mfa.web.forms import LONGEST_FIELD, MOST_BYTES, MOST_FIELDS, parse_form, read_form

if TYPE_CHECKING:
    from starlette.types import Message

FORM: Final = "application/x-www-form-urlencoded"


def read(
    chunks: Iterable[bytes], *, kind: str | None = FORM, declared: str | None = None
) -> tuple[dict[str, str], int]:
    """Read a form; return its fields, and how many pieces were left unread."""
    headers = {"content-type": kind, "content-length": declared}
    left = list(chunks)

    async def receive() -> Message:
        return {"type": "http.request", "body": left.pop(0), "more_body": bool(left)}

    scope = {
        "type": "http",
        "method": "POST",
        "headers": [(name.encode(), value.encode()) for name, value in headers.items() if value is not None],
    }
    try:
        return dict(asyncio.run(read_form(Request(scope, receive)))), len(left)
    except HTTPException as refused:
        return {"refused": str(refused.status_code)}, len(left)


@pytest.mark.parametrize(
    ("body", "fields"),
    [
        (b"", {}),
        (b"a=1&b=2", {"a": "1", "b": "2"}),
        (b"a=&b", {"a": "", "b": ""}),
        (b"a=x+y%20z%2B", {"a": "x y z+"}),
        (b"name=%C5%9E%C3%BCkr%C3%BC", {"name": "\u015e\u00fckr\u00fc"}),
        (b"a=%00", {"a": "\x00"}),
        (b"a=1;b=2", {"a": "1;b=2"}),
    ],
)
def test_fields_are_read(body: bytes, fields: dict[str, str]) -> None:
    assert parse_form(body) == fields


@pytest.mark.parametrize(
    "body",
    [
        b"a=1&a=2",
        b"a=1&%61=2",
        b"a=%ff",
        b"a=%ed%a0%80",
        "a=\u015e".encode(),
        b"&".join(b"a%d=1" % number for number in range(MOST_FIELDS + 1)),
        b"a=" + b"x" * (LONGEST_FIELD + 1),
    ],
    ids=["twice", "twice, in disguise", "no UTF-8", "half a character", "not encoded", "many", "long"],
)
def test_what_is_not_plainly_a_form_is_refused(body: bytes) -> None:
    with pytest.raises(HTTPException) as refused:
        parse_form(body)
    assert refused.value.status_code == 400
    assert refused.value.__cause__ is None or "a=" not in str(refused.value)


def test_a_page_may_allow_more_fields() -> None:
    body = b"&".join(b"a%d=1" % number for number in range(MOST_FIELDS + 1))
    assert len(parse_form(body, MOST_FIELDS + 1)) == MOST_FIELDS + 1
    with pytest.raises(HTTPException):
        parse_form(body + b"&b=1", MOST_FIELDS + 1)


def test_the_limits_themselves_are_allowed() -> None:
    assert len(parse_form(b"&".join(b"a%d=1" % number for number in range(MOST_FIELDS)))) == MOST_FIELDS
    assert parse_form(b"a=" + b"x" * LONGEST_FIELD) == {"a": "x" * LONGEST_FIELD}
    # The longest password that is taken, each of its bytes as three characters.
    assert parse_form(b"password=" + b"%C3%BC" * 512) == {"password": "\u00fc" * 512}


@pytest.mark.parametrize("kind", [FORM, FORM.upper(), f"{FORM}; charset=UTF-8", f" {FORM} ;x"])
def test_a_form_comes_in_pieces(kind: str) -> None:
    assert read([b"a=", b"1", b"&b=2"], kind=kind) == ({"a": "1", "b": "2"}, 0)


@pytest.mark.parametrize(
    "kind", [None, "", "text/plain", "application/json", "multipart/form-data", f"{FORM}x"]
)
def test_another_type_is_refused_unread(kind: str | None) -> None:
    assert read([b"a=1"], kind=kind) == ({"refused": "415"}, 1)


@pytest.mark.parametrize("declared", [str(MOST_BYTES + 1), "9" * 5_000])
def test_what_says_that_it_is_too_long_is_not_read(declared: str) -> None:
    assert read([b"a=1"], declared=declared) == ({"refused": "413"}, 1)


@pytest.mark.parametrize("declared", [None, "3", "-1", "x", "\u00b2"])
def test_what_is_too_long_is_not_read_to_its_end(declared: str | None) -> None:
    piece = b"x" * 10_000
    assert read([piece] * 100, declared=declared) == ({"refused": "413"}, 100 - MOST_BYTES // 10_000 - 1)


def test_the_longest_body_is_read() -> None:
    fields = b"&".join(b"a%d=%s" % (number, b"x" * 8_000) for number in range(8))
    body = fields + b"&b=" + b"x" * (MOST_BYTES - len(fields) - 3)
    assert len(read([body], declared=str(len(body)))[0]) == 9
