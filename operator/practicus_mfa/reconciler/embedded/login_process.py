"""The login service beside the platform: a process of its own, started again whenever it ends.

Its configuration is made from ``login`` of values.yaml and the port that is held for it; where values.yaml
names no host, it is the loopback address. A change of ``login`` starts it anew. Its log is a file in the
folder. It serves on the socket that it is handed, says so on a pipe, and ends with the platform, however that
ends: it reads from another pipe, whose other end closes then.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from practicus_mfa.clock import Steady, steady_seconds
from practicus_mfa.core.parse.login import login_config
from practicus_mfa.datafolder import DataFolder
from practicus_mfa.documents import dump_yaml, read_document
from practicus_mfa.errors import UsageError
from practicus_mfa.files import write_secretly
from practicus_mfa.reconciler.embedded.login_port import LOOPBACK, LoginPort
from practicus_mfa.reconciler.embedded.processes import PATIENCE, PROGRAM

FIRST_PAUSE: Final = 1.0
LONGEST_PAUSE: Final = 30.0
"""Seconds until it is started again; twice as many each time it ends."""

STEADY_SECONDS: Final = 60.0
"""Who has run for so long begins with the first pause again."""


class LoginProcess:
    """Keeps the login service of one data folder running; :meth:`look` is called again and again."""

    def __init__(
        self,
        folder: DataFolder,
        values_file: Path,
        port: LoginPort,
        *,
        note: Callable[[str], None],
        program: tuple[str, ...] = PROGRAM,
        steady: Steady = steady_seconds,
    ) -> None:
        """Keep it on *port*; it is not started yet.

        Args:
            folder: The data folder.
            values_file: Where ``login`` stands.
            port: Where it listens; let go while values.yaml wants no login service.
            note: Is told the address once it answers, and once each reason why it does not run.
            program: How our own program is called.
            steady: Seconds that only go forward.
        """
        self._folder = folder
        self._values_file = values_file
        self._port = port
        self._note = note
        self._program = program
        self._steady = steady
        self._process: subprocess.Popen[bytes] | None = None
        self._written = ""
        self._origin = ""
        self._told = ""
        self._began = self._due = float("-inf")
        self._pause = FIRST_PAUSE

    def configure(self) -> None:
        """Take over what values.yaml says; a running service is started anew where that is a change.

        Raises:
            UsageError: values.yaml can't be read, or its ``login`` is not valid.
        """
        values = read_document(self._values_file)
        if not wanted(values):
            self.stop()
            self._port.let_go()
            self._written = ""
            return
        address = f"[{self._port.address}]" if ":" in self._port.address else self._port.address
        service = service_tree(values, self._port.number)
        text = dump_yaml({**service, "listen": f"{address}:{self._port.number}", "metricsAddress": ""})
        if text == self._written:
            return
        write_secretly(self._folder.login_config, text)
        self._written, self._origin = text, login_config(service).origin
        self.stop()
        self._due, self._pause, self._told = float("-inf"), FIRST_PAUSE, ""

    def look(self) -> None:
        """Start it where it does not run and is due."""
        if not self._written:
            return
        now = self._steady()
        if self._process is not None:
            if self._process.poll() is None:
                self._announce(self._process)
                return
            self._ended(now)
        if now >= self._due:
            self._start(now)

    def _announce(self, process: subprocess.Popen[bytes]) -> None:
        """Tell the address when it can be opened, once for each configuration and after each trouble."""
        told = f"The log-in page: {self._origin}/"
        # Its own word: whoever else may answer at an address, this one is ours.
        if self._told != told and process.stdout is not None and process.stdout.read():
            self._told = told
            self._note(told)

    def _start(self, now: float) -> None:
        try:
            listener = self._port.listener().fileno()
        except UsageError as error:
            self._put_off(now, error.message)
            return
        where = ["--config", str(self._folder.login_config), "--data-dir", str(self._folder.root)]
        command = [*self._program, "login", *where, "--log-format", "plain", "--listener", str(listener)]
        try:
            # Anew each time: it is for the person who wonders why the last start failed.
            descriptor = os.open(self._folder.login_log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            try:
                self._process = process = subprocess.Popen(  # noqa: S603 - our own program
                    command,
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=descriptor,
                    bufsize=0,
                    pass_fds=(listener,),
                )
            finally:
                os.close(descriptor)
        except OSError as error:
            why = os.strerror(error.errno) if error.errno else "unknown reason"
            self._put_off(now, f"the login service can't be started: {why}")
            return
        self._began = now
        if process.stdout is not None:
            os.set_blocking(process.stdout.fileno(), False)

    def _ended(self, now: float) -> None:
        process, self._process = self._process, None
        code = process.returncode if process else 0
        if process is not None:
            _close(process)
        if now - self._began > STEADY_SECONDS:
            self._pause = FIRST_PAUSE
        self._put_off(now, self._last_error() or f"the login service ended with {code}")

    def _put_off(self, now: float, why: str) -> None:
        self._due = now + self._pause
        self._pause = min(LONGEST_PAUSE, self._pause * 2)
        if why != self._told:
            self._told = why
            self._note(
                f"The login service does not run: {why}. It is started again; see {self._folder.login_log}."
            )

    def _last_error(self) -> str:
        try:
            lines = self._folder.login_log.read_text("utf-8", "replace").splitlines()
        except OSError:
            return ""
        return next(
            (line.removeprefix("error: ") for line in reversed(lines) if line.startswith("error: ")), ""
        )

    def stop(self) -> None:
        """End it, in order where it ends in time."""
        process, self._process = self._process, None
        if process is None:
            return
        process.terminate()
        _close(process)
        try:
            process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _close(process: subprocess.Popen[bytes]) -> None:
    for pipe in (process.stdin, process.stdout):
        if pipe is not None:
            pipe.close()


def service_tree(values: object, port: int) -> dict[str, Any]:
    """Return ``login`` of values.yaml (its tree is *values*), with the loopback address where it has no host.

    Raises:
        InvalidConfiguration: It is not valid.
    """
    section = values.get("login") if isinstance(values, dict) else None
    if section is not None and not isinstance(section, dict):
        login_config(section, source="login in values.yaml")
    tree: dict[str, Any] = {**(section or {})}
    tree["host"] = tree.get("host") or f"{LOOPBACK}:{port}"
    login_config(tree, source="login in values.yaml")
    return tree


def wanted(values: object) -> bool:
    """Whether values.yaml, whose tree is *values*, wants a login service: it does unless it says not."""
    section = values.get("login") if isinstance(values, dict) else None
    return not isinstance(section, dict) or section.get("enabled") is not False
