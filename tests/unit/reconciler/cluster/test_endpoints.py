from __future__ import annotations

import socket
import urllib.error
import urllib.request
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from practicus_mfa.errors import UsageError
from practicus_mfa.reconciler.cluster.endpoints import Endpoints
from practicus_mfa.reconciler.cluster.metrics import Metrics
from tests.support.waiting import LIMIT_SECONDS

if TYPE_CHECKING:
    from collections.abc import Iterator

STATE = {"healthy": True, "ready": False}


@pytest.fixture
def port() -> Iterator[int]:
    endpoints = Endpoints(
        "127.0.0.1",
        0,
        Metrics().registry,
        healthy=lambda: STATE["healthy"],
        ready=lambda: STATE["ready"],
    )
    yield endpoints.port
    endpoints.close()


def answer(port: int, path: str) -> tuple[int, str]:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=LIMIT_SECONDS) as found:
            return found.status, found.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode()


def test_probes_say_what_is_true(port: int) -> None:
    assert answer(port, "/healthz") == (200, "ok\n")
    assert answer(port, "/readyz") == (503, "not ok\n")


def test_metrics_are_served_as_text(port: int) -> None:
    code, text = answer(port, "/metrics")
    assert code == 200
    assert "# TYPE practicus_mfa_reconcile_total counter" in text


def test_there_is_nothing_else(port: int) -> None:
    assert answer(port, "/") == (404, "not found\n")


def test_who_connects_and_says_nothing_holds_nobody_up(port: int) -> None:
    with closing(socket.create_connection(("127.0.0.1", port))):
        assert answer(port, "/healthz")[0] == 200


def test_an_address_in_use_is_an_error_with_a_remedy(port: int) -> None:
    with pytest.raises(UsageError, match="can't be listened on: Address already in use") as found:
        Endpoints("127.0.0.1", port, Metrics().registry, healthy=bool, ready=bool)
    assert "metricsAddress" in found.value.remedy
