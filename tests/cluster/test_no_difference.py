"""What the API server keeps of an object is all that the chart renders of it.

Else a tool that compares the two, as Argo CD does, sees a change that no sync takes away: an empty list that
is left out, a number that is kept as another text. What the server adds is no difference.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

import pytest
import yaml

from tests.cluster.test_strictly import EXAMPLES, helm, plane, rendered

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.chart import Helm, Tree
    from tests.support.cluster.control_plane import ControlPlane

__all__ = ["helm", "plane"]

APPLY: Final = ("apply", "--server-side", "--dry-run=server", "--output=json", "-f", "-")


def differences(wanted: object, kept: object, place: str) -> Iterator[str]:
    """Name what *kept* lacks of *wanted*, or has otherwise."""
    if isinstance(wanted, dict) and isinstance(kept, dict):
        for name, value in wanted.items():
            if name in kept:
                yield from differences(value, kept[name], f"{place}.{name}")
            else:
                yield f"{place}.{name} is left out"
    elif isinstance(wanted, list) and isinstance(kept, list) and len(wanted) == len(kept):
        for number, (one, other) in enumerate(zip(wanted, kept, strict=True)):
            yield from differences(one, other, f"{place}[{number}]")
    elif wanted != kept:
        yield f"{place}: {kept!r} in place of {wanted!r}"


def name_of(tree: Tree) -> tuple[str, str]:
    return tree["kind"], tree["metadata"]["name"]


def kept(plane: ControlPlane, trees: list[Tree]) -> list[Tree]:
    """Return *trees* as the API server would keep them, in the same order."""
    accounts = [tree for tree in trees if tree["kind"] == "ServiceAccount"]
    if accounts:
        # A pod is refused where its account is not there, which a dry run makes none of.
        plane.apply(yaml.safe_dump_all(accounts))
    answer = json.loads(plane.kubectl(*APPLY, input=yaml.safe_dump_all(trees)))
    found = {name_of(tree): tree for tree in answer.get("items", [answer])}
    return [found[name_of(tree)] for tree in trees]


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.stem.removesuffix("-values"))
def test_nothing_of_it_is_changed(plane: ControlPlane, helm: Helm, example: Any) -> None:  # noqa: ANN401
    trees = rendered(helm, example.read_text("utf-8"))
    found = [
        difference
        for wanted, stored in zip(trees, kept(plane, trees), strict=True)
        for difference in differences(wanted, stored, " ".join(name_of(wanted)))
    ]
    assert found == []
