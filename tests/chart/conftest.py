"""The chart is tested with both versions of Helm."""

from __future__ import annotations

import pytest

from tests.support.chart import Helm
from tests.support.cluster import ways
from tests.support.unavailable import without


@pytest.fixture(scope="session", params=["helm3", "helm4"])
def helm(request: pytest.FixtureRequest) -> Helm:
    """Helm, of each major version in turn."""
    return _helm(request.param)


@pytest.fixture(scope="session")
def helm3() -> Helm:
    """The older Helm alone, where the two can't differ."""
    return _helm("helm3")


def _helm(name: str) -> Helm:
    try:
        return Helm(ways.find(name))
    except ways.NoClusterError as error:
        without(error)
