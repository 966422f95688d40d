"""A socket that listens: from that moment on the address is ours, and nobody's beside us.

To try whether a port is free, and to take it later, is a race. Who needs an address takes it once, by the
socket that requests will come through, and keeps that or hands it on.
"""

from __future__ import annotations

import socket
from typing import Final

BACKLOG: Final = 1_024
"""Connections that wait to be accepted."""


def listen(host: str, port: int) -> socket.socket:
    """Return a socket that listens on *host* and *port* (0: a free one); ``::`` takes IPv4 as well.

    Raises:
        OSError: The port is taken, or the address is none of this machine.
    """
    six = ":" in host
    # Without SO_REUSEPORT, by which another process of this user could take half of the requests.
    listener = socket.create_server(
        (host, port),
        family=socket.AF_INET6 if six else socket.AF_INET,
        backlog=BACKLOG,
        reuse_port=False,
        dualstack_ipv6=six and socket.has_dualstack_ipv6(),
    )
    # Connections inherit it: an answer's last bytes do not wait for the client's word on those before.
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return listener
