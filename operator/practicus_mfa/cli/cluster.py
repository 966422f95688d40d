"""Where a command works when that is a cluster: the flags that say which, and the policy they lead to.

The flags may stand before the command too (``kubectl mfa -n team status``); behind it they win. The cluster
is not asked before a command asks for the policy.
"""

from __future__ import annotations

import shlex
from dataclasses import dataclass, fields
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from practicus_mfa.cli import PROGRAM

if TYPE_CHECKING:
    # Imported when asked for: half of the commands never speak to a cluster.
    from practicus_mfa.cli.target import Target
    from practicus_mfa.reconciler.cluster.policy_access import PolicyAccess


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterFlags:
    """What flags say of the cluster.

    Attributes:
        namespace: Where the policy is; ``None`` for the namespace of the context, or of the pod.
        context: A context of the kubeconfig; ``None`` for its current one.
        kubeconfig: The kubeconfig; ``None`` for what is usual.
        policy: The policy's name; ``None`` for the only one of the namespace.
    """

    namespace: str | None = None
    context: str | None = None
    kubeconfig: Path | None = None
    policy: str | None = None

    @property
    def given(self) -> dict[str, str]:
        """The flags that were given, and their values as one types them."""
        values = {f"--{each.name}": getattr(self, each.name) for each in fields(self)}
        return {flag: str(value) for flag, value in values.items() if value is not None}

    def over(self, other: ClusterFlags) -> ClusterFlags:
        """Return these flags, and where they say nothing what *other* says."""
        said: dict[str, Any] = {}
        for each in fields(self):
            own = getattr(self, each.name)
            said[each.name] = getattr(other, each.name) if own is None else own
        return ClusterFlags(**said)


WHICH_CLUSTER: Final[tuple[tuple[tuple[str, ...], dict[str, Any]], ...]] = (
    (
        ("-n", "--namespace"),
        {"metavar": "NAME", "help": "Work on the cluster, in this namespace.  [default: the context's]"},
    ),
    (("--context",), {"metavar": "NAME", "help": "Work on the cluster of this context of the kubeconfig."}),
    (
        ("--kubeconfig",),
        {
            "metavar": "FILE",
            "type": click.Path(path_type=Path),
            "help": "Work on the cluster that this file leads to.",
        },
    ),
)
"""Flags and settings of the options that lead to a namespace of a cluster."""

WHICH_POLICY: Final = (
    ("--policy",),
    {
        "metavar": "NAME",
        "help": "Work on this MfaPolicy of the cluster.  [default: the namespace's only one]",
    },
)


def target_in_cluster(flags: ClusterFlags, keyring: Path | None) -> Target:
    """Return the policy that *flags* lead to, as a place to work on.

    Args:
        flags: What flags say.
        keyring: A keyring in place of the policy's.
    """
    from practicus_mfa.cli.target import Target

    policy = cache(lambda: _found(flags))
    return Target(
        keyring_file=keyring,
        source="the cluster",
        _read_url=lambda: policy().database_url(),
        _find_policy=policy,
        _elsewhere=lambda: _in_the_cluster(flags, policy()),
    )


def _found(flags: ClusterFlags) -> PolicyAccess:
    from practicus_mfa.kube.connect import connect
    from practicus_mfa.reconciler.cluster.policy_access import PolicyAccess

    cluster, default = connect(kubeconfig=flags.kubeconfig, context=flags.context)
    return PolicyAccess(cluster=cluster, namespace=flags.namespace or default, wanted=flags.policy)


def _in_the_cluster(flags: ClusterFlags, policy: PolicyAccess) -> str:
    """Return how to run this command in the operator's pod; '' where it runs in a pod already."""
    from practicus_mfa.kube.connect import in_pod

    if in_pod():
        return ""
    ctx = click.get_current_context()
    words = [
        "kubectl",
        *(["--kubeconfig", str(flags.kubeconfig)] if flags.kubeconfig else []),
        *(["--context", flags.context] if flags.context else []),
        *("-n", policy.namespace, "exec", f"deploy/{policy.release}-operator", "--", PROGRAM),
        *ctx.command_path.removeprefix(ctx.find_root().command_path).split(),
        *("-n", policy.namespace),
        *(["--policy", flags.policy] if flags.policy else []),
    ]
    return shlex.join(words)
