"""A request to an API server, known by what it asks for, and what can go wrong with it."""

from __future__ import annotations

import json
import re
import threading
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import parse_qs, urlsplit

from practicus_mfa.kube.children import MODE

_PATH: Final = re.compile(
    r"/(?:api|apis/[^/]+)/v\w+(?:/namespaces/[^/]+(?=/))?/(?P<plural>[^/]+)(?:/(?P<name>[^/]+))?(?:/(?P<sub>\w+))?"
)
_VERBS: Final = {"POST": "create", "PUT": "update", "PATCH": "patch", "DELETE": "delete"}


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiCall:
    """One request.

    Attributes:
        verb: As a role names it.
        resource: The plural, with the subresource; of a request for no object the path.
        name: The object's, empty for a collection.
        body: What was sent.
    """

    verb: str
    resource: str
    name: str
    body: Any

    @property
    def writes(self) -> bool:
        """Whether it changes something."""
        return self.verb in _VERBS.values()

    @property
    def what(self) -> str:
        """The call in words that are the same in each run."""
        detail = self.name
        if self.resource == "events":
            detail = self.body["reason"]
        elif self.resource == "jobs":
            # Its name counts attempts.
            detail = self.body["metadata"]["labels"][MODE] if self.body else ""
        elif self.resource == "mfapolicies/status":
            detail = self.body.get("status", {}).get("rotation", {}).get("step", "")
        return " ".join(filter(None, (self.verb, self.resource, detail)))


@dataclass(frozen=True, slots=True)
class Refuse:
    """The server did nothing and says so."""

    code: int


@dataclass(frozen=True, slots=True)
class Slow:
    """The answer comes so many seconds late."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Reset:
    """The connection breaks: before the server hears of the request, or when it has done what was asked."""

    done: bool


@dataclass(frozen=True, slots=True)
class Hold:
    """The server hears of it once that is set; calls beside it are not held up."""

    until: threading.Event


Fault = Refuse | Slow | Reset | Hold


def call_of(method: str, target: str, data: bytes) -> ApiCall:
    """Return what a request asks for."""
    parts = urlsplit(target)
    found = _PATH.fullmatch(parts.path)
    # Patches are sent as JSON too, by this client.
    body = json.loads(data) if data else None
    if found is None:
        return ApiCall(verb="get", resource=parts.path, name="", body=body)
    query = parse_qs(parts.query)
    selected = query.get("fieldSelector", [""])[0].removeprefix("metadata.name=")
    name = found["name"] or (body or {}).get("metadata", {}).get("name", "") or selected
    reads = "watch" if "watch" in query else "get" if found["name"] else "list"
    return ApiCall(
        verb=_VERBS.get(method, reads),
        resource="/".join(filter(None, (found["plural"], found["sub"]))),
        name=name,
        body=body,
    )
