"""Free ports for servers that are stopped and started again on the same one."""

from __future__ import annotations

import random
import socket
from typing import Final

PORTS: Final = range(20_000, 30_000)
"""Below those that the kernel gives to outgoing connections, one of which could sit on a stopped server's
port; and below the node ports of Services."""

_LOTS: Final = random.SystemRandom()
"""Not the module's own generator: Hypothesis seeds it alike in all workers of a test run."""


def free_ports(count: int, *addresses: str) -> list[int]:
    """Choose ports that nobody listens on at any of the addresses.

    Somebody else may take one before it is used: whoever starts a server must be ready to choose again.

    Raises:
        OSError: There are not that many.
    """
    found: list[int] = []
    for port in _LOTS.sample(PORTS, len(PORTS)):
        if len(found) == count:
            return found
        if all(_free(address, port) for address in addresses):
            found.append(port)
    raise OSError(f"No {count} ports are free between {PORTS[0]} and {PORTS[-1]}.")


def _free(address: str, port: int) -> bool:
    with socket.socket() as listener:
        try:
            listener.bind((address, port))
        except OSError:
            return False
        return True
