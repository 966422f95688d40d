"""An installation as a user has it: a values.yaml, a data folder, the real program."""

from __future__ import annotations

import io
import json
import os
import signal
import subprocess
import sys
import tempfile
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from practicus_mfa.cli.main import run
from practicus_mfa.clock import utc_now
from practicus_mfa.core.keyring import Keyring
from practicus_mfa.crypto.keys import FernetKey, HeldKeys
from practicus_mfa.datafolder import DataFolder
from practicus_mfa.documents import dump_yaml, read_document
from practicus_mfa.login.candidates import Candidate, CandidateFactor, Findings
from practicus_mfa.login.enrol import open_factor
from practicus_mfa.login.import_users import import_users
from practicus_mfa.reconciler.embedded.keyring_files import KeyringFiles
from practicus_mfa.storage import factors, users
from practicus_mfa.storage.engine import Database, connect
from practicus_mfa.storage.users import NewUser
from tests.support.waiting import LIMIT_SECONDS, until

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

PROGRAM = [sys.executable, "-m", "practicus_mfa"]

# Compiled once for all the programs that a test run starts, whatever the machine's habit is.
ENVIRONMENT = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
ENVIRONMENT.setdefault("PYTHONPYCACHEPREFIX", str(Path(tempfile.gettempdir()) / "practicus-mfa-test-pyc"))


def secret_of(name: str) -> bytes:
    """The TOTP secret of a user in these tests: 20 bytes that only depend on the name."""
    return name.encode().ljust(20, b".")[:20]


@dataclass(frozen=True)
class Ended:
    """How a command ended."""

    code: int
    out: str
    err: str


def call(*command: str, folder: Path | None = None, given: str = "") -> Ended:
    """Run a program in a folder, with *given* as its standard input, and wait for its end."""
    done = subprocess.run(
        command,
        cwd=folder,
        input=given,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
        env=ENVIRONMENT,
    )
    return Ended(done.returncode, done.stdout, done.stderr)


@dataclass(frozen=True)
class Installation:
    """A values.yaml and a data folder.

    Attributes:
        root: Where both are.
        database_url: A database instead of SQLite in the folder.
    """

    root: Path
    database_url: str = ""

    @property
    def folder(self) -> DataFolder:
        return DataFolder(self.root / "data")

    @property
    def values_file(self) -> Path:
        return self.root / "values.yaml"

    def write_values(self, active: str, rolling: str = "", **sections: object) -> None:
        """Write values.yaml anew, as an editor would: in one step."""
        tree: dict[str, Any] = {"secretStore": {"activeKey": active, "rollingKey": rolling}, **sections}
        if self.database_url:
            tree["database"] = {"url": self.database_url}
        beside = self.values_file.with_suffix(".new")
        beside.write_text(dump_yaml(tree), encoding="utf-8")
        beside.replace(self.values_file)

    def command(self, *arguments: str) -> Ended:
        """Run a command on the folder."""
        return call(*PROGRAM, *arguments, "--data-dir", str(self.folder.root))

    def up_once(self, active: str, rolling: str = "", **sections: object) -> Ended:
        """Write values.yaml and reconcile to the end."""
        self.write_values(active, rolling, **sections)
        return self.command("up", "--once", "--values", str(self.values_file))

    @contextmanager
    def up(self) -> Iterator[subprocess.Popen[str]]:
        """The platform, running, its first status published; ended at the end if it still runs."""
        self.folder.status.unlink(missing_ok=True)
        command = [*PROGRAM, "up", "--values", str(self.values_file), "--data-dir", str(self.folder.root)]
        # Most tests hold leases of their own, and none needs the page.
        command.append("--no-login")
        process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=ENVIRONMENT
        )
        try:
            until(lambda: self.folder.status.exists() or process.poll() is not None, "the first status")
            yield process
        finally:
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)
            process.communicate(timeout=LIMIT_SECONDS)

    # --- looking ---------------------------------------------------------------------------------

    def status(self) -> Mapping[str, Any]:
        """The status as the command prints it; run in this process, since tests ask for it often."""
        out = io.StringIO()
        with redirect_stdout(out):
            run(["status", "-o", "json", "--data-dir", str(self.folder.root)])
        found: dict[str, Any] = json.loads(out.getvalue())
        return found

    def conditions(self) -> dict[str, tuple[str, str]]:
        """Each condition's status and reason, as the command prints them."""
        return {each["type"]: (each["status"], each["reason"]) for each in self.status()["conditions"]}

    def message(self, kind: str) -> str:
        """A condition's message."""
        return next(str(each["message"]) for each in self.status()["conditions"] if each["type"] == kind)

    def published(self) -> Mapping[str, Any]:
        """The status as the running platform published it last."""
        found = read_document(self.folder.status) if self.folder.status.exists() else {}
        assert isinstance(found, dict)
        return found

    def await_reason(self, kind: str, reason: str) -> None:
        """Wait until the running platform publishes that reason of a condition."""

        def there() -> bool:
            found = self.published().get("conditions", [])
            return any(each["type"] == kind and each["reason"] == reason for each in found)

        until(there, f"{kind} to be {reason}")

    def keyring(self) -> tuple[Keyring, HeldKeys]:
        """The keyring as it is on the disk."""
        loaded = KeyringFiles(self.folder).load()
        assert loaded is not None
        return loaded

    @contextmanager
    def database(self) -> Iterator[Database]:
        """The installation's database."""
        db = connect(self.database_url or self.folder.sqlite_url)
        try:
            yield db
        finally:
            db.close()

    # --- users -----------------------------------------------------------------------------------

    def enrol(self, *names: str) -> None:
        """Create users with MFA, whose secrets :func:`secret_of` gives."""
        findings = Findings()
        findings.candidates.extend(
            Candidate(
                place=name,
                user=NewUser(username=name),
                factors=(CandidateFactor(secret=secret_of(name)),),
            )
            for name in names
        )
        held = self.keyring()[1]
        with self.database() as db:
            import_users(db, findings, source="test", keys=lambda: held, clock=utc_now, actor="test")

    def check_secrets(self, names: list[str], *keys: FernetKey) -> None:
        """Every user's secret is what it was, and opens with these keys alone."""
        with self.database() as db, db.read() as connection:
            for name in names:
                (factor,) = factors.of_user(connection, users.get(connection, name).id)
                assert open_factor(factor, HeldKeys(keys)).secret == secret_of(name)
