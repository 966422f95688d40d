"""The answer to a watch: one JSON object a line, for as long as the server goes on."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Self

from urllib3.exceptions import HTTPError

from practicus_mfa.kube.faults import BusyApiError, Call, of_answer, of_connection
from practicus_mfa.kube.objects import Tree

if TYPE_CHECKING:
    from urllib3 import BaseHTTPResponse

_READ: Final = 1 << 16
"""Bytes that are read at once at most; what is there is never held back until there is more."""


@dataclass(frozen=True, slots=True)
class Change:
    """One line of a watch.

    Attributes:
        type: ``ADDED``, ``MODIFIED``, ``DELETED``, or ``BOOKMARK``: nothing changed up to this version.
        object: The object, as much of it as was asked for.
    """

    type: str
    object: Tree


class Stream:
    """Changes as they come. To be read by one thread; another may interrupt it."""

    def __init__(self, response: BaseHTTPResponse, call: Call, server: str) -> None:
        """Read *response*, the answer of *server* to *call*."""
        self._response: Final = response
        self._call: Final = call
        self._server: Final = server

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        # A connection that was not read to its end can't be used again.
        self._response.close()

    def __iter__(self) -> Iterator[Change]:
        """Yield changes until the server ends the stream.

        Raises:
            ExpiredError: The server has forgotten the version from which to go on.
            UnreachableError: The connection broke or fell silent, or the server can't go on.
        """
        begun = b""
        for data in self._pieces():
            *lines, begun = (begun + data).split(b"\n")
            for line in lines:
                if line.strip():
                    yield self._change(line)

    def rest(self) -> bytes:
        """Return what the server sent, where it is no stream but a refusal.

        Raises:
            UnreachableError: The connection broke.
        """
        return b"".join(self._pieces())

    def interrupt(self) -> None:
        """Have the thread that reads get to the end at once."""
        # Nothing to interrupt where it is there already.
        with suppress(OSError, RuntimeError, ValueError):
            self._response.shutdown()

    def _pieces(self) -> Iterator[bytes]:
        try:
            # Not .stream(): behind a proxy that joins chunks it would wait until so much is there.
            while piece := self._response.read1(_READ):
                yield piece
        except (HTTPError, OSError) as error:
            raise of_connection(self._server, error) from error

    def _change(self, line: bytes) -> Change:
        try:
            event: Any = json.loads(line)
            type_, object_ = str(event["type"]), event["object"]
        except (ValueError, LookupError, TypeError):
            # The cause is not chained: it quotes what was read.
            raise BusyApiError(
                f"The API server {self._server} sent a watch that can't be read.",
                remedy="Try again; if it stays, look for a proxy on the way.",
            ) from None
        if type_ == "ERROR":
            code = object_.get("code") if isinstance(object_, dict) else None
            raise of_answer(
                self._call, code if isinstance(code, int) else 500, json.dumps(object_).encode(), {}
            )
        return Change(type_, object_ if isinstance(object_, dict) else {})
