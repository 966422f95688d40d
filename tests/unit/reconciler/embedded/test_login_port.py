"""The port of the log-in page: one for each platform, from the moment on that it is chosen."""

from __future__ import annotations

import socket

import pytest

from practicus_mfa.errors import UsageError
from practicus_mfa.reconciler.embedded.login_port import FIRST_PORT, LOOPBACK, PORTS, LoginPort


def a_free_one() -> int:
    with socket.create_server((LOOPBACK, 0)) as tried:
        return int(tried.getsockname()[1])


def test_two_who_choose_before_either_serves_have_two_ports() -> None:
    with LoginPort(None) as one, LoginPort(None) as other:
        assert one.number != other.number
        assert {one.number, other.number} <= set(range(FIRST_PORT, FIRST_PORT + PORTS))


def test_a_port_that_is_held_is_refused_to_another() -> None:
    with LoginPort(0) as held, pytest.raises(UsageError) as refused:
        LoginPort(held.number)
    assert refused.value.message == (
        f"port {held.number} is taken on {LOOPBACK}: the login service can't listen"
    )
    assert "name a free one with --login-port" in refused.value.remedy
    with LoginPort(held.number) as later:
        assert later.number == held.number


def test_who_would_share_the_port_can_not() -> None:
    with LoginPort(0) as held, socket.socket() as stranger:
        stranger.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        stranger.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        with pytest.raises(OSError, match="already in use"):
            stranger.bind((LOOPBACK, held.number))


def test_a_port_that_somebody_would_share_is_taken() -> None:
    with socket.create_server((LOOPBACK, 0), reuse_port=True) as stranger:
        number = stranger.getsockname()[1]
        with pytest.raises(UsageError, match=f"port {number} is taken"):
            LoginPort(number)


def test_a_port_that_was_let_go_is_taken_again_where_it_is_free() -> None:
    with LoginPort(0) as port:
        port.let_go()
        refused = pytest.raises(UsageError, match=f"port {port.number} is taken")
        with socket.create_server((LOOPBACK, port.number)), refused:
            port.listener()
        assert port.listener().getsockname()[1] == port.number
        assert port.listener() is port.listener()


def test_an_address_that_is_not_of_this_machine_is_told() -> None:
    with pytest.raises(UsageError, match=r"192\.0\.2\.1 is not an address of this machine"):
        LoginPort(a_free_one(), "192.0.2.1")
