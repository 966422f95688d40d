"""What a line is in bytes, and what a hash is of: as the guide says, for who computes it otherwise."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone

import pytest

from practicus_mfa.core.audit_chain import GENESIS, NOTHING, AuditLine, Head, canonical, link, parse_head

LINE = AuditLine(
    id=7,
    at=datetime(2026, 5, 1, 12, 30, 15, 250_000, UTC),
    actor="Şükrü",
    action="mfa.remove",
    subject='a"b\\c\n',
    result="done",
    detail={"factors": 1.0, "address": "::1", "more": {"z": [True, None, 0.5], "a": 1e20}},
)
BYTES = (
    '{"action":"mfa.remove","actor":"Şükrü","at":"2026-05-01T12:30:15.250000Z",'
    '"detail":{"address":"::1","factors":1,"more":{"a":100000000000000000000,"z":[true,null,0.5]}},'
    '"id":7,"result":"done","subject":"a\\"b\\\\c\\n"}'
).encode()


def test_a_line_has_one_form() -> None:
    assert canonical(LINE) == BYTES
    elsewhere = LINE.at.astimezone(timezone(timedelta(hours=3)))
    assert canonical(replace(LINE, at=elsewhere)) == BYTES


def test_a_whole_second_has_its_zeros() -> None:
    line = replace(LINE, at=datetime(2026, 5, 1, tzinfo=UTC))
    assert b'"at":"2026-05-01T00:00:00.000000Z"' in canonical(line)


def test_a_hash_is_of_the_one_before_and_the_line() -> None:
    assert hashlib.sha256(b"practicus-mfa audit chain v1").digest() == GENESIS
    one = link(NOTHING, LINE)
    assert one == Head(1, hashlib.sha256(GENESIS + BYTES).digest())
    assert link(one, LINE) == Head(2, hashlib.sha256(one.hash + BYTES).digest())


def test_what_is_no_text_has_a_form_too() -> None:
    assert b"\\ud800" not in canonical(replace(LINE, actor="\ud800"))
    assert canonical(replace(LINE, detail={"raw": b"\x00"})) != canonical(LINE)


def test_a_head_is_written_and_read() -> None:
    head = Head(1042, hashlib.sha256(b"x").digest())
    assert parse_head(str(head)) == head
    assert parse_head(f" {str(head).upper()}\n") == head


@pytest.mark.parametrize(
    "text", ["", "1042", "1042:", f"-1:{'0' * 64}", f"01:{'0' * 64}", f"1:{'0' * 63}", "٣:" + "0" * 64]
)
def test_what_is_no_head_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="a head is written COUNT:HASH"):
        parse_head(text)
