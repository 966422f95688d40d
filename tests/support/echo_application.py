"""An application that says which requests reach it."""

from __future__ import annotations

import json
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


class EchoApplication:
    """It answers each request with the request, as JSON: target, and headers as a list of pairs.

    Attributes:
        port: On the loopback address.
        reached: The targets that came, in order.
    """

    def __init__(self, port: int) -> None:
        """Remember its port."""
        self.port = port
        self.reached: list[str] = []


@contextmanager
def echo_application() -> Iterator[EchoApplication]:
    """Run one in a thread."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _answer(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length", 0)))
            app.reached.append(self.path)
            headers = [
                [name, value.encode("latin-1").decode("utf-8")] for name, value in self.headers.items()
            ]
            body = json.dumps({"target": self.path, "headers": headers}).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_GET = do_POST = do_PUT = _answer  # noqa: N815 - as the library wants them

        def log_message(self, format: str, *_: object) -> None:  # noqa: A002 - its name there
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        app = EchoApplication(server.server_address[1])
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield app
        finally:
            server.shutdown()
            thread.join()
