from __future__ import annotations

import json
import logging
import time
from typing import TYPE_CHECKING

import pytest

from practicus_mfa.errors import UnreachableError
from practicus_mfa.kube.client import Collection
from practicus_mfa.kube.faults import BusyApiError
from practicus_mfa.kube.objects import SECRETS
from practicus_mfa.kube.watch import FIRST_PAUSE, LONGEST_PAUSE, Watch, pause
from tests.support.waiting import LIMIT_SECONDS, until

if TYPE_CHECKING:
    from practicus_mfa.kube.client import Cluster
    from tests.support.scripted_api import ScriptedApi

WHICH = Collection(kind=SECRETS, namespace="auth", name="keys")
ALL = (None, None)
KEYS = ("auth", "keys")


def line(type_: str, version: str, **metadata: str) -> str:
    return (
        json.dumps({"type": type_, "object": {"metadata": {"resourceVersion": version, **metadata}}}) + "\n"
    )


def changed(version: str) -> str:
    return line("MODIFIED", version, name="keys", namespace="auth")


def watched(scripted: Cluster, api: ScriptedApi, requests: int) -> list[tuple[str | None, str | None]]:
    """Watch until so many requests came and were answered; the answers stand in the script."""
    told: list[tuple[str | None, str | None]] = []
    api.answer(silent=True)
    watch = Watch(scripted, WHICH, lambda *what: told.append(what), stream_seconds=30, draw=lambda: 0.0)
    watch.start()
    until(lambda: len(api.asked) == requests + 1, f"{requests} requests")
    assert watch.alive
    watch._stopped.set()
    api.ended.set()
    watch.join(LIMIT_SECONDS)
    assert not watch.alive
    return told


def test_names_are_asked_for_and_nothing_else(api: ScriptedApi, scripted: Cluster) -> None:
    api.answer({"metadata": {"resourceVersion": "5"}})
    api.answer(changed("6"))
    assert watched(scripted, api, 2) == [ALL, KEYS]
    first, stream, *_ = api.asked
    assert first.params == {"fieldSelector": "metadata.name=keys", "limit": "1"}
    assert first.headers["Accept"] == "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"
    assert stream.params == {
        "fieldSelector": "metadata.name=keys",
        "watch": "true",
        "allowWatchBookmarks": "true",
        "resourceVersion": "5",
        "timeoutSeconds": "30",
    }
    assert stream.headers["Accept"] == "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1"


def test_the_next_stream_goes_on_from_the_last_change_or_bookmark(
    api: ScriptedApi, scripted: Cluster
) -> None:
    api.answer({"metadata": {"resourceVersion": "5"}})
    api.answer(changed("6") + changed("7"))
    api.answer(line("BOOKMARK", "9"))
    assert watched(scripted, api, 3) == [ALL, KEYS, KEYS]
    assert [asked.params.get("resourceVersion") for asked in api.asked] == [None, "5", "7", "9"]


def test_a_change_that_comes_in_pieces_is_one_change(api: ScriptedApi, scripted: Cluster) -> None:
    api.answer({"metadata": {"resourceVersion": "5"}})
    api.answer(line("ADDED", "6", annotation="x" * 300_000, name="keys", namespace="auth") + changed("7"))
    assert watched(scripted, api, 2) == [ALL, KEYS, KEYS]
    assert api.asked[-1].params["resourceVersion"] == "7"


def test_a_broken_stream_loses_no_change(api: ScriptedApi, scripted: Cluster) -> None:
    api.answer({"metadata": {"resourceVersion": "5"}})
    api.answer(changed("6") + changed("7")[:20], missing=100)
    assert watched(scripted, api, 2) == [ALL, KEYS]
    assert api.asked[-1].params["resourceVersion"] == "6"


@pytest.mark.parametrize("within", [True, False])
def test_a_forgotten_version_has_everything_looked_at_again(
    api: ScriptedApi, scripted: Cluster, within: bool
) -> None:
    api.answer({"metadata": {"resourceVersion": "5"}})
    if within:
        status = {"kind": "Status", "code": 410, "reason": "Expired"}
        api.answer(changed("6") + json.dumps({"type": "ERROR", "object": status}))
        api.answers[-1] = type(api.answers[-1])(body=f"{api.answers[-1].body}\n")
    else:
        api.refuse(410, reason="Expired")
    api.answer({"metadata": {"resourceVersion": "100"}})
    assert watched(scripted, api, 3) == ([ALL, KEYS, ALL] if within else [ALL, ALL])
    assert api.asked[-1].params["resourceVersion"] == "100"


@pytest.mark.parametrize("text", ["no JSON\n", "[]\n", '{"type": "ADDED"}\n'])
def test_a_line_that_can_not_be_read_ends_the_stream_not_the_watch(
    api: ScriptedApi, scripted: Cluster, text: str
) -> None:
    api.answer({"metadata": {"resourceVersion": "5"}})
    api.answer(text)
    assert watched(scripted, api, 2) == [ALL]


def test_refusals_are_logged_once_and_tried_again(
    api: ScriptedApi, scripted: Cluster, caplog: pytest.LogCaptureFixture
) -> None:
    for _ in range(3):
        api.refuse(403)
    with caplog.at_level(logging.WARNING, logger="practicus_mfa"):
        assert watched(scripted, api, 3) == []
    (record,) = caplog.records
    assert "Watching secrets/auth/keys: The API server forbids it to list secrets" in record.getMessage()


def test_a_listener_that_fails_ends_nothing_and_is_told_again(
    api: ScriptedApi, scripted: Cluster, caplog: pytest.LogCaptureFixture
) -> None:
    calls = []

    def told(namespace: str | None, name: str | None) -> None:
        calls.append((namespace, name))
        if len(calls) == 2:
            raise ValueError(name)

    api.answer({"metadata": {"resourceVersion": "5"}})
    api.answer(changed("6"))
    api.answer({"metadata": {"resourceVersion": "7"}})
    watch = Watch(scripted, WHICH, told, draw=lambda: 0.0)
    watch.start()
    until(lambda: len(calls) == 3, "everything looked at again")
    watch.stop()
    assert calls == [ALL, KEYS, ALL]
    assert "Watching secrets/auth/keys failed" in caplog.text


def test_pauses_grow_to_a_limit_and_heed_the_server() -> None:
    error = UnreachableError("gone", remedy="wait")
    assert [pause(failures, error, 1.0) for failures in (1, 2, 3)] == [0.5, 1.0, 2.0]
    assert pause(1, error, 0.0) == FIRST_PAUSE / 2
    assert pause(10_000, error, 1.0) == LONGEST_PAUSE
    assert pause(1, BusyApiError("busy", remedy="wait", retry_after=7), 1.0) == 7
    assert pause(1, BusyApiError("busy", remedy="wait", retry_after=60), 1.0) == LONGEST_PAUSE


def test_what_was_heard_last_is_dated(api: ScriptedApi, scripted: Cluster) -> None:
    watch = Watch(scripted, WHICH, lambda *_: None)
    made = watch.last_heard
    until(lambda: time.monotonic() > made, "the clock")
    api.answer({"metadata": {"resourceVersion": "5"}})
    watch._look_at_all()
    assert watch.last_heard > made
