"""An operator that is killed at each of its writes: the next one goes on as if nothing had been."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest

from tests.support.api_call import Reset
from tests.support.cluster.one_rotation import OneRotation
from tests.support.cluster.supervised import Supervised, supervised

if TYPE_CHECKING:
    from tests.support.api_call import ApiCall
    from tests.support.api_proxy import ApiProxy
    from tests.support.cluster.operating import ClusterInstallation
    from tests.support.cluster.pretend_node import PretendNode

STEPS = ("Converge", "Migrate", "Verify", "Retire", "Complete")


@dataclass
class Killer:
    """Kills the operator at each write that it has not seen yet.

    Attributes:
        operator: Whom.
        done: Whether the API server still does what was asked.
        met: The writes at which it was killed.
    """

    operator: Supervised
    done: bool
    met: list[str] = field(default_factory=list)

    def __call__(self, call: ApiCall) -> Reset | None:
        """Judge a call: the operator is dead before the server hears of it."""
        if not call.writes or call.resource == "leases" or call.what in self.met:
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
        api.judge = killer = Killer(operator, done)
        story.install()
        story.begin()
        story.check()
        story.finish()
    assert operator.starts == len(killer.met) + 1
    print("\n".join(killer.met))  # noqa: T201
