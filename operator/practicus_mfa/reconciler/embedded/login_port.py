"""The port of the log-in page: chosen once, and held by the platform as long as that runs.

The platform's own socket listens on it, and the login service is handed that socket. So two platforms that
start at the same moment have two ports, a service that is started anew keeps its address, and who comes
meanwhile waits for it. Where values.yaml turns the service off, the port is let go.
"""

from __future__ import annotations

import errno
import socket
from typing import Final, Self

from practicus_mfa.errors import UsageError
from practicus_mfa.listening import listen

LOOPBACK: Final = "127.0.0.1"

FIRST_PORT: Final = 8_080
PORTS: Final = 100
"""Ports that are tried where none was named, from the first one on."""


class LoginPort:
    """One port, held from the beginning on; a ``with`` statement lets it go."""

    def __init__(self, wanted: int | None, address: str = LOOPBACK) -> None:
        """Take the port *wanted* (0: any), or the first that is free on *address*.

        Raises:
            UsageError: It is taken, or all of them are; or the address is none of this machine.
        """
        ports = range(FIRST_PORT, FIRST_PORT + PORTS) if wanted is None else (wanted,)
        self.address: Final = address
        self._listener: socket.socket | None = _first(ports, address)
        self.number: Final = int(self._listener.getsockname()[1])

    def listener(self) -> socket.socket:
        """Return the socket that listens on it; a port that was let go is taken again.

        Raises:
            UsageError: Somebody else has taken it meanwhile.
        """
        if self._listener is None:
            self._listener = _first((self.number,), self.address)
        return self._listener

    def let_go(self) -> None:
        """Listen no more: others may take it."""
        if self._listener is not None:
            self._listener.close()
            self._listener = None

    def __enter__(self) -> Self:
        """Hold it."""
        return self

    def __exit__(self, *_: object) -> None:
        """Let it go."""
        self.let_go()


def _first(ports: range | tuple[int, ...], address: str) -> socket.socket:
    for port in ports:
        try:
            return listen(address, port)
        except OSError as error:
            if error.errno == errno.EADDRNOTAVAIL:
                raise UsageError(
                    f"{address} is not an address of this machine: the login service can't listen",
                    remedy="name another one with --login-address; 0.0.0.0 means all of them",
                ) from error
    which = f"ports {ports[0]} to {ports[-1]} are" if len(ports) > 1 else f"port {ports[0]} is"
    raise UsageError(
        f"{which} taken on {address}: the login service can't listen",
        remedy="name a free one with --login-port, or leave the service out with --no-login",
    )
