"""The HTTP server: one process, one event loop, and an end in order.

granian runs embedded, so that this process is the one that is signalled, and the only one: under its own
supervisor every replica would be two, each with the program in memory. Told to end, it accepts nobody more,
answers who asked already, and returns; what runs beside the requests ends after them.

Nothing is logged of a request: its address may be a set-up link, and its cookies are somebody's session.
"""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import socket
import ssl
from collections.abc import Awaitable, Callable, MutableMapping
from contextlib import suppress
from typing import Any, Final, TextIO

from granian.constants import HTTPModes, Interfaces, SSLProtocols
from granian.http import HTTP1Settings
from granian.server.embed import Server

from practicus_mfa.errors import UsageError
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

BACKLOG: Final = 1_024

_ENDS: Final = (signal.SIGTERM, signal.SIGINT)
_QUIET: Final = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {},
    "handlers": {},
    "loggers": {"_granian": {}, "granian.access": {}},
}
"""granian's own lines would go to standard output, in a form of their own."""


class HttpServer:
    """Serves an application on one address."""

    def __init__(
        self, app: App, listen: tuple[str, int], tls: Tls | None, *, parent: TextIO | None = None
    ) -> None:
        """Take the address.

        Args:
            app: What answers; lifespan events are not sent to it.
            listen: Host and port; port 0 takes a free one.
            tls: What to serve TLS with.
            parent: Ends it when it closes; ``None``: only a signal does.

        Raises:
            UsageError: The address can't be listened on, or the files of TLS can't be used.
        """
        host, port = listen
        self.host = host
        self.port = _free(host, port)
        self._stopping = asyncio.Event()
        self._parent = parent
        try:
            self._server = Server(
                app,
                address=host,
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
            # Both of the certificate: nothing was listened on yet.
            why = error.strerror or "not a certificate in PEM"
            files = f"{tls.certificate} and {tls.key}" if tls else "no files"
            raise UsageError(
                f"TLS can't be served with {files}: {why}",
                remedy="check that both files are there, readable by this user, and belong together",
            ) from error
        _log_as_we_do()

    async def serve(self) -> None:
        """Serve until :meth:`stop`, or a signal that ends programs."""
        loop = asyncio.get_running_loop()
        for number in _ENDS:
            loop.add_signal_handler(number, self._signalled, number)
        if self._parent is not None:
            # Nothing is ever written there: what can be read is its end.
            loop.add_reader(self._parent, self._abandoned, self._parent)
        serving = asyncio.create_task(self._server.serve())
        stopping = asyncio.create_task(self._stopping.wait())
        log.info("listening on %s port %d", self.host, self.port)
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

    def _abandoned(self, parent: TextIO) -> None:
        asyncio.get_running_loop().remove_reader(parent)
        self.stop()

    def _signalled(self, number: signal.Signals) -> None:
        # A second one ends the program as usual.
        asyncio.get_running_loop().remove_signal_handler(number)
        self.stop()


def _free(host: str, port: int) -> int:
    """Return the port to listen on, which nobody else listens on.

    granian would share a port with another process of this user, and so hide that there are two.

    Raises:
        UsageError: It is taken, or the address is none of this machine.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        with socket.create_server((host, port), family=family, reuse_port=False) as tried:
            return int(tried.getsockname()[1])
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
