"""``practicus-mfa operator``: run the operator in a cluster, or against one."""

from __future__ import annotations

import os
import signal
import socket
import sys
from pathlib import Path
from typing import Literal, NoReturn

import click

from practicus_mfa.cli.invocation import invocation


@click.command()
@click.option(
    "--config",
    "file",
    type=click.Path(path_type=Path),
    required=True,
    metavar="FILE",
    help="The operator's configuration, as the chart makes it.",
)
@click.option(
    "--kubeconfig",
    type=click.Path(path_type=Path),
    default=lambda: invocation().cluster.kubeconfig,
    metavar="FILE",
    help="How to reach the cluster.  [default: in a pod its service account, else KUBECONFIG]",
)
@click.option(
    "--context",
    default=lambda: invocation().cluster.context,
    metavar="NAME",
    help="A context of the kubeconfig.",
)
@click.option(
    "--log-format",
    type=click.Choice(["json", "plain"]),
    default="json",
    show_default=True,
    help="One JSON object a line, or lines for a person.",
)
def operator(
    file: Path, kubeconfig: Path | None, context: str | None, log_format: Literal["json", "plain"]
) -> None:
    """Run the operator: it reconciles every MfaPolicy, until it is told to end.

    Several may run for the same cluster: one acts, the others stand by.
    """
    # Before anything that takes a while; later kopf listens.
    signal.signal(signal.SIGTERM, _end)
    from practicus_mfa import logs
    from practicus_mfa.bootstrap import run_operator

    logs.configure(sys.stderr, style=log_format, also=("kopf", "kubernetes"))
    run_operator(
        file,
        kubeconfig=kubeconfig,
        context=context,
        host=os.environ.get("POD_NAME") or socket.gethostname(),
        namespace=os.environ.get("POD_NAMESPACE", ""),
    )


def _end(*_: object) -> NoReturn:
    """End in order: the first process of a container has no default for SIGTERM."""
    sys.exit(0)
