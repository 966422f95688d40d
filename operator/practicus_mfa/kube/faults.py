"""What the API server refused, as errors with a remedy.

The server's own sentence is quoted, because it says which field or which right is meant. For a Secret it is
not: a sentence about an invalid Secret may hold the value. There the fields' names must do.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from urllib3 import exceptions as http

from practicus_mfa.errors import MfaError, RetryableError, UnreachableError, UsageError
from practicus_mfa.kube.objects import SECRETS, Kind, Tree
from practicus_mfa.logs import redact

_QUOTED: Final = 600
"""Characters of the server's sentence that are quoted: enough for several fields, not for an object."""

_NOT_OF_ITS_KIND: Final = "failed to convert new object"
"""What the server says, with a 500, of an applied object with a value that its kind can't hold (seen with
1.36 and a quantity that is none). Asking again does not help."""

_FIELD: Final = re.compile(r"[A-Za-z0-9_./\[\]\-]{1,120}", re.ASCII)
"""What a path of a field looks like."""

_LONGEST_PAUSE: Final = 60.0
"""Seconds; a server that asks for more is asked again nevertheless."""


class ConflictError(RetryableError):
    """The object is not what it was when it was read: changed, deleted, or there already."""


class ExpiredError(RetryableError):
    """The place in the history from which to go on is gone; list anew."""


class BusyApiError(UnreachableError):
    """The API server answers, but not now (429, 5xx).

    Attributes:
        retry_after: Seconds that the server asks to wait; ``None`` where it doesn't say.
    """

    def __init__(self, message: str, *, remedy: str, retry_after: float | None = None) -> None:
        """Keep what the server asks for."""
        super().__init__(message, remedy=remedy)
        self.retry_after = retry_after


class UnauthenticatedError(UnreachableError):
    """The server doesn't know who asks. Tokens of pods are renewed all the time, so this may pass."""


class ForbiddenError(UsageError):
    """A right is missing, or a policy of the cluster forbids it."""


class RejectedError(UsageError):
    """The server finds the object invalid."""


class UnknownKindError(UsageError):
    """The cluster doesn't serve this kind of object."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """What was asked of the server.

    Attributes:
        verb: As a role names it: get, list, watch, create, update, patch, delete.
        kind: Of the object.
        namespace: ``None`` for all namespaces, or outside of them.
        name: Empty for a collection.
        sub: The subresource.
    """

    verb: str
    kind: Kind
    namespace: str | None
    name: str = ""
    sub: str = ""

    @property
    def path(self) -> str:
        """Where it is asked; a new object's name stands in the object alone."""
        return self.kind.path(self.namespace, "" if self.verb == "create" else self.name, self.sub)

    @property
    def resource(self) -> str:
        """The resource as a role names it, with its subresource and group."""
        resource = f"{self.kind.plural}/{self.sub}" if self.sub else self.kind.plural
        return f"{resource} of {self.kind.group}" if self.kind.group else resource

    @property
    def thing(self) -> str:
        """The object in the user's words."""
        where = f" in the namespace {self.namespace}" if self.namespace else ""
        if self.name:
            return f"the {self.kind.kind} {self.name}{where}"
        return f"{self.kind.plural}{where or (' of all namespaces' if self.kind.namespaced else '')}"


def of_answer(call: Call, code: int, body: bytes, headers: Mapping[str, str]) -> MfaError:
    """Return what an answer that is no success means.

    Args:
        call: What was asked.
        code: The HTTP status.
        body: The answer, a ``Status`` object as a rule.
        headers: Of the answer.
    """
    answer = _status(body)
    match code:
        case 401:
            return UnauthenticatedError(
                f"The API server does not accept the credentials ({call.verb} {call.thing}).",
                remedy="Log in to the cluster again, or correct the user in the kubeconfig.",
            )
        case 403:
            return _forbidden(call, answer)
        case 404:
            return _missing(call, answer)
        case 409:
            return ConflictError(
                f"{_capital(call.thing)} was changed by somebody else, or is there already.",
                remedy="Try again: what is true now is read first.",
            )
        case 410:
            return ExpiredError(
                f"The API server no longer has the state from which to go on ({call.verb} {call.thing}).",
                remedy="Try again.",
            )
        case 500 if _NOT_OF_ITS_KIND in str(answer.get("message")):
            return _rejected(call, code, answer)
        case _ if code in {408, 429} or code >= 500:
            return BusyApiError(
                f"The API server could not {call.verb} {call.thing}: HTTP {code}{_quoted(call, answer)}.",
                remedy="Try again; if it stays, look at the API server's health.",
                retry_after=_pause(headers),
            )
        case _:
            return _rejected(call, code, answer)


def _rejected(call: Call, code: int, answer: Tree) -> RejectedError:
    return RejectedError(
        f"The API server rejected {call.thing}: HTTP {code}{_quoted(call, answer)}.",
        remedy="Correct what it names; if the object is this program's own, its release and the "
        "cluster's don't fit each other.",
    )


def of_connection(server: str, error: Exception) -> UnreachableError:
    """Return what it means that no answer came.

    Args:
        server: Host and port of the API server.
        error: What the HTTP library raised.
    """
    match error:
        case http.SSLError():
            return UnreachableError(
                f"The API server {server} could not prove who it is (TLS).",
                remedy="Correct server and certificate-authority in the kubeconfig; --debug shows the cause.",
            )
        case http.NameResolutionError():
            return UnreachableError(
                f"The name of the API server {server} could not be resolved.",
                remedy="Correct the server in the kubeconfig, or mend the name service.",
            )
        case http.ProxyError():
            return UnreachableError(
                f"The proxy on the way to the API server {server} does not answer.",
                remedy="Correct proxy-url in the kubeconfig, or HTTPS_PROXY and NO_PROXY.",
            )
        case http.ReadTimeoutError():
            return UnreachableError(
                f"The API server {server} did not answer in time.",
                remedy="Try again; if it stays, look at the API server's health.",
            )
        case _:
            return UnreachableError(
                f"The API server {server} can't be reached.",
                remedy="Look whether it runs and whether this machine may connect to it.",
            )


def gone(call: Call, body: bytes) -> bool:
    """Return whether a 404 says that this very object is missing, not its kind or its namespace."""
    answer = _status(body)
    details = answer.get("details")
    return isinstance(details, dict) and details.get("name") == call.name


def _forbidden(call: Call, answer: Tree) -> ForbiddenError:
    return ForbiddenError(
        f"The API server forbids it to {call.verb} {call.thing}{_quoted(call, answer)}.",
        remedy=f'Allow the verb "{call.verb}" on {call.resource} in a Role'
        + (f" of the namespace {call.namespace}" if call.namespace else ", for the whole cluster")
        + "; where the right is there, a policy of the cluster forbids it.",
    )


def _missing(call: Call, answer: Tree) -> MfaError:
    details = answer.get("details")
    kind = details.get("kind") if isinstance(details, dict) else None
    if kind == "namespaces":
        return RejectedError(
            f"The namespace {call.namespace} does not exist.", remedy="Create it, or name another."
        )
    if isinstance(details, dict) and details.get("name"):
        return ConflictError(
            f"{_capital(call.thing)} is gone.", remedy="Try again: what is true now is read first."
        )
    return UnknownKindError(
        f"The cluster does not know {call.resource}.",
        remedy="Install the custom resource definitions of this release."
        if "." in call.kind.group and not call.kind.group.endswith(".k8s.io")
        else "Use a Kubernetes that serves it.",
    )


def _status(body: bytes) -> Tree:
    try:
        answer = json.loads(body)
    except ValueError:
        return {}
    return answer if isinstance(answer, dict) else {}


def _quoted(call: Call, answer: Tree) -> str:
    """Return what the server said, with a colon before it; nothing where it said nothing."""
    words = _fields(answer) if call.kind == SECRETS else str(answer.get("message") or "")
    said = redact(" ".join(words.split()))
    if len(said) > _QUOTED:
        said = f"{said[:_QUOTED]}…"
    return f": {said.rstrip('.')}" if said else ""


def _fields(answer: Tree) -> str:
    details = answer.get("details")
    causes = details.get("causes") if isinstance(details, dict) else None
    fields = (
        str(cause.get("field") or "")
        for cause in (causes if isinstance(causes, list) else [])
        if isinstance(cause, dict)
    )
    return ", ".join(field for field in fields if _FIELD.fullmatch(field))


def _pause(headers: Mapping[str, str]) -> float | None:
    """Return the seconds of ``Retry-After`` (RFC 9110, 10.2.3); the API server sends no dates."""
    try:
        seconds = float(headers.get("Retry-After") or "")
    except ValueError:
        return None
    return min(seconds, _LONGEST_PAUSE) if seconds >= 0 else None


def _capital(words: str) -> str:
    return words[:1].upper() + words[1:]
