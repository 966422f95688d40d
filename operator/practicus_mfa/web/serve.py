"""The HTTP server: one process, one event loop, and an end in order.

granian runs embedded, so that this process is the one that is signalled, and the only one: under its own
supervisor every replica would be two, each with the program in memory. It is handed a socket that listens:
its own would share the port with any other process of this user that asks for that. Told to end, it accepts
nobody more, answers who asked already, and returns; what runs beside the requests ends after them.

Nothing is logged of a request: its address may be a set-up link, and its cookies are somebody's session.
"""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import socket
import ssl
import sys
from collections.abc import Awaitable, Callable, MutableMapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final, TextIO

from granian.constants import HTTPModes, Interfaces, SSLProtocols
from granian.http import HTTP1Settings
from granian.net import SocketHolder  # type: ignore[attr-defined]
from granian.server.embed import Server

from practicus_mfa.errors import UsageError
from practicus_mfa.listening import BACKLOG, listen
from practicus_mfa.logs import LOGGER
from practicus_mfa.web.config import Tls

log = logging.getLogger(__name__)

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
App = Callable[
    [Scope, Callable[[], Awaitable[Message]], Callable[[Message], Awaitable[None]]], Awaitable[None]
]
"""An application as ASGI has it."""

PATIENCE: Final = 20.0
"""Seconds that requests under way have to end; Kubernetes kills a pod after 30."""

HEADER_MILLISECONDS: Final = 10_000
"""A client that begins a request and says no more is not waited for longer."""

HEADER_BYTES: Final = 65_536
"""More headers than these are refused; browsers send at most some 8 KB of cookies."""

_ENDS: Final = (signal.SIGTERM, signal.SIGINT)
_QUIET: Final = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {},
    "handlers": {},
    "loggers": {"_granian": {}, "granian.access": {}},
}
"""granian's own lines would go to standard output, in a form of their own."""


@dataclass(frozen=True, slots=True)
class Starter:
    """The process that started this one, by the pipes between them.

    Attributes:
        ends: Closes when that process ends.
        told: Is told by a line that requests are served.
    """

    ends: TextIO
    told: TextIO


class HttpServer:
    """Serves an application on one address."""

    def __init__(
        self,
        app: App,
        place: tuple[str, int] | socket.socket,
        tls: Tls | None,
        *,
        starter: Starter | None = None,
    ) -> None:
        """Take the address.

        Args:
            app: What answers; lifespan events are not sent to it.
            place: Host and port, port 0 takes a free one; or a socket that listens already.
            tls: What to serve TLS with.
            starter: It ends with that process; ``None``: only a signal ends it.

        Raises:
            UsageError: The address can't be listened on, or the files of TLS can't be used.
        """
        listener = place if isinstance(place, socket.socket) else _listen(*place)
        self.host, self.port = listener.getsockname()[:2]
        self._stopping = asyncio.Event()
        self._starter = starter
        try:
            self._server = _Server(
                app,
                address=self.host,
                port=self.port,
                interface=Interfaces.ASGINL,
                # A proxy in front speaks HTTP/1.1; browsers that come directly do so over TLS.
                http=HTTPModes.auto if tls else HTTPModes.http1,
                http1_settings=HTTP1Settings(
                    header_read_timeout=HEADER_MILLISECONDS, max_buffer_size=HEADER_BYTES
                ),
                websockets=False,
                backlog=BACKLOG,
                log_dictconfig=_QUIET,
                ssl_cert=tls.certificate if tls else None,
                ssl_key=tls.key if tls else None,
                ssl_protocol_min=SSLProtocols.tls12,
            )
        except (OSError, ssl.SSLError) as error:
            # Both of the certificate: the socket is there.
            listener.close()
            why = error.strerror or "not a certificate in PEM"
            files = f"{tls.certificate} and {tls.key}" if tls else "no files"
            raise UsageError(
                f"TLS can't be served with {files}: {why}",
                remedy="check that both files are there, readable by this user, and belong together",
            ) from error
        self._server.take(listener)
        _log_as_we_do()

    async def serve(self) -> None:
        """Serve until :meth:`stop`, or a signal that ends programs."""
        loop = asyncio.get_running_loop()
        for number in _ENDS:
            loop.add_signal_handler(number, self._signalled, number)
        if self._starter is not None:
            # Nothing is ever written there: what can be read is its end.
            loop.add_reader(self._starter.ends, self._abandoned, self._starter.ends)
        serving = asyncio.create_task(self._server.serve())
        stopping = asyncio.create_task(self._stopping.wait())
        log.info("listening on %s port %d", self.host, self.port)
        if self._starter is not None:
            with suppress(OSError):  # it has ended, and so shall we
                print("listening", file=self._starter.told, flush=True)
        try:
            await asyncio.wait({serving, stopping}, return_when=asyncio.FIRST_COMPLETED)
            if not serving.done():
                log.info("ending: no more requests are accepted")
                self._server.stop()  # type: ignore[no-untyped-call]
                done, _ = await asyncio.wait({serving}, timeout=PATIENCE)
                if not done:
                    log.warning("requests that did not end in %d seconds are cut off", PATIENCE)
                    serving.cancel()
            with suppress(asyncio.CancelledError):
                await serving
        finally:
            stopping.cancel()
            for number in _ENDS:
                loop.remove_signal_handler(number)

    def stop(self) -> None:
        """Accept nobody more, and return from :meth:`serve` when everybody is answered."""
        self._stopping.set()

    def _abandoned(self, ends: TextIO) -> None:
        asyncio.get_running_loop().remove_reader(ends)
        self.stop()

    def _signalled(self, number: signal.Signals) -> None:
        # A second one ends the program as usual.
        asyncio.get_running_loop().remove_signal_handler(number)
        self.stop()


class _Server(Server):
    """granian on a socket that it is handed."""

    _listener: socket.socket

    def take(self, listener: socket.socket) -> None:
        """Serve on *listener*, and close it at the end."""
        self._listener = listener

    def _init_shared_socket(self) -> None:
        # Where it would make one of its own. It closes the descriptor in the end, so it gets it for good. On
        # Linux alone it calls listen() once more, and wants the backlog for that. Its stub knows no argument.
        backlog = (BACKLOG,) if sys.platform == "linux" else ()
        holder: Any = SocketHolder
        self._shd = holder(self._listener.detach(), False, *backlog)


def _listen(host: str, port: int) -> socket.socket:
    """Return a socket that listens there.

    Raises:
        UsageError: The port is taken, or the address is none of this machine.
    """
    try:
        return listen(host, port)
    except OSError as error:
        # Who looks names up has numbers of its own, below 0.
        number = error.errno or 0
        why = os.strerror(number) if number > 0 else "not an address of this machine"
        raise UsageError(
            f"{host} port {port} can't be listened on: {why}", remedy="free it, or change listen"
        ) from error


def _log_as_we_do() -> None:
    theirs = logging.getLogger("_granian")
    theirs.handlers[:] = logging.getLogger(LOGGER).handlers
    # Its warnings tell that it is embedded, and which protocols it speaks.
    theirs.setLevel(logging.ERROR)
    theirs.propagate = False
