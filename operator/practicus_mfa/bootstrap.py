"""The one place that wires the parts: which database, which keyring, which workers, for which command."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from practicus_mfa.clock import utc_now
from practicus_mfa.datafolder import DataFolder
from practicus_mfa.reconciler.embedded.database_url import database_url
from practicus_mfa.reconciler.embedded.inputs import Inputs
from practicus_mfa.reconciler.embedded.keyring_files import KeyringFiles
from practicus_mfa.reconciler.embedded.objects import install, read_request
from practicus_mfa.reconciler.embedded.platform import Display, Embedded, locked
from practicus_mfa.reconciler.embedded.processes import LocalProcesses
from practicus_mfa.reconciler.loop import Pass, Reconciler
from practicus_mfa.storage.engine import Database, connect


def run_embedded(
    folder: DataFolder, values: Path, *, once: bool, display: Display, stopping: Callable[[], bool]
) -> Pass | None:
    """Run the embedded platform on *folder* until it is told to stop; return its last pass.

    Args:
        folder: The data folder, made where it is not there.
        values: The values.yaml to install and to follow.
        once: End when all is Ready, or nothing but a person helps.
        display: Where a person looks.
        stopping: Asked often: whether to end.

    Raises:
        UsageError: *values* is not valid, or another platform runs on the folder.
        UnreachableError: The database can't be reached at the start.
    """
    with locked(folder):
        inputs = Inputs(folder, values)
        install(folder, values)
        while True:
            with closing(connect(database_url(folder), create=True)) as db:
                platform = Embedded(
                    folder=folder,
                    values_file=values,
                    inputs=inputs,
                    db=db,
                    display=display,
                    stopping=stopping,
                )
                result = platform.run(once=once)
            if not platform.moved:
                return result


def look_at(folder: DataFolder, db: Database) -> Pass:
    """Return what a pass over *folder* would see and decide now; nothing is changed.

    Raises:
        UsageError: The folder holds no policy, or one that is not valid.
    """
    request = read_request(folder)
    workers = LocalProcesses(folder, request.policy.migration.parallelism, utc_now)
    return Reconciler(db=db, keyrings=KeyringFiles(folder), workers=workers).look(request)
