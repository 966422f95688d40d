from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import pytest
from kubernetes.client import ApiClient, Configuration

from practicus_mfa.kube.client import Cluster
from practicus_mfa.reconciler.cluster.not_defined_yet import LOOK_SECONDS, await_policies
from tests.support.scripted_api import ScriptedApi, scripted_api

if TYPE_CHECKING:
    from collections.abc import Iterator

OTHERS = {"groups": [{"name": "apps"}, {"name": "batch"}]}
GROUPS = {"groups": [{"name": "apps"}, {"name": "mfa.practicus.ai"}]}
KINDS = {"resources": [{"name": "mfapolicies"}, {"name": "mfapolicies/status"}]}


@pytest.fixture
def api() -> Iterator[ScriptedApi]:
    with scripted_api() as server:
        yield server


@pytest.fixture
def cluster(api: ScriptedApi) -> Iterator[Cluster]:
    found = Cluster(ApiClient(Configuration(host=api.url)))
    yield found
    found.forget_idle()


def waited(cluster: Cluster) -> list[float]:
    """Return the pauses."""
    pauses: list[float] = []
    await_policies(cluster, pause=pauses.append)
    return pauses


def test_where_they_are_listed_nothing_is_waited_for(api: ScriptedApi, cluster: Cluster) -> None:
    api.answer(GROUPS)
    api.answer(KINDS)
    assert waited(cluster) == []
    assert [asked.path for asked in api.asked] == ["/apis", "/apis/mfa.practicus.ai/v1"]


def test_group_and_kind_are_waited_for_and_that_is_told_once(
    api: ScriptedApi, cluster: Cluster, caplog: pytest.LogCaptureFixture
) -> None:
    api.answer(OTHERS)
    api.answer(OTHERS)
    api.answer(GROUPS)
    # As the API server words it where it knows nothing of a group.
    api.answer("404 page not found\n", 404)
    api.answer(GROUPS)
    api.answer({"resources": []})
    api.answer(GROUPS)
    api.answer(KINDS)
    with caplog.at_level(logging.WARNING):
        assert waited(cluster) == [LOOK_SECONDS] * 4
    (record,) = caplog.records
    assert record.getMessage() == (
        "MfaPolicies can't be watched yet: the cluster does not know them. "
        "Install the custom resource definitions of this release."
    )


@pytest.mark.parametrize("code", [401, 409, 410, 429, 500, 503])
def test_an_api_server_that_does_not_answer_well_is_asked_again(
    api: ScriptedApi, cluster: Cluster, code: int
) -> None:
    api.refuse(code)
    api.answer(GROUPS)
    api.answer(KINDS)
    assert waited(cluster) == [LOOK_SECONDS]


def test_where_the_lists_may_not_be_read_the_one_who_watches_says_so(
    api: ScriptedApi, cluster: Cluster
) -> None:
    api.refuse(403)
    assert waited(cluster) == []
