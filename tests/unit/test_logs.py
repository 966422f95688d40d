from __future__ import annotations

import io
import json
import logging
from typing import TYPE_CHECKING

import pytest
from cryptography.fernet import Fernet

from practicus_mfa import logs

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def stream() -> Iterator[io.StringIO]:
    logger = logging.getLogger(logs.LOGGER)
    before = (logger.handlers[:], logger.level, logger.propagate)
    yield io.StringIO()
    logger.handlers[:], logger.level, logger.propagate = before


@pytest.mark.parametrize(
    ("text", "washed"),
    [
        ("postgresql+psycopg://mfa:s3cret@db:5432/mfa", "postgresql+psycopg://mfa:***@db:5432/mfa"),
        ("postgresql://mfa:s3:cr/e%40t@db/mfa is down", "postgresql://mfa:***@db/mfa is down"),
        ("postgresql://mfa:s3@cret@db/mfa", "postgresql://mfa:***@db/mfa"),
        ("redis://:s3cret@cache", "redis://:***@cache"),
        ("host=db password=s3cret user=mfa", "host=db password=*** user=mfa"),
        (r"host=db password='s3 cr\'et' user=mfa", "host=db password=*** user=mfa"),
        ("postgresql://db/mfa?user=mfa&password=s3cret&x=1", "postgresql://db/mfa?user=mfa&password=***&x=1"),
        ("otpauth://totp/x:ann?secret=JBSWY3DPEHPK3PXP&issuer=x", "otpauth://totp/x:ann?secret=***&issuer=x"),
    ],
)
def test_passwords_and_secrets_are_masked(text: str, washed: str) -> None:
    assert logs.redact(text) == washed


@pytest.mark.parametrize(
    "text",
    [
        "sqlite:////var/lib/mfa/mfa.db",
        "postgresql+psycopg://mfa@db:5432/mfa",
        "https://example.org/a:b and mail to ann@example.org",
        "key 5f0c2a91be47 is active; the password was changed",
        "sha256 9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
    ],
)
def test_what_is_no_secret_stays(text: str) -> None:
    assert logs.redact(text) == text


def test_keys_and_tokens_are_masked_wherever_they_stand() -> None:
    for _ in range(50):
        key = Fernet.generate_key()
        token = Fernet(key).encrypt(b"")
        assert logs.redact(f"a='{key.decode()}', b={key!r} {token.decode()} x") == "a='***', b=b'***' *** x"


def _fail(url: str) -> None:
    raise ConnectionError(url)


@pytest.mark.parametrize("style", ["plain", "json"])
def test_no_way_into_a_line_lets_a_secret_through(stream: io.StringIO, style: str) -> None:
    logs.configure(stream, style="json" if style == "json" else "plain")
    log = logging.getLogger("practicus_mfa.storage")
    url = "postgresql://mfa:s3cret@db/mfa"
    try:
        _fail(url)
    except ConnectionError:
        log.exception("no answer from %s", url, extra={"url": url})
    text = stream.getvalue()
    assert "s3cret" not in text
    assert "no answer from postgresql://mfa:***@db/mfa" in text
    assert "ConnectionError: postgresql://mfa:***@db/mfa" in text


def test_a_json_line_is_one_object_with_its_extras(stream: io.StringIO) -> None:
    logs.configure(stream, style="json", level=logging.DEBUG)
    logging.getLogger("practicus_mfa.rotation").debug(
        "page done", extra={"rows": 500, "done": True, "level": "not this one"}
    )
    (line,) = stream.getvalue().splitlines()
    record = json.loads(line)
    assert record.pop("time").endswith("Z")
    assert record == {
        "level": "debug",
        "logger": "practicus_mfa.rotation",
        "message": "page done",
        "rows": 500,
        "done": True,
    }


def test_configuring_twice_writes_each_line_once(stream: io.StringIO) -> None:
    logs.configure(stream)
    logs.configure(stream)
    logging.getLogger("practicus_mfa").info("ready")
    (line,) = stream.getvalue().splitlines()
    assert line.endswith("Z INFO    ready")
