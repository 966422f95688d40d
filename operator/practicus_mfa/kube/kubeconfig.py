"""What a kubeconfig names: its contexts, each with its cluster, its user and its namespace.

``KUBECONFIG`` may list several files; of two entries of one name the first counts, and of ``current-context``
too, as in kubectl. Credentials are left to the library.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from practicus_mfa.documents import read_document
from practicus_mfa.errors import UsageError
from practicus_mfa.faults import nearest, shown

_CORRECT: Final = "Correct the kubeconfig, or name another with --kubeconfig or KUBECONFIG."


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """One context.

    Attributes:
        name: Its name.
        cluster: The name of its cluster.
        user: The name of its user, empty where it has none.
        namespace: The namespace that is meant where none is named.
        plugin: The program that brings the user's credentials, empty where they stand in the file.
    """

    name: str
    cluster: str
    user: str
    namespace: str
    plugin: str = ""


def choose(files: Sequence[Path], name: str | None) -> Context:
    """Return the context called *name*, the current one for ``None``.

    Args:
        files: The kubeconfig's files, in the order of ``KUBECONFIG``; those that don't exist are passed over.
        name: As a flag says it.

    Raises:
        UsageError: There is no file, no such context, or it has no cluster.
    """
    there = [file for file in files if file.exists()]
    shown_files = ":".join(map(str, files))
    if not there:
        raise UsageError(
            f"There is no kubeconfig: {shown_files} does not exist.",
            remedy="Name one with --kubeconfig or KUBECONFIG.",
        )
    trees = [_section(read_document(file), file) for file in there]
    current = next((str(tree["current-context"]) for tree in trees if tree.get("current-context")), None)
    wanted = name if name is not None else current
    contexts = _named(trees, "contexts", "context")
    if wanted is None:
        raise UsageError(
            f"{shown_files} has no current context.",
            remedy=_known("Name one with --context", contexts),
        )
    if wanted not in contexts:
        closest = nearest(wanted, contexts)
        raise UsageError(
            f"{shown_files} has no context {shown(wanted)}.",
            remedy=f"Did you mean {closest}?" if closest else _known("Name another with --context", contexts),
        )
    chosen = contexts[wanted]
    cluster = str(chosen.get("cluster") or "")
    if not str(_named(trees, "clusters", "cluster").get(cluster, {}).get("server") or ""):
        raise UsageError(
            f"{shown_files}: the context {shown(wanted)} has no cluster with a server.", remedy=_CORRECT
        )
    user = str(chosen.get("user") or "")
    plugin = _named(trees, "users", "user").get(user, {}).get("exec")
    return Context(
        name=wanted,
        cluster=cluster,
        user=user,
        plugin=Path(str(plugin.get("command") or "")).name if isinstance(plugin, dict) else "",
        namespace=str(chosen.get("namespace") or "default"),
    )


def _named(trees: Sequence[Mapping[str, object]], plural: str, singular: str) -> dict[str, dict[str, object]]:
    """Return the entries of one list of all files by name."""
    found: dict[str, dict[str, object]] = {}
    for tree in trees:
        entries = tree.get(plural)
        for entry in entries if isinstance(entries, list) else []:
            inner = entry.get(singular) if isinstance(entry, dict) else None
            if isinstance(inner, dict) and "name" in entry:
                found.setdefault(str(entry["name"]), inner)
    return found


def _section(tree: object, file: Path) -> dict[str, object]:
    if not isinstance(tree, dict):
        raise UsageError(f"{file} is no kubeconfig.", remedy=_CORRECT)
    return tree


def _known(words: str, contexts: Mapping[str, object]) -> str:
    return f"{words}; there are: {', '.join(sorted(contexts))}." if contexts else _CORRECT
