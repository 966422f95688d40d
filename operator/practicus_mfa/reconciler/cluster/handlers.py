"""kopf's part: it watches policies, Jobs and pods, and every event only says which policy to look at.

No handler decides or writes anything, and nothing is stored on objects: no finalizer, no annotation. So a
policy can be deleted while no operator runs, and a lost event costs time and no more.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from itertools import chain, repeat
from typing import Final

import kopf

from practicus_mfa.errors import MfaError, UnreachableError
from practicus_mfa.kube.children import POLICY
from practicus_mfa.kube.exchange import Access
from practicus_mfa.kube.objects import JOBS, PODS, POLICIES, Kind, Tree
from practicus_mfa.reconciler.cluster import bounded
from practicus_mfa.reconciler.cluster.config import OperatorConfig

PREFIX: Final = "mfa.practicus.ai"

STREAM: Final = 60
"""Seconds that one watch request lasts. A connection that died without a word is noticed after
``inactivity_timeout`` (70 s) at the latest, so within 80 s all is seen again."""

CONNECT: Final = 5.0
"""Seconds to connect."""

LONGEST_PAUSE: Final = 10.0
"""Seconds between two attempts at most, however long the API server has been away."""

PolicyEvent = Callable[[Tree, bool], None]
"""Told of a policy, and whether it is gone."""

ChildEvent = Callable[[str, str], None]
"""Told of the namespace of a Job or a pod, and of the label that says which policy it belongs to."""


class _WithoutEnd:
    """Pauses between attempts, in seconds. kopf's own come to an end, and with them would the process."""

    def __iter__(self) -> Iterator[float]:
        return chain((1.0, 2.0, 4.0), repeat(LONGEST_PAUSE))


def settings() -> kopf.OperatorSettings:
    """Return how kopf is to behave here."""
    chosen = kopf.OperatorSettings()
    chosen.posting.enabled = False  # our own events are told once, on transitions
    chosen.peering.standalone = True  # a Lease elects the one that acts
    chosen.scanning.disabled = True  # it would need rights on all CRDs and namespaces
    chosen.watching.server_timeout = STREAM
    chosen.watching.connect_timeout = CONNECT
    chosen.networking.request_timeout = 30
    chosen.networking.error_backoffs = _WithoutEnd()
    for kind in (JOBS, PODS):  # the label alone: the server sends nobody else's
        chosen.watching.label_selectors[kind.group, kind.plural] = POLICY
    # Nothing is stored; should a handler ever need it, then under our own name.
    chosen.persistence.finalizer = f"{PREFIX}/kopf"
    chosen.persistence.progress_storage = kopf.AnnotationsProgressStorage(prefix=PREFIX)
    chosen.persistence.diffbase_storage = kopf.AnnotationsDiffBaseStorage(prefix=PREFIX)
    return chosen


def registry(
    access: Callable[[], Access], on_policy: PolicyEvent, on_child: ChildEvent
) -> kopf.OperatorRegistry:
    """Return the handlers.

    Args:
        access: Says how to reach the API server; asked again when it refuses a token.
        on_policy: Told of each event of a policy.
        on_child: Told of each event of a Job or a pod.
    """
    handlers = kopf.OperatorRegistry()

    async def login(**_: object) -> kopf.ConnectionInfo:
        return _connection(access())

    # kopf gives far more than is asked for here; it wants coroutines, and these have nothing to wait for.
    async def policy_changed(event: kopf.RawEvent, **_: object) -> None:
        on_policy(dict(event["object"]), event["type"] == "DELETED")

    async def child_changed(namespace: str | None, labels: kopf.Labels, **_: object) -> None:
        on_child(namespace or "", labels.get(POLICY, ""))

    kopf.on.login(registry=handlers)(login)
    kopf.on.event(*_selector(POLICIES), registry=handlers)(policy_changed)
    for kind in (JOBS, PODS):
        kopf.on.event(*_selector(kind), registry=handlers)(child_changed)
    return handlers


def _selector(kind: Kind) -> tuple[str, str, str]:
    return kind.group, kind.api_version.rpartition("/")[2], kind.plural


def _connection(access: Access) -> kopf.ConnectionInfo:
    """Return the same way to the API server, as kopf spells it."""
    scheme, _, token = access.authorization.partition(" ")
    return kopf.ConnectionInfo(
        server=access.server,
        ca_path=access.ca_file or None,
        insecure=access.insecure,
        certificate_path=access.certificate_file or None,
        private_key_path=access.key_file or None,
        scheme=scheme if token else None,
        token=token or None,
    )


def run(config: OperatorConfig, handlers: kopf.OperatorRegistry, *, ready: threading.Event) -> None:
    """Watch until a signal asks to end.

    Args:
        config: Which namespaces to serve.
        handlers: From :func:`registry`.
        ready: Set when the watches run.

    Raises:
        UnreachableError: The API server gave an answer that no watch goes on after. Whoever keeps the process
            running starts it again.
    """
    try:
        bounded.run(
            registry=handlers,
            settings=settings(),
            standalone=True,
            clusterwide=not config.watch_namespaces,
            namespaces=config.watch_namespaces,
            ready_flag=ready,
        )
    except MfaError:
        raise
    except Exception as error:
        raise UnreachableError(
            f"The policies can't be watched any more ({type(error).__name__}).",
            remedy="Start the operator again; if it stays, look at the API server's health, and see the "
            "cause with --debug.",
        ) from error
