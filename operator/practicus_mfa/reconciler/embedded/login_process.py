"""The login service beside the platform: a process of its own, started again whenever it ends.

Its configuration is made from ``login`` of values.yaml and the address and port that were chosen; where
values.yaml names no host, it is the loopback address. A change of ``login`` starts it anew. Its log is a file
in the folder. It ends with the platform, however that ends: it reads from a pipe whose other end closes then.
"""

from __future__ import annotations

import errno
import os
import socket
import subprocess
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

from practicus_mfa.clock import Steady, steady_seconds
from practicus_mfa.core.parse.login import login_config
from practicus_mfa.datafolder import DataFolder
from practicus_mfa.documents import dump_yaml, read_document
from practicus_mfa.errors import UsageError
from practicus_mfa.files import write_secretly
from practicus_mfa.reconciler.embedded.processes import PATIENCE, PROGRAM

LOOPBACK: Final = "127.0.0.1"

FIRST_PORT: Final = 8_080
PORTS: Final = 100
"""Ports that are tried where none was named, from the first one on."""

FIRST_PAUSE: Final = 1.0
LONGEST_PAUSE: Final = 30.0
"""Seconds until it is started again; twice as many each time it ends."""

STEADY_SECONDS: Final = 60.0
"""Who has run for so long begins with the first pause again."""


def free_port(wanted: int | None, address: str = LOOPBACK) -> int:
    """Return the port for the log-in page: *wanted*, or the first that is free on *address*.

    Raises:
        UsageError: It is taken, or all of them are; or the address is none of this machine.
    """
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    for port in range(FIRST_PORT, FIRST_PORT + PORTS) if wanted is None else (wanted,):
        try:
            with socket.create_server((address, port), family=family, reuse_port=False) as tried:
                return int(tried.getsockname()[1])
        except (OSError, OverflowError) as error:
            if isinstance(error, OSError) and error.errno == errno.EADDRNOTAVAIL:
                raise UsageError(
                    f"{address} is not an address of this machine: the login service can't listen",
                    remedy="name another one with --login-address; 0.0.0.0 means all of them",
                ) from error
    which = f"ports {FIRST_PORT} to {FIRST_PORT + PORTS - 1} are" if wanted is None else f"port {wanted} is"
    raise UsageError(
        f"{which} taken on {address}: the login service can't listen",
        remedy="name a free one with --login-port, or leave the service out with --no-login",
    )


class LoginProcess:
    """Keeps the login service of one data folder running; :meth:`look` is called again and again."""

    def __init__(
        self,
        folder: DataFolder,
        values_file: Path,
        port: int,
        *,
        note: Callable[[str], None],
        address: str = LOOPBACK,
        program: tuple[str, ...] = PROGRAM,
        steady: Steady = steady_seconds,
    ) -> None:
        """Keep it on *port*; it is not started yet.

        Args:
            folder: The data folder.
            values_file: Where ``login`` stands.
            port: Its port.
            note: Is told the address once it answers, and once each reason why it does not run.
            address: What it listens on.
            program: How our own program is called.
            steady: Seconds that only go forward.
        """
        self._folder = folder
        self._values_file = values_file
        self._port = port
        self._address = address
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
            self._written = ""
            return
        service = {
            **service_tree(values, self._port),
            "listen": f"{f'[{self._address}]' if ':' in self._address else self._address}:{self._port}",
            "metricsAddress": "",
        }
        text = dump_yaml(service)
        if text == self._written:
            return
        write_secretly(self._folder.login_config, text)
        self._written, self._origin = text, login_config(service_tree(values, self._port)).origin
        self.stop()
        self._due, self._pause, self._told = float("-inf"), FIRST_PAUSE, ""

    def look(self) -> None:
        """Start it where it does not run and is due."""
        if not self._written:
            return
        now = self._steady()
        if self._process is not None:
            if self._process.poll() is None:
                self._announce()
                return
            self._ended(now)
        if now >= self._due:
            self._start(now)

    def _announce(self) -> None:
        """Tell the address when it can be opened, once for each configuration and after each trouble."""
        told = f"The log-in page: {self._origin}/"
        if self._told == told:
            return
        # To "all addresses" one connects as well: it means the loopback address then.
        with suppress(OSError), socket.create_connection((self._address, self._port), timeout=0.1):
            self._told = told
            self._note(told)

    def _start(self, now: float) -> None:
        where = ["--config", str(self._folder.login_config), "--data-dir", str(self._folder.root)]
        command = [*self._program, "login", *where, "--log-format", "plain", "--until-stdin-closes"]
        try:
            # Anew each time: it is for the person who wonders why the last start failed.
            descriptor = os.open(self._folder.login_log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            try:
                self._process = subprocess.Popen(  # noqa: S603 - our own program
                    command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=descriptor
                )
            finally:
                os.close(descriptor)
        except OSError as error:
            why = os.strerror(error.errno) if error.errno else "unknown reason"
            self._put_off(now, f"the login service can't be started: {why}")
            return
        self._began = now

    def _ended(self, now: float) -> None:
        code = self._process.returncode if self._process else 0
        self._process = None
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
        if process.stdin is not None:
            process.stdin.close()
        try:
            process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


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
