"""What the API server lists as served, by which clients find out where a kind is.

A definition that was just made is served before its kind is in these lists: they are of other parts of the
server, which hear of it a moment later.
"""

from __future__ import annotations

from dataclasses import dataclass

from practicus_mfa.kube.exchange import Exchange
from practicus_mfa.kube.faults import Call, UnknownKindError
from practicus_mfa.kube.objects import Kind


@dataclass(frozen=True, slots=True, kw_only=True)
class _Listing(Call):
    """A question for one of these lists.

    Attributes:
        at: Where the list is.
    """

    at: str

    @property
    def path(self) -> str:
        """Where it is asked."""
        return self.at

    @property
    def thing(self) -> str:
        """The list in the user's words."""
        return f"the list {self.at} of what is served"


def lists(exchange: Exchange, kind: Kind) -> bool:
    """Return whether clients that look for *kind*, of a group of its own, find it.

    Raises:
        MfaError: There was no answer, or the server refused.
    """
    groups = _asked(exchange, kind, "/apis").get("groups")
    if kind.group not in _names(groups):
        return False
    try:
        return kind.plural in _names(_asked(exchange, kind, f"/apis/{kind.api_version}").get("resources"))
    except UnknownKindError:
        return False


def _asked(exchange: Exchange, kind: Kind, at: str) -> dict[str, object]:
    return exchange.tree(_Listing(verb="get", kind=kind, namespace=None, at=at))


def _names(entries: object) -> set[object]:
    return (
        {entry.get("name") for entry in entries if isinstance(entry, dict)}
        if isinstance(entries, list)
        else set()
    )
