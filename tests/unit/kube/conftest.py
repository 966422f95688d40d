"""A cluster whose API server says what a test tells it to."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from kubernetes.client import ApiClient, Configuration

from practicus_mfa.kube.client import Cluster
from tests.support.scripted_api import ScriptedApi, scripted_api
from tests.support.waiting import LIMIT_SECONDS

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def api() -> Iterator[ScriptedApi]:
    with scripted_api() as server:
        yield server


@pytest.fixture
def scripted(api: ScriptedApi) -> Iterator[Cluster]:
    """A cluster that asks *api*, as a user with the token ``token-of-mine``."""
    configuration = Configuration(host=api.url)
    configuration.api_key["BearerToken"] = "Bearer token-of-mine"
    cluster = Cluster(ApiClient(configuration), read_seconds=LIMIT_SECONDS)
    yield cluster
    cluster.forget_idle()
