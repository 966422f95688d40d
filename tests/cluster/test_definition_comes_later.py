"""An operator that is there before the definition of MfaPolicy."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING

import pytest

from practicus_mfa.crypto.keys import generate_key
from tests.support.cluster import ways
from tests.support.cluster.control_plane import ControlPlane
from tests.support.cluster.operating import ClusterInstallation
from tests.support.unavailable import without
from tests.support.waiting import LIMIT_SECONDS, until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.support.cluster.operating import OperatorProcess

A = generate_key()


@pytest.fixture
def plane() -> Iterator[ControlPlane]:
    """A cluster that does not know MfaPolicies."""
    try:
        programs = ways.control_plane_programs()
    except ways.NoClusterError as error:
        without(error)
    with ControlPlane(programs) as found:
        yield found


@pytest.fixture
def installation(plane: ControlPlane, tmp_path: Path, postgres_url: str) -> ClusterInstallation:
    return ClusterInstallation.within(plane, plane.create_namespace(), tmp_path, postgres_url)


def waits(operator: OperatorProcess) -> bool:
    return any(line["message"].startswith("MfaPolicies can't be watched yet") for line in operator.lines())


def test_policies_are_served_once_their_definition_is_there(
    plane: ControlPlane, installation: ClusterInstallation
) -> None:
    with installation.operator() as operator:
        until(lambda: waits(operator), "the operator to miss them")
        ways.install_definitions(plane)
        installation.apply(A.text)
        installation.await_ready()


def test_policies_are_served_where_the_operator_itself_brings_their_definition(
    plane: ControlPlane, installation: ClusterInstallation
) -> None:
    with installation.operator(definition={"file": str(ways.DEFINITIONS / "mfapolicies.yaml")}):
        ways.await_definitions(plane)
        installation.apply(A.text)
        installation.await_ready()


def test_an_operator_that_waits_for_them_ends_when_it_is_told_to(installation: ClusterInstallation) -> None:
    with installation.operator() as operator:
        until(lambda: waits(operator), "the operator to miss them")
        operator.popen.send_signal(signal.SIGTERM)
        assert operator.popen.wait(LIMIT_SECONDS) == 0
