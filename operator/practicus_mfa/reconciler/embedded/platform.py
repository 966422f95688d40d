"""The platform's loop: render values.yaml when it changes, run passes, publish the status."""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final, Protocol

from practicus_mfa.clock import utc_now
from practicus_mfa.core.observed import WorkState
from practicus_mfa.core.plan import For
from practicus_mfa.core.status import Manifest
from practicus_mfa.datafolder import DataFolder
from practicus_mfa.documents import dump_yaml
from practicus_mfa.errors import MfaError, UsageError
from practicus_mfa.files import make_private_folder, write_openly
from practicus_mfa.reconciler.embedded.database_url import database_url
from practicus_mfa.reconciler.embedded.inputs import Inputs
from practicus_mfa.reconciler.embedded.keyring_files import KeyringFiles
from practicus_mfa.reconciler.embedded.login_process import LoginProcess
from practicus_mfa.reconciler.embedded.objects import install, read_request
from practicus_mfa.reconciler.embedded.policy_file import count_generation
from practicus_mfa.reconciler.embedded.processes import LocalProcesses
from practicus_mfa.reconciler.embedded.stored_policy import StoredInFolder
from practicus_mfa.reconciler.loop import Pass, Reconciler
from practicus_mfa.reconciler.ports import Request
from practicus_mfa.storage.addresses import SqliteFile
from practicus_mfa.storage.engine import Database
from practicus_mfa.storage.versions import upgrade

TICK: Final = 0.25
"""Seconds between two looks at the files."""

RESYNC: Final = 2.0
"""Seconds between two passes while nothing changes; what others do to the database shows within them."""

REPUBLISH: Final = 30.0
"""Seconds after which a status whose numbers are the same is dated anew."""


class Display(Protocol):
    """Shows a person what happens."""

    def show(self, result: Pass) -> None:
        """Show a pass; called several times a second while rows are moved."""

    def fault(self, error: MfaError) -> None:
        """Show that something a person wrote is not valid; what was there before stays in force."""

    def note(self, line: str) -> None:
        """Show a line that stays."""

    def ending(self, line: str) -> None:
        """Show the last line; from now on the program may be ended at any moment."""


@contextmanager
def locked(folder: DataFolder) -> Iterator[None]:
    """Make sure that no other platform runs on *folder*; make the folder where it is not there.

    Raises:
        UsageError: Another one does, or the folder can't be written.
    """
    make_private_folder(folder.root)
    try:
        descriptor = os.open(folder.lock, os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        why = os.strerror(error.errno) if error.errno else "unknown reason"
        raise UsageError(
            f"{folder.lock} can't be opened: {why}",
            remedy="give this user the right to write the folder, or name another one with --data-dir",
        ) from error
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise UsageError(
                f"another practicus-mfa up runs on {folder.root}",
                remedy="stop that one first, or name another folder with --data-dir",
            ) from error
        yield
    finally:
        os.close(descriptor)


@dataclass(slots=True, kw_only=True)
class Embedded:
    """The platform on one folder; used while :func:`locked` holds.

    Attributes:
        folder: The data folder.
        values_file: The values.yaml that it is installed from.
        inputs: The files that a person edits, noted before they were installed.
        db: Its database.
        display: Where a person looks.
        stopping: Asked often: whether to end.
        login: The login service beside it; ``None`` for none.
        moved: The folder has another database now: run again on that one.
    """

    folder: DataFolder
    values_file: Path
    inputs: Inputs
    db: Database
    display: Display
    stopping: Callable[[], bool]
    login: LoginProcess | None = None
    moved: bool = False
    _published: Manifest = field(default_factory=dict)
    _published_at: float = float("-inf")

    def run(self, *, once: bool) -> Pass | None:
        """Run until told to stop, or with *once* until everything is Ready or nothing but a person helps.

        Returns:
            The last pass, ``None`` where it was stopped before the first.

        Raises:
            UsageError: An object of the folder is not valid at the start.
            UnreachableError: The database can't be reached at the start.
        """
        upgrade(self.db)
        database = self._database()
        request = read_request(self.folder)
        workers = LocalProcesses(self.folder, request.policy.migration.parallelism, utc_now)
        reconciler = Reconciler(
            db=self.db,
            keyrings=KeyringFiles(self.folder),
            workers=workers,
            stored=StoredInFolder(self.folder),
        )
        result: Pass | None = None
        try:
            while not self.stopping():
                request = self._refreshed(request)
                # Workers look the database up in the folder: they must not work on another one than we do.
                self.moved = self._database() != database
                if self.moved:
                    break
                workers.parallelism = request.policy.migration.parallelism
                result = reconciler.run(request)
                if self.stopping() and result.seen.work.state is WorkState.FAILED:
                    break  # the interruption that ends us has ended them: no failure to tell of
                self._publish(result)
                self._look_after_login()
                request = replace(request, status=result.status)
                if once and ended(result) and not result.answered:
                    break
                if not result.changed:
                    self._rest(busy=result.seen.work.state is WorkState.RUNNING)
        finally:
            workers.stop()
            if self.login is not None:
                self.login.stop()
        return result

    def _look_after_login(self) -> None:
        if self.login is not None and not self.stopping():  # what interrupts us has interrupted it
            self.login.look()

    def _database(self) -> tuple[str, object]:
        """Return what tells the folder's database from another one that takes its place.

        Raises:
            UsageError: Its file was taken away: connecting again would make an empty one.
        """
        url, address = database_url(self.folder), self.db.address
        if not isinstance(address, SqliteFile):
            return url, None
        try:
            found = address.path.stat()
        except FileNotFoundError as error:
            raise UsageError(
                f"the database file {address.path} was taken away while the platform runs",
                remedy="put it back, or restore a backup; then start the platform again",
            ) from error
        except OSError:
            return url, None
        return url, (found.st_dev, found.st_ino)

    def _refreshed(self, request: Request) -> Request:
        """Return what is asked for now; a file that is not valid is told of, and what was asked stays."""
        changed = self.inputs.changed()
        if not changed:
            return request
        try:
            if self.values_file in changed:
                install(self.folder, self.values_file)
                if self.login is not None:
                    self.login.configure()
            count_generation(self.folder)
            return replace(read_request(self.folder), status=request.status)
        except UsageError as error:
            self.display.fault(error)
            return request

    def _rest(self, *, busy: bool) -> None:
        """Wait until something may have changed: a file, or (busy) the rows."""
        due = time.monotonic() + (TICK if busy else RESYNC)
        while not self.stopping() and time.monotonic() < due:
            time.sleep(TICK)
            self._look_after_login()
            if self.inputs.stirred():
                return

    def _publish(self, result: Pass) -> None:
        now = time.monotonic()
        if _undated(result.status) != self._published or now - self._published_at > REPUBLISH:
            write_openly(self.folder.status, dump_yaml(result.status))
            self._published, self._published_at = _undated(result.status), now
        self.display.show(result)


def _undated(status: Manifest) -> Manifest:
    return {name: value for name, value in status.items() if name not in {"lastScanTime", "auditHead"}}


def ended(result: Pass) -> bool:
    """Whether *result* is as far as a run with ``once`` goes."""
    unreachable = result.plan.reason == "DatabaseUnreachable"
    return result.plan.at_rest or result.plan.waits_for is For.PERSON or unreachable
