"""An operator that is killed at each of its writes: the next one goes on as if nothing had been."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import pytest

from tests.support.api_call import Reset
from tests.support.cluster.one_rotation import OneRotation
from tests.support.cluster.supervised import Supervised, supervised

if TYPE_CHECKING:
    from tests.support.api_call import ApiCall
    from tests.support.api_proxy import ApiProxy
    from tests.support.cluster.operating import ClusterInstallation
    from tests.support.cluster.pretend_node import PretendNode

POINTS: Final = {
    "update mfapolicies/status",
    "create secrets practicus-mfa-keyring",
    "create events RotationStarted",
    "patch secrets practicus-mfa-keyring",
    "update mfapolicies/status Converge",
    "create events ReadersConverged",
    "create events KeyPromoted",
    "update mfapolicies/status Migrate",
    "patch jobs migrate",
    "update mfapolicies/status Verify",
    "patch jobs verify",
    "create events MigrationCompleted",
    "update mfapolicies/status Retire",
    "create events OldKeyRetired",
    "update mfapolicies/status Complete",
    "create secrets practicus-mfa-keyring-archive",
}
"""Where it is killed at least. What a step does in the database is committed before it is told: who is killed
when it tells of a promotion has promoted, and has said so to nobody."""

STEPS: Final = {
    "patch jobs migrate": "update mfapolicies/status Migrate",
    "patch jobs verify": "update mfapolicies/status Verify",
}
"""What starts a Job, and what says so."""


@dataclass
class Killer:
    """Kills the operator at each write that it has not seen yet.

    Attributes:
        operator: Whom.
        done: Whether the API server still does what was asked.
        node: Where the Jobs run. No pod starts before the status has named its step, so that each step is
            told: a Job that is done within two seconds, or while nobody operates, is told by the next step.
        met: The writes at which it was killed.
    """

    operator: Supervised
    done: bool
    node: PretendNode
    met: list[str] = field(default_factory=list)

    def __call__(self, call: ApiCall) -> Reset | None:
        """Judge a call: the operator is dead before the server hears of it."""
        if not call.writes or call.resource == "leases":
            return None
        for job, told in STEPS.items():
            if call.what == job:
                self.node.held = told not in self.met
            elif call.what == told:
                self.node.held = False
        if call.what in self.met:
            return None
        self.met.append(call.what)
        self.operator.kill()
        return Reset(done=self.done)


@pytest.mark.parametrize("done", [False, True], ids=["before the write", "after the write"])
def test_an_operator_killed_at_each_of_its_writes_goes_on_after_a_restart(
    installation: ClusterInstallation, node: PretendNode, api: ApiProxy, done: bool
) -> None:
    story = OneRotation(installation)
    with supervised(installation, api.kubeconfig) as operator, story.reader():
        api.judge = killer = Killer(operator, done, node)
        story.install()
        story.begin()
        story.check()
        story.finish()
    assert operator.starts == len(killer.met) + 1
    assert POINTS - set(killer.met) == set()
