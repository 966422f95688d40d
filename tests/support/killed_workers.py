"""Workers to be killed: a warm process that forks one whenever it is told to, so that a start costs nothing.

Run as a program, it reads a line of JSON for each worker to start (see :meth:`Forge.start`), or the process
id of one to wait for, and answers with a number: the worker's process id, or how it ended.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final, cast

from practicus_mfa.core.keyring import KeyId
from practicus_mfa.core.observed import Mode
from practicus_mfa.core.policy import TableSpec
from practicus_mfa.crypto.keys import HeldKeys
from practicus_mfa.rotation.worker import Job, run_shards
from practicus_mfa.storage.engine import connect

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from typing import IO

ROOT: Final = Path(__file__).parents[2]


class Forge:
    """The warm process, seen from the test."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def start(self, url: str, keys: Sequence[str], jobs: Sequence[Job]) -> int:
        """Start a worker that does *jobs* with *keys* on the database at *url*; return its process id."""
        rows = [
            {
                "rotation_id": job.rotation_id,
                "to_key": job.to_key,
                "mode": job.mode.value,
                "relations": job.relations,
                "tables": [[spec.table, spec.id_column, spec.token_columns] for spec in job.tables],
                "page_rows": job.page_rows,
            }
            for job in jobs
        ]
        return self._ask(json.dumps({"url": url, "keys": list(keys), "jobs": rows}))

    def kill(self, pid: int) -> None:
        """Kill a worker at whatever instruction it is; one that has just ended can still be killed."""
        os.kill(pid, signal.SIGKILL)

    def wait(self, pid: int) -> int:
        """Wait for a worker; return its exit code, or minus the signal that ended it."""
        return self._ask(json.dumps(pid))

    def _ask(self, line: str) -> int:
        stdin, stdout = cast("IO[str]", self._process.stdin), cast("IO[str]", self._process.stdout)
        stdin.write(line + "\n")
        stdin.flush()
        return int(stdout.readline())


@contextmanager
def forge() -> Iterator[Forge]:
    """A warm process that starts workers."""
    path = os.pathsep.join([str(ROOT / "operator"), str(ROOT)])
    with subprocess.Popen(
        [sys.executable, "-m", "tests.support.killed_workers"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": path},
    ) as process:
        yield Forge(process)


def _work(order: dict[str, object]) -> None:
    db = connect(str(order["url"]))
    keys = HeldKeys.from_texts(cast("list[str]", order["keys"]))
    for row in cast("list[dict[str, object]]", order["jobs"]):
        tables = [
            TableSpec(table=table, id_column=id_column, token_columns=tuple(columns))
            for table, id_column, columns in cast("list[tuple[str, str, list[str]]]", row["tables"])
        ]
        job = Job(
            rotation_id=cast("int", row["rotation_id"]),
            to_key=KeyId(str(row["to_key"])),
            mode=Mode(str(row["mode"])),
            relations=tuple(cast("list[str]", row["relations"])),
            tables=tuple(tables),
            page_rows=cast("int", row["page_rows"]),
        )
        run_shards(db, keys, job)


def _serve() -> None:
    for line in sys.stdin:
        order = json.loads(line)
        if isinstance(order, int):
            answer = os.waitstatus_to_exitcode(os.waitpid(order, 0)[1])
        else:
            answer = os.fork()
            if answer == 0:
                code = 1
                try:
                    _work(order)
                    code = 0
                finally:
                    os._exit(code)
        sys.stdout.write(f"{answer}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    _serve()
