"""A TCP proxy that freezes connections: nothing is refused and nothing closed, bytes just don't arrive."""

from __future__ import annotations

import socket
import threading
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import yaml

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@dataclass(slots=True)
class TcpProxy:
    """The proxy.

    Attributes:
        port: Where it listens, on 127.0.0.1.
        upstream: Where it connects to.
        connections: How many came.
    """

    port: int
    upstream: tuple[str, int]
    connections: int = 0
    _frozen: threading.Event = field(default_factory=threading.Event)
    _sockets: list[socket.socket] = field(default_factory=list)

    def freeze(self) -> None:
        """Let no further byte through on the connections that there are; new ones work."""
        self._frozen.set()
        self._frozen = threading.Event()

    def accept(self, client: socket.socket) -> None:
        """Serve one more connection."""
        self.connections += 1
        try:
            server = socket.create_connection(self.upstream)
        except OSError:
            client.close()
            return
        self._sockets += [client, server]
        for source, sink in ((client, server), (server, client)):
            threading.Thread(target=_pump, args=(source, sink, self._frozen), daemon=True).start()

    def close(self) -> None:
        """Close every connection."""
        for one in self._sockets:
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()


def _pump(source: socket.socket, sink: socket.socket, frozen: threading.Event) -> None:
    with suppress(OSError):
        while data := source.recv(1 << 16):
            if not frozen.is_set():
                sink.sendall(data)
        if not frozen.is_set():
            sink.shutdown(socket.SHUT_WR)


@contextmanager
def tcp_proxy(host: str, port: int) -> Iterator[TcpProxy]:
    """Run a proxy before *host* and *port*."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        proxy = TcpProxy(listener.getsockname()[1], (host, port))

        def accept() -> None:
            with suppress(OSError):
                while True:
                    proxy.accept(listener.accept()[0])

        thread = threading.Thread(target=accept, daemon=True)
        thread.start()
        try:
            yield proxy
        finally:
            # Wakes accept(), which closing alone does not.
            with suppress(OSError):
                listener.shutdown(socket.SHUT_RDWR)
            thread.join()
            proxy.close()


def kubeconfig_through(proxy: TcpProxy, kubeconfig: Path, copy: Path) -> Path:
    """Write *copy*: *kubeconfig* with its server reached through *proxy*."""
    tree: dict[str, Any] = yaml.safe_load(kubeconfig.read_text())
    for entry in tree["clusters"]:
        entry["cluster"]["server"] = f"https://127.0.0.1:{proxy.port}"
        # The certificate is for the real address.
        entry["cluster"]["tls-server-name"] = proxy.upstream[0]
    copy.write_text(yaml.safe_dump(tree))
    return copy
