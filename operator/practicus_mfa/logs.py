"""Logs: one line an event, for a person or as JSON for a collector, and never a secret in either.

Secrets are kept out where messages are written; the formatters are the second wall. They wash the finished
line, so it makes no difference whether a secret came as an argument, in an error's text or in a traceback.
"""

from __future__ import annotations

import json
import logging
import re
import time
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final, Literal

if TYPE_CHECKING:
    from typing import TextIO

LOGGER: Final = "practicus_mfa"
"""The logger above all of this package's loggers."""

MASK: Final = "***"

_URL_PASSWORD: Final = re.compile(
    r"(?P<before>\b[a-z][a-z0-9+.-]*://[^\s:/@\"']*:)[^\s\"']+(?=@)", re.IGNORECASE
)
"""A password holds no white space or quote: those are percent-encoded in a URL (RFC 3986, 3.2.1). It may hold
an ``@`` that somebody forgot to encode, so the last one ends it."""

_DSN_PASSWORD: Final = re.compile(
    r"(?P<before>\b(?:password|passwd|secret)\s*=\s*)(?:'(?:[^'\\]|\\.)*'|[^\s'\"&,;)]+)", re.IGNORECASE
)
"""``password=`` of a PostgreSQL connection string, ``secret=`` of an ``otpauth:`` address."""

_FERNET: Final = re.compile(r"(?<![\w+/-])(?:gAAAA[\w+/-]{90,}={0,2}|[\w+/-]{43}=)(?![\w+/=-])", re.ASCII)
"""A Fernet token (version byte 0x80, five zero bits of a 64-bit time and at least 64 bytes more) or a Fernet
key: 32 bytes in base64."""

_STANDARD: Final = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}
"""What the logging library itself keeps on a record; all else came with ``extra=``."""


def redact(text: str) -> str:
    """Return the text with database passwords, TOTP secrets, Fernet keys and tokens masked."""
    text = _URL_PASSWORD.sub(rf"\g<before>{MASK}", text)
    text = _DSN_PASSWORD.sub(rf"\g<before>{MASK}", text)
    return _FERNET.sub(MASK, text)


class PlainFormatter(logging.Formatter):
    """Lines for a person: time in UTC, level, message."""

    converter = staticmethod(time.gmtime)
    default_time_format = "%Y-%m-%dT%H:%M:%S"
    default_msec_format = "%s.%03dZ"

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)-7s %(message)s")

    def format(self, record: logging.LogRecord) -> str:
        """Return the finished line, washed, with the traceback where there is one."""
        return redact(super().format(record))


class JsonFormatter(logging.Formatter):
    """Lines for a collector: one JSON object each, with what came in ``extra=`` as further members."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the finished line, washed, with the traceback as a member of its own."""
        line: dict[str, object] = {
            "time": _rfc3339(record.created),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": redact(record.getMessage()),
        }
        line = {name: _plain(value) for name, value in vars(record).items() if name not in _STANDARD} | line
        if record.exc_info:
            line["exception"] = redact(self.formatException(record.exc_info))
        return json.dumps(line, ensure_ascii=False)


def configure(
    stream: TextIO,
    *,
    style: Literal["plain", "json"] = "plain",
    level: int = logging.INFO,
    also: Iterable[str] = (),
) -> None:
    """Send this package's log to a stream, in place of wherever it went before.

    Args:
        stream: Where lines go, usually standard error.
        style: For a person or for a collector.
        level: The lowest level that is written.
        also: Libraries whose warnings go there too.
    """
    handler = logging.StreamHandler(stream)
    handler.setFormatter(JsonFormatter() if style == "json" else PlainFormatter())
    for name, lowest in ((LOGGER, level), *((name, max(level, logging.WARNING)) for name in also)):
        logger = logging.getLogger(name)
        logger.handlers[:] = [handler]
        logger.setLevel(lowest)
        logger.propagate = False


def _plain(value: object) -> object:
    """Return the value if JSON has a type for it (strings washed), else its washed text."""
    if value is None or isinstance(value, bool | int | float):
        return value
    return redact(str(value))


def _rfc3339(seconds: float) -> str:
    """Return seconds since 1970 as a time in UTC with milliseconds (RFC 3339)."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
