"""Everything that a cluster and its operator produce in a rotation, searched for keys."""

from __future__ import annotations

import json
import threading
import urllib.request
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from practicus_mfa.crypto.keys import generate_key
from practicus_mfa.kube.objects import SECRETS
from tests.support.cluster.control_plane import ControlPlane
from tests.support.cluster.ended_pods import end
from tests.support.cluster.one_rotation import OneRotation
from tests.support.cluster.spellings import found
from tests.support.waiting import until

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.cluster.access import Cluster
    from tests.support.cluster.operating import ClusterInstallation
    from tests.support.cluster.pretend_node import PretendNode

OF_KEYS: Final = {"-secret-store", "-keyring", "-keyring-archive", "-database"}
"""What the names of those Secrets end with that exist to hold keys, and the database's URL."""


@contextmanager
def noted_processes() -> Iterator[dict[str, str]]:
    """Note the command line and the environment of each process that there is meanwhile."""
    noted: dict[str, str] = {}
    stopped = threading.Event()

    def look() -> None:
        while not stopped.wait(0.1):
            for file in Path("/proc").glob("[0-9]*/cmdline"):
                with suppress(OSError):
                    command = file.read_text("utf-8", "replace")
                    if "practicus" in command:
                        environ = file.with_name("environ").read_text("utf-8", "replace")
                        noted[f"process {command}"] = f"{command}\0{environ}"

    thread = threading.Thread(target=look)
    thread.start()
    try:
        yield noted
    finally:
        stopped.set()
        thread.join()


def objects(cluster: Cluster, namespace: str) -> list[tuple[str, str]]:
    """Return every object of the namespace, all of it; of the Secrets of keys their metadata."""
    kinds = cluster.kubectl("api-resources", "--verbs=list", "--namespaced", "-o=name").split()
    told = cluster.kubectl(
        "get", ",".join(kinds), "-n", namespace, "-o=json", "--show-managed-fields", "--ignore-not-found"
    )
    trees: list[Any] = json.loads(told)["items"]
    for tree in trees:
        name = str(tree["metadata"]["name"])
        if tree["kind"] == "Secret" and any(name.endswith(end_of) for end_of in OF_KEYS):
            del tree["data"]
    return [(f"{tree['kind']} {tree['metadata']['name']}", json.dumps(tree)) for tree in trees]


def test_no_key_and_no_password_is_anywhere_but_in_secrets(
    cluster: Cluster, installation: ClusterInstallation, node: PretendNode
) -> None:
    story = OneRotation(installation)
    third = generate_key()
    with noted_processes() as processes, installation.operator() as operator:
        # A mistake, which a message tells of.
        installation.apply(f"{third.text[:-1]}!")
        installation.await_reason("KeysValid", "MalformedKey")
        story.install()
        node.held = True
        story.begin()
        # A Job that fails leaves more traces than one that doesn't.
        end(installation, 2, "Error", message="error: it failed. Correct it.\n")
        until(lambda: "MigrationJobFailed" in installation.events(), "it to be told")
        during = objects(cluster, installation.namespace)
        node.held = False
        story.check()
        # Too late for a swap back: another message about keys.
        installation.apply(story.old.text, story.new.text)
        installation.await_reason("KeysValid", "ReversedKeys")
        story.finish()
        with urllib.request.urlopen(f"http://127.0.0.1:{operator.port()}/metrics") as answer:
            metrics = answer.read().decode()
    texts = [
        *during,
        *objects(cluster, installation.namespace),
        *processes.items(),
        ("the metrics", metrics),
        ("the operator's log", operator.log.read_text("utf-8")),
        *((f"what {file.parent.name} said", file.read_text("utf-8")) for file in node.folder.glob("*/said")),
    ]
    if isinstance(cluster, ControlPlane):
        texts.append(("the audit log", (cluster.folder / "audit.log").read_text("utf-8")))
    # All of it is there to be searched.
    kinds = {name.partition(" ")[0] for name, _ in texts}
    assert {"MfaPolicy", "Job", "Pod", "Event", "Lease", "Secret", "process"} <= kinds
    assert any("migrate" in name for name in processes)
    assert "practicus_mfa_reconcile_total" in metrics
    for key in (story.old, story.new, third):
        assert found(key.text, texts) == []
        assert [name for name, text in texts if third.text[:-1] in text] == []
    password = installation.database_url.partition("://")[2].partition("@")[0].partition(":")[2]
    assert [name for name, text in texts if password in text] == []
    # The search finds a key where there is one: in a text, within a Secret.
    secret = installation.cluster.get(SECRETS, installation.namespace, installation.keyring_name)
    assert found(story.new.text, [("the keyring", json.dumps(secret))]) == ["the keyring"]
