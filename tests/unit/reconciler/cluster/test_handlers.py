from __future__ import annotations

import threading
from itertools import islice

import kopf
import pytest

from practicus_mfa.errors import UnreachableError
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

    def ended(**_: object) -> None:
        raise GoneError("what the server said")

    monkeypatch.setattr(kopf, "run", ended)
    config = read_config({"jobTemplate": {"image": "mfa"}}, source="test")
    with pytest.raises(UnreachableError) as caught:
        run(config, kopf.OperatorRegistry(), ready=threading.Event())
    assert caught.value.message == "The policies can't be watched any more (GoneError)."
    assert isinstance(caught.value.__cause__, GoneError)
