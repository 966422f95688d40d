"""A socket that listens: what it is, and who may not have its address beside it."""

from __future__ import annotations

import socket

import pytest

from practicus_mfa.listening import listen

LOOPBACK = "127.0.0.1"


def test_connections_come_through_from_the_beginning() -> None:
    with listen(LOOPBACK, 0) as listener, socket.create_connection(listener.getsockname()):
        accepted, _ = listener.accept()
        with accepted:
            assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)


def test_nobody_else_listens_there() -> None:
    with listen(LOOPBACK, 0) as listener:
        port = listener.getsockname()[1]
        with pytest.raises(OSError, match="already in use"):
            listen(LOOPBACK, port)
        with pytest.raises(OSError, match="already in use"):
            socket.create_server((LOOPBACK, port), reuse_port=True)


@pytest.mark.skipif(not socket.has_dualstack_ipv6(), reason="this machine has no IPv6")
def test_all_addresses_of_ipv6_are_those_of_ipv4_too() -> None:
    with listen("::", 0) as listener, socket.create_connection((LOOPBACK, listener.getsockname()[1])):
        pass
