"""An HTTP server in this process that answers as it was told, in that order, and notes what it was asked."""

from __future__ import annotations

import json
import socket
import threading
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urlsplit

if TYPE_CHECKING:
    from collections.abc import Iterator


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What the server does with one request.

    Attributes:
        body: Sent as JSON, or as it is where it is text; ``None`` closes the connection without an answer.
        code: The HTTP status.
        headers: Further headers.
        missing: Bytes that are announced but never sent: the connection closes in the middle.
        silent: Never answer; the connection stays open until the server ends.
    """

    body: Any = field(default_factory=dict)
    code: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    missing: int = 0
    silent: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """One request that came."""

    method: str
    path: str
    params: dict[str, str]
    headers: dict[str, str]
    body: Any


@dataclass(slots=True)
class ScriptedApi:
    """The server.

    Attributes:
        url: Where it is.
        answers: What it has still to answer; without any, 500.
        asked: What came, in order.
    """

    url: str = ""
    answers: list[Answer] = field(default_factory=list)
    asked: list[Asked] = field(default_factory=list)
    ended: threading.Event = field(default_factory=threading.Event)

    def answer(
        self,
        body: object = None,
        code: int = 200,
        *,
        headers: dict[str, str] | None = None,
        missing: int = 0,
        silent: bool = False,
    ) -> None:
        """Add an answer to the script."""
        self.answers.append(
            Answer(body=body, code=code, headers=headers or {}, missing=missing, silent=silent)
        )

    def refuse(self, code: int, **status: object) -> None:
        """Add a refusal as the API server words it: a ``Status`` object."""
        self.answer({"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": code, **status}, code)


@contextmanager
def scripted_api() -> Iterator[ScriptedApi]:
    """Run such a server."""
    api = ScriptedApi()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _serve(self) -> None:
            parts = urlsplit(self.path)
            sent = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            api.asked.append(
                Asked(
                    method=self.command,
                    path=parts.path,
                    params=dict(parse_qsl(parts.query)),
                    headers=dict(self.headers.items()),
                    body=json.loads(sent) if sent else None,
                )
            )
            answer = api.answers.pop(0) if api.answers else Answer(code=500)
            if answer.silent:
                api.ended.wait()
            if answer.silent or answer.body is None:
                self.close_connection = True
                return
            data = (answer.body if isinstance(answer.body, str) else json.dumps(answer.body)).encode()
            self.send_response(answer.code)
            for name, value in answer.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(data) + answer.missing))
            self.end_headers()
            self.wfile.write(data)
            self.close_connection = bool(answer.missing)

        do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = _serve  # noqa: N815  (the library's names)

        def log_message(self, *_: object) -> None:
            """Stay quiet."""

    class Server(ThreadingHTTPServer):
        daemon_threads = True

    with Server(("127.0.0.1", 0), Handler) as server:
        api.url = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        thread.start()
        try:
            yield api
        finally:
            api.ended.set()
            server.shutdown()
            thread.join()


def unused_port() -> int:
    """Return a port on which nobody listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port
