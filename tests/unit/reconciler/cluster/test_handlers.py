from __future__ import annotations

import asyncio
import threading
from contextlib import suppress
from itertools import islice

import kopf
import pytest

from practicus_mfa.errors import UnreachableError
from practicus_mfa.reconciler.cluster import bounded
from practicus_mfa.reconciler.cluster.config import read_config
from practicus_mfa.reconciler.cluster.handlers import LONGEST_PAUSE, run, settings


def test_an_api_server_that_is_away_is_tried_again_without_an_end() -> None:
    pauses = settings().networking.error_backoffs
    assert not isinstance(pauses, int | float)
    # Each request begins anew.
    for _ in range(2):
        found = list(islice(pauses, 1_000))
        assert found == sorted(found)
        assert (found[0], found[-1]) == (1.0, LONGEST_PAUSE)


def test_a_watch_that_can_not_go_on_ends_the_operator_with_a_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    class GoneError(Exception):
        """As kopf raises them, with what the server said."""

    async def ended(**_: object) -> list[asyncio.Task[None]]:
        return [asyncio.create_task(_fail(GoneError("what the server said"))), asyncio.create_task(_wait())]

    monkeypatch.setattr(kopf, "spawn_tasks", ended)
    config = read_config({"jobTemplate": {"image": "mfa"}}, source="test")
    with pytest.raises(UnreachableError) as caught:
        run(config, kopf.OperatorRegistry(), ready=threading.Event())
    assert caught.value.message == "The policies can't be watched any more (GoneError)."
    assert isinstance(caught.value.__cause__, GoneError)


def test_a_watch_that_does_not_hear_of_the_end_is_left_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    async def spawned(**_: object) -> list[asyncio.Task[None]]:
        return [asyncio.create_task(_fail(OSError("away"))), asyncio.create_task(_deaf())]

    monkeypatch.setattr(kopf, "spawn_tasks", spawned)
    monkeypatch.setattr(bounded, "PATIENCE", 0.05)
    with pytest.raises(OSError, match="away"):
        bounded.run()


def test_a_watch_that_does_not_hear_of_a_signal_is_left_behind_too(monkeypatch: pytest.MonkeyPatch) -> None:
    async def spawned(**_: object) -> list[asyncio.Task[None]]:
        return [asyncio.create_task(asyncio.sleep(0)), asyncio.create_task(_deaf())]

    monkeypatch.setattr(kopf, "spawn_tasks", spawned)
    monkeypatch.setattr(bounded, "PATIENCE", 0.05)
    bounded.run()


async def _fail(error: Exception) -> None:
    raise error


async def _wait() -> None:
    await asyncio.Event().wait()


async def _deaf() -> None:
    """Wait, whoever cancels it."""
    while True:
        with suppress(asyncio.CancelledError):
            await asyncio.Event().wait()
