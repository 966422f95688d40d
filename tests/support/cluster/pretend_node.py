"""A node without containers: the pods that Jobs make, run as local processes.

Where a test needs a Job controller's real judgement (indexes, retries, failure policies) but no real kubelet,
this plays the node for one namespace. Volumes of Secrets become folders, the command is the same program, and
the pod's status tells how the process ended, as a kubelet's would.
"""

from __future__ import annotations

import signal
import subprocess
import threading
from base64 import b64decode
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from practicus_mfa.clock import utc_now
from practicus_mfa.core.status import instant
from practicus_mfa.errors import MfaError
from practicus_mfa.kube.objects import PODS, SECRETS, Tree
from tests.support.cluster.forked import Forked
from tests.support.installation import ENVIRONMENT, PROGRAM

if TYPE_CHECKING:
    from practicus_mfa.kube.client import Cluster
    from tests.support.cluster.warm_program import WarmProgram

_PAUSE_SECONDS: Final = 0.1
_INDEX: Final = "batch.kubernetes.io/job-completion-index"


class PretendNode:
    """Runs the pods of one namespace, from the start of its block to the end."""

    def __init__(
        self, cluster: Cluster, namespace: str, folder: Path, *, warm: WarmProgram | None = None
    ) -> None:
        """Prepare it; with *warm* pods start in no time, for they are forked from a process that is there."""
        self.cluster = cluster
        self.namespace = namespace
        self.folder = folder
        self.running: dict[str, subprocess.Popen[bytes] | Forked] = {}
        self.commands: list[list[str]] = []
        self.held = False
        self._pods: dict[str, Tree] = {}
        self._warm = warm
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> PretendNode:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopped.set()
        self._thread.join()
        for process in self.running.values():
            process.kill()
            process.wait()

    def kill(self, how: signal.Signals = signal.SIGKILL) -> None:
        """Kill every process that runs now, as a node does that is out of memory."""
        for process in list(self.running.values()):
            process.send_signal(how)

    def _run(self) -> None:
        while not self._stopped.wait(_PAUSE_SECONDS):
            # The API server may be stopped by a test; what happened is told later.
            with suppress(MfaError):
                self._turn()

    def _turn(self) -> None:
        found = {pod["metadata"]["uid"]: pod for pod in self.cluster.list(PODS, self.namespace)}
        for uid, process in list(self.running.items()):
            pod = found.get(uid)
            if pod is None or "deletionTimestamp" in pod["metadata"]:
                with suppress(ProcessLookupError):
                    process.terminate()
            if process.poll() is not None:
                if pod is not None:
                    self._tell(pod, process.returncode or 0)
                del self.running[uid]
        for uid, pod in found.items():
            new = pod["status"].get("phase") == "Pending" and uid not in self._pods
            if new and not self.held and "deletionTimestamp" not in pod["metadata"]:
                self._start(uid, pod)

    def _start(self, uid: str, pod: Tree) -> None:
        folder = self.folder / uid
        container = pod["spec"]["containers"][0]
        places: dict[str, str] = {}
        for volume in pod["spec"].get("volumes", []):
            mounts = [m["mountPath"] for m in container["volumeMounts"] if m["name"] == volume["name"]]
            place = folder / volume["name"]
            secret = self.cluster.get(SECRETS, self.namespace, volume["secret"]["secretName"])
            if secret is None:
                return  # as a kubelet: not before it can be mounted
            place.mkdir(parents=True, exist_ok=True)
            for entry, value in secret["data"].items():
                (place / entry).write_bytes(b64decode(value))
            places |= dict.fromkeys(mounts, str(place))
        index = pod["metadata"].get("annotations", {}).get(_INDEX, "")
        words = [word.replace("$(JOB_COMPLETION_INDEX)", index) for word in container["args"]]
        arguments = [_moved(word, places) for word in words]
        self._pods[uid] = pod
        self.commands.append([*PROGRAM, *arguments])
        self.running[uid] = self._run_program(arguments, index, folder / "said")
        self._status(pod, "Running", {"running": {"startedAt": instant(utc_now())}}, ready=True)

    def _run_program(self, arguments: list[str], index: str, said: Path) -> subprocess.Popen[bytes] | Forked:
        if self._warm:
            return Forked(self._warm, arguments, said)
        with said.open("wb") as out:
            return subprocess.Popen(
                [*PROGRAM, *arguments],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=out,
                env={**ENVIRONMENT, "JOB_COMPLETION_INDEX": index, "PWD": str(Path.cwd())},
            )

    def _tell(self, pod: Tree, code: int) -> None:
        said = (self.folder / pod["metadata"]["uid"] / "said").read_text("utf-8", "replace")
        ended: dict[str, Any] = {
            "exitCode": code if code >= 0 else 128 - code,
            "reason": "Completed" if code == 0 else "Error",
            "startedAt": instant(utc_now()),
            "finishedAt": instant(utc_now()),
        }
        if code:
            ended["message"] = said[-2048:]
        fresh = self.cluster.get(PODS, self.namespace, pod["metadata"]["name"])
        if fresh is not None and fresh["metadata"]["uid"] == pod["metadata"]["uid"]:
            phase = "Failed" if code else "Succeeded"
            self._status(fresh, phase, {"terminated": ended}, ready=False)

    def _status(self, pod: Tree, phase: str, state: Tree, *, ready: bool) -> None:
        container = pod["spec"]["containers"][0]
        container_status = {
            "name": container["name"],
            "image": container["image"],
            "imageID": "",
            "ready": ready,
            "restartCount": 0,
            "state": state,
        }
        status = {
            **pod["status"],
            "phase": phase,
            "containerStatuses": [container_status],
            "conditions": [{"type": "Ready", "status": str(ready)}],
        }
        self.cluster.replace_status(PODS, {**pod, "status": status})


def _moved(word: str, places: dict[str, str]) -> str:
    for mount, place in places.items():
        if word.startswith(mount):
            return place + word.removeprefix(mount)
    return word
