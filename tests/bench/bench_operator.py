"""What an operator costs that has nothing to do: 500 policies, each with its own PostgreSQL database.

    python -m tests.bench.bench_operator [POLICIES]

Processor time and memory are the operator process's own, requests are counted by the API server. The period
of resync is the default; after it, memory is looked at again when 1,000 more passes were made.
"""

from __future__ import annotations

import os
import re
import sys
import tempfile
import time
import urllib.request
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Final

from practicus_mfa.crypto.keys import generate_key
from practicus_mfa.kube.connect import connect
from practicus_mfa.kube.objects import POLICIES
from practicus_mfa.reconciler.cluster.config import RESYNC_SECONDS
from practicus_mfa.reconciler.cluster.passes import IDLE_PASSES
from tests.support import postgres_programs
from tests.support.cluster import ways
from tests.support.cluster.control_plane import ControlPlane
from tests.support.cluster.operating import ClusterInstallation
from tests.support.postgres import PostgresServer

if TYPE_CHECKING:
    from tests.support.cluster.operating import OperatorProcess

PASSES: Final = 1_000
START_SECONDS: Final = 900.0


def main() -> None:
    policies = int(sys.argv[1]) if len(sys.argv) > 1 else 500
    found = postgres_programs.find()
    assert found is not None, postgres_programs.REMEDY
    with (
        tempfile.TemporaryDirectory() as folder,
        PostgresServer(found) as postgres,
        ControlPlane(ways.control_plane_programs()) as plane,
    ):
        ways.install_definitions(plane)
        cluster, _ = connect(kubeconfig=plane.kubeconfig)
        namespace = plane.create_namespace()
        installations = [
            ClusterInstallation(
                root=Path(folder),
                database_url=postgres.url(postgres.create_database()),
                cluster=cluster,
                kubeconfig=plane.kubeconfig,
                namespace=namespace,
                name=f"mfa-{number}",
            )
            for number in range(policies)
        ]
        for each in installations:
            each.apply(generate_key().text)
        with installations[0].operator(watchNamespaces=[], resyncSeconds=RESYNC_SECONDS) as operator:

            def ready() -> int:
                listed = cluster.list(POLICIES, namespace)
                return sum(
                    condition["type"] == "Ready" and condition["status"] == "True"
                    for policy in listed
                    for condition in policy.get("status", {}).get("conditions", [])
                )

            began = time.monotonic()
            while ready() < policies:
                assert time.monotonic() < began + START_SECONDS, "they are not Ready"
                time.sleep(2)
            sys.stdout.reconfigure(line_buffering=True)  # type: ignore[union-attr]
            print(f"{policies} policies Ready after {time.monotonic() - began:.0f} s")
            _idle(plane, operator, policies)
            _flat(operator)


def _idle(plane: ControlPlane, operator: OperatorProcess, policies: int) -> None:
    # A whole round: the looks at policies that became Ready together come together too, and then none does.
    watched = max(RESYNC_SECONDS, policies / IDLE_PASSES)
    time.sleep(RESYNC_SECONDS / 2)  # what the start left over
    asked, passes, used = len(plane.requests()), _passes(operator), _seconds(operator)
    time.sleep(watched)
    requests = plane.requests()[asked:]
    made = _passes(operator) - passes
    cores = (_seconds(operator) - used) / watched
    print(f"idle: {cores:.3f} cores, goal 0.1; {made:.0f} passes in {watched:.0f} s")
    print(f"memory: {_megabytes(operator):.0f} MiB, goal 200")
    counts = Counter(f"{request.verb} {_collection(request.uri)}" for request in requests)
    for what, count in counts.most_common():
        print(f"  {what:<30}{count / made:8.2f} a pass")


def _collection(uri: str) -> str:
    """Return the plural of what a URI of a namespace names, the collection or one object of it."""
    parts = uri.partition("?")[0].split("/")
    return parts[parts.index("namespaces") + 2] if "namespaces" in parts[:-2] else parts[-1]


def _flat(operator: OperatorProcess) -> None:
    before, passes = _megabytes(operator), _passes(operator)
    while _passes(operator) < passes + PASSES:
        time.sleep(5)
    print(f"memory after {PASSES:,} more passes: {_megabytes(operator) - before:+.1f} MiB")


def _passes(operator: OperatorProcess) -> float:
    with urllib.request.urlopen(f"http://127.0.0.1:{operator.port()}/metrics", timeout=10) as page:
        text = page.read().decode()
    return sum(map(float, re.findall(r"practicus_mfa_reconcile_total\{[^}]*\} (\S+)", text)))


def _seconds(operator: OperatorProcess) -> float:
    """Return the processor time that it has used."""
    fields = Path(f"/proc/{operator.popen.pid}/stat").read_text("utf-8").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _megabytes(operator: OperatorProcess) -> float:
    """Return the memory that is its own or shared, and present."""
    status = Path(f"/proc/{operator.popen.pid}/status").read_text("utf-8")
    found = re.search(r"VmRSS:\s+(\d+) kB", status)
    assert found is not None
    return int(found[1]) / 1024


if __name__ == "__main__":
    main()
