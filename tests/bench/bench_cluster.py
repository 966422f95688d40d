"""A rotation in a real cluster: from the change of the Secret to the first row under the new key.

    python -m tests.bench.bench_cluster [ROTATIONS [USERS]]

The operator and its Jobs run the product's image in pods of the tests' own node, the image is there already.
Also told: how long a whole rotation took, and how often the status was written meanwhile.
"""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path
from statistics import median, quantiles
from typing import Final

from sqlalchemy import select

from practicus_mfa.crypto.keys import generate_key
from practicus_mfa.kube.connect import connect
from practicus_mfa.storage import schema
from tests.support import postgres_programs
from tests.support.chart import Helm
from tests.support.cluster import ways
from tests.support.cluster.operating import ClusterInstallation
from tests.support.cluster.release import Release
from tests.support.cluster.with_node import node_cluster
from tests.support.postgres import PostgresServer

PAUSE: Final = 0.02
"""Seconds between two looks: how exact the figures are."""


def main() -> None:
    rotations, count = (int(word) for word in (*sys.argv[1:], *("20", "20000")[len(sys.argv) - 1 :]))
    found = postgres_programs.find()
    assert found is not None, postgres_programs.REMEDY
    with tempfile.TemporaryDirectory() as folder, PostgresServer(found) as postgres, node_cluster() as nodes:
        postgres.listen_on(nodes.host_address, nodes.clients)
        installation = ClusterInstallation(
            root=Path(folder),
            database_url=postgres.url(postgres.create_database(), host=nodes.host_address),
            cluster=connect(kubeconfig=nodes.plane.kubeconfig)[0],
            kubeconfig=nodes.plane.kubeconfig,
            namespace=nodes.plane.create_namespace(),
            name="mfa",
        )
        helm = Helm(ways.find("helm3"), kubeconfig=nodes.plane.kubeconfig)
        release = Release(nodes, helm, installation)
        key = generate_key()
        release.apply("install", key)
        release.await_ready()
        installation.enrol(*(f"user-{number}" for number in range(count)))
        first: list[float] = []
        whole: list[float] = []
        for _ in range(rotations):
            old, key = key, generate_key()
            asked = len(nodes.plane.requests())
            began = time.monotonic()
            installation.apply(key.text, old.text)
            with installation.database() as db:
                under = select(schema.factors.c.id).where(schema.factors.c.key_id == key.id).limit(1)
                while True:
                    with db.read() as connection:
                        if connection.execute(under).first():
                            break
                    time.sleep(PAUSE)
            first.append(time.monotonic() - began)
            if len(first) == 1:
                time.sleep(1)  # the status is written every two seconds
                print(release.kubectl("get", "mfap", "-o=wide"))
            release.await_ready()
            whole.append(time.monotonic() - began)
            writes = [
                request
                for request in nodes.plane.requests()[asked:]
                if request.verb == "update" and request.uri.partition("?")[0].endswith("/mfa/status")
            ]
            print(
                f"first row {first[-1]:5.2f} s, Ready {whole[-1]:5.2f} s, {len(writes)} writes of the status"
            )
        tenth = quantiles(first, n=20)[-1] if rotations > 1 else first[0]
        print(f"first row: median {median(first):.2f} s, p95 {tenth:.2f} s, goal 5")
        print(f"Ready: median {median(whole):.2f} s")
        print(release.kubectl("get", "mfap"))
        print(release.kubectl("get", "mfap", "-o=wide"))
        print(release.kubectl("get", "jobs,pods"))
        print(release.kubectl("describe", "mfap", "mfa"))


if __name__ == "__main__":
    main()
