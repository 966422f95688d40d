"""A port beside the work: ``/metrics`` for Prometheus, ``/healthz`` and ``/readyz`` for the kubelet."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterable
from contextlib import suppress
from socketserver import ThreadingMixIn
from typing import Final
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server
from wsgiref.types import StartResponse, WSGIEnvironment

from prometheus_client import CollectorRegistry, make_wsgi_app

from practicus_mfa.errors import UsageError

TIMEOUT: Final = 10.0
"""Seconds that a client may take to ask: one that says nothing must not hold a thread for ever."""

Check = Callable[[], bool]


class _Server(ThreadingMixIn, WSGIServer):
    daemon_threads = True


class _Server6(_Server):
    address_family = socket.AF_INET6


class _Silent(WSGIRequestHandler):
    timeout = TIMEOUT

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the library's own name
        """Say nothing: probes and scrapes come every few seconds."""

    def handle(self) -> None:
        """Serve one request; whoever goes away meanwhile is nobody's fault."""
        with suppress(ConnectionError, TimeoutError):
            super().handle()


class Endpoints:
    """Serves them in threads of its own, until it is closed."""

    def __init__(
        self, host: str, port: int, registry: CollectorRegistry, *, healthy: Check, ready: Check
    ) -> None:
        """Listen on *host* and *port* (0: a free one).

        Raises:
            UsageError: The address can't be listened on.
        """
        checks = {"/healthz": healthy, "/readyz": ready}
        metrics = make_wsgi_app(registry)

        def answer(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
            path = environ.get("PATH_INFO", "")
            if path == "/metrics":
                page: Iterable[bytes] = metrics(environ, start_response)
                return page
            check = checks.get(path)
            status, text = "404 Not Found", "not found"
            if check is not None:
                status, text = ("200 OK", "ok") if check() else ("503 Service Unavailable", "not ok")
            start_response(status, [("Content-Type", "text/plain; charset=utf-8")])
            return [f"{text}\n".encode()]

        server = _Server6 if ":" in host else _Server
        try:
            self._server = make_server(host, port, answer, server_class=server, handler_class=_Silent)
        except OSError as error:
            raise UsageError(
                f"{host} port {port} can't be listened on: {error.strerror or 'not an address'}",
                remedy="free it, or set metricsAddress in the configuration",
            ) from error
        self._thread = threading.Thread(target=self._server.serve_forever, name="endpoints", daemon=True)
        self._thread.start()

    @property
    def port(self) -> int:
        """The port that it listens on."""
        return int(self._server.server_port)

    def close(self) -> None:
        """Listen no more."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
