"""A proxy before a real API server that spoils the requests that a test picks.

Towards the client it speaks plain HTTP without credentials, towards the server HTTPS with the kubeconfig's.
A call can be refused, answered late, or lost, also after the server has done what was asked: a simulated API
server would have to guess what state that leaves behind, here it is the real one's.
"""

from __future__ import annotations

import json
import socket
import ssl
import struct
import tempfile
import threading
import time
from base64 import b64decode
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.client import HTTPException, HTTPSConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

import yaml

from tests.support.api_call import ApiCall, Fault, Hold, Refuse, Reset, Slow, call_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_HOP: Final = frozenset({"host", "connection", "transfer-encoding", "content-length", "accept-encoding"})
_ABORT: Final = struct.pack("ii", 1, 0)
"""SO_LINGER that makes close() send a reset instead of an end."""


def _well(_: ApiCall) -> Fault | None:
    return None


@dataclass(slots=True)
class ApiProxy:
    """The proxy.

    Attributes:
        kubeconfig: Leads through it.
        judge: Says what is to go wrong with a call; called before the server hears of it.
        calls: What was asked, in order.
    """

    kubeconfig: Path
    judge: Callable[[ApiCall], Fault | None] = _well
    calls: list[ApiCall] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def judged(self, call: ApiCall) -> Fault | None:
        """Note *call*, and return what goes wrong with it; one after the other, so that a test can count."""
        with self._lock:
            self.calls.append(call)
            return self.judge(call)


@contextmanager
def api_proxy(kubeconfig: Path, copy: Path) -> Iterator[ApiProxy]:
    """Run a proxy before the server of *kubeconfig*; *copy* is the kubeconfig that leads through it."""
    tree: Any = yaml.safe_load(kubeconfig.read_text())
    (cluster,), (user,) = tree["clusters"], tree["users"]
    context = _context(cluster["cluster"], user["user"])
    upstream = urlsplit(cluster["cluster"]["server"])
    proxy = ApiProxy(copy)

    class Handler(_Handler):
        def connect(self) -> HTTPSConnection:
            return HTTPSConnection(upstream.hostname or "", upstream.port, context=context, timeout=120)

        def judged(self, call: ApiCall) -> Fault | None:
            return proxy.judged(call)

    with _Server(("127.0.0.1", 0), Handler) as server:
        cluster["cluster"] = {"server": f"http://127.0.0.1:{server.server_address[1]}"}
        user["user"] = {}
        copy.write_text(yaml.safe_dump(tree))
        thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
        thread.start()
        try:
            yield proxy
        finally:
            server.shutdown()
            thread.join()


def _context(cluster: dict[str, str], user: dict[str, str]) -> ssl.SSLContext:
    context = ssl.create_default_context(
        cadata=b64decode(cluster["certificate-authority-data"]).decode("ascii")
    )
    with tempfile.NamedTemporaryFile() as both:
        for part in ("client-certificate-data", "client-key-data"):
            both.write(b64decode(user[part]))
        both.flush()
        context.load_cert_chain(both.name)
    return context


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False

    def handle_error(self, *_: object) -> None:
        """Say nothing: clients are killed here."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    _server: HTTPSConnection | None = None

    def connect(self) -> HTTPSConnection:
        """Open a connection to the API server."""
        raise NotImplementedError

    def judged(self, call: ApiCall) -> Fault | None:
        """Say what goes wrong with a call."""
        raise NotImplementedError

    def log_message(self, *_: object) -> None:
        """Say nothing."""

    def handle_one_request(self) -> None:
        """Serve one, or end the connection where it broke."""
        try:
            super().handle_one_request()
        except (OSError, HTTPException):
            self.close_connection = True

    def _serve(self) -> None:
        data = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        fault = self.judged(call_of(self.command, self.path, data))
        match fault:
            case Refuse(code):
                return self._answer(code, _refusal(code), {"Retry-After": "1"} if code == 429 else {})
            case Reset(done=False):
                return self._reset()
            case Slow(seconds):
                time.sleep(seconds)
            case Hold(until):
                until.wait()
        return self._forward(data, lost=isinstance(fault, Reset))

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = _serve  # noqa: N815 - the library's names

    def _forward(self, data: bytes, *, lost: bool) -> None:
        if self._server is None:
            self._server = self.connect()
        kept = {name: value for name, value in self.headers.items() if name.lower() not in _HOP}
        try:
            self._server.request(self.command, self.path, body=data or None, headers=kept)
            answer = self._server.getresponse()
        except (OSError, HTTPException):
            return self._reset()
        if lost:
            if "watch=true" not in self.path:
                answer.read()
            return self._reset()
        headers = {name: value for name, value in answer.getheaders() if name.lower() not in _HOP}
        if answer.chunked and "watch=true" in self.path:
            self.send_response(answer.status)
            for name, value in {**headers, "Transfer-Encoding": "chunked"}.items():
                self.send_header(name, value)
            self.end_headers()
            while part := answer.read1(1 << 16):
                self.wfile.write(b"%x\r\n%b\r\n" % (len(part), part))
            self.wfile.write(b"0\r\n\r\n")
            return None
        return self._answer(answer.status, answer.read(), headers)

    def _answer(self, code: int, data: bytes, headers: dict[str, str]) -> None:
        self.send_response(code)
        for name, value in {"Content-Type": "application/json", **headers}.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def _reset(self) -> None:
        self.close_connection = True
        with suppress(OSError):
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _ABORT)
        # The library would end it in order first (shutdown); without the descriptor's last holder it can't.
        self.connection.close()

    def finish(self) -> None:
        """Close both sides."""
        if self._server is not None:
            self._server.close()
        with suppress(OSError):
            super().finish()


def _refusal(code: int) -> bytes:
    status = {"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": code}
    return json.dumps({**status, "message": "refused by the test", "reason": "Test"}).encode()
