"""What the pods of a Job tell, in one short line: why none works yet, or what the last one died of.

A line comes from the cluster and from the program in the pod: it is washed, and cut. It holds no number that
moves, or each look would make another status.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Final

from practicus_mfa.kube.objects import Tree, name_of
from practicus_mfa.logs import redact

USUAL: Final = timedelta(seconds=15)
"""A pod may take so long to be made, and to begin, before that is worth a word."""

LONGEST_LINE: Final = 300
"""Characters."""

_ON_THE_WAY: Final = frozenset({"ContainerCreating", "PodInitializing"})


def instant_of(text: object) -> datetime | None:
    """Return a time as the API server writes it (RFC 3339), ``None`` where there is none."""
    try:
        moment = datetime.fromisoformat(str(text))
    except ValueError:
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def one_line(text: str) -> str:
    """Return *text* for a status: washed, in one line, no longer than that should be."""
    line = " ".join(redact(text).split())
    return line if len(line) <= LONGEST_LINE else f"{line[: LONGEST_LINE - 1]}…"


def why_waiting(pods: Iterable[Tree], now: datetime) -> str:
    """Return what keeps the pods of a running Job from their work, '' where nothing is known to."""
    present = sorted(pods, key=name_of)
    begun = [pod for pod in present if _phase(pod) == "Pending"]
    troubles = (trouble for pod in begun if (trouble := _trouble(pod, now)))
    if found := next(troubles, ""):
        return one_line(found)
    if (
        present
        and all(_phase(pod) in {"Failed", "Succeeded"} for pod in present)
        and (last := last_words(present))
    ):
        return one_line(f"a worker failed and is started again: {last}")
    return ""


def last_words(pods: Iterable[Tree]) -> str:
    """Return what the pod said that failed last, '' where none failed."""
    failed = sorted((pod for pod in pods if _phase(pod) == "Failed"), key=_ended_at)
    return one_line(_words(failed[-1])) if failed else ""


def _phase(pod: Tree) -> str:
    return str((pod.get("status") or {}).get("phase") or "")


def _trouble(pod: Tree, now: datetime) -> str:
    status = pod.get("status") or {}
    for condition in status.get("conditions") or ():
        if (condition.get("type"), condition.get("status")) == ("PodScheduled", "False"):
            return _said(condition)
    for container in status.get("containerStatuses") or ():
        waiting = (container.get("state") or {}).get("waiting") or {}
        if waiting and waiting.get("reason") not in _ON_THE_WAY:
            return _said(waiting)
    since = instant_of(pod["metadata"].get("creationTimestamp"))
    if since and now - since > USUAL:
        return f"pod {name_of(pod)} does not begin, kubectl describe pod {name_of(pod)} tells why"
    return ""


def _said(part: Tree) -> str:
    """Return reason and message; most messages repeat the reason in other words, some don't."""
    return ": ".join(str(part[name]) for name in ("reason", "message") if part.get(name))


def _terminated(pod: Tree) -> Tree:
    containers = (pod.get("status") or {}).get("containerStatuses") or ()
    ends = [(container.get("state") or {}).get("terminated") for container in containers]
    found: Tree = next((end for end in ends if end), {})
    return found


def _ended_at(pod: Tree) -> tuple[str, str]:
    """Return what sorts pods by the time of their end; RFC 3339 in UTC sorts as text."""
    ended = _terminated(pod).get("finishedAt") or pod["metadata"].get("creationTimestamp") or ""
    return str(ended), name_of(pod)


def _words(pod: Tree) -> str:
    end = _terminated(pod)
    lines = str(end.get("message") or "").splitlines()
    told = [line.removeprefix("error: ") for line in lines if line.startswith("error: ")]
    if told:
        return told[-1]
    if not end:
        # Evicted, or its node was lost: the container could not say anything.
        return _said(pod["status"]) or "a worker's pod failed without a word"
    reason = end.get("reason")
    because = f" ({reason})" if reason and reason != "Error" else ""
    return f"a worker ended with {end.get('exitCode')}{because}"
