"""The log-in page beside the embedded platform: there while that runs, and gone with it."""

from __future__ import annotations

import os
import pty
import re
import signal
import socket
import ssl
import subprocess
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
import pytest

from practicus_mfa.crypto.keys import generate_key
from practicus_mfa.documents import read_document
from practicus_mfa.storage.readers import unexpired
from tests.support.installation import ENVIRONMENT, PROGRAM, Installation, call
from tests.support.login_site import LOOPBACK, Replica, free_port
from tests.support.waiting import LIMIT_SECONDS, until
from tests.support.web_user import WebUser

if TYPE_CHECKING:
    from collections.abc import Iterator

KEY = generate_key().text

CURSOR = "\x1b[?25h"
"""What gives a terminal back its cursor, which what is drawn again and again has hidden."""


class Page(Replica):
    """The log-in page over plain http."""

    @property
    def direct(self) -> str:
        return f"http://{LOOPBACK}:{self.port}"


@contextmanager
def platform(installation: Installation, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    """The platform as a person starts it."""
    command = [*PROGRAM, "up", "--values", str(installation.values_file)]
    command += ["--data-dir", str(installation.folder.root), *arguments]
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=ENVIRONMENT
    )
    try:
        yield process
    finally:
        if process.poll() is None:
            process.terminate()
        process.communicate(timeout=LIMIT_SECONDS)


def said_until(process: subprocess.Popen[str], text: str) -> str:
    """What the platform writes, up to a line with *text*."""
    lines = []
    assert process.stdout is not None
    for line in process.stdout:
        lines.append(line)
        if text in line:
            return line
    raise AssertionError("".join(lines))


def answers(port: int) -> bool:
    with socket.socket() as tried:
        return tried.connect_ex((LOOPBACK, port)) == 0


def page_of(port: int) -> str:
    try:
        return httpx.get(f"http://{LOOPBACK}:{port}/login", timeout=LIMIT_SECONDS).text
    except httpx.TransportError:
        return ""


def children_of(pid: int) -> list[int]:
    text = Path(f"/proc/{pid}/task/{pid}/children").read_text()
    return [int(child) for child in text.split()]


@pytest.fixture
def installation(tmp_path: Path) -> Installation:
    installation = Installation(tmp_path)
    installation.write_values(KEY)
    return installation


def test_the_page_is_there_while_the_platform_runs(installation: Installation) -> None:
    port = free_port()
    with platform(installation, "--login-port", str(port)) as process:
        address = said_until(process, "The log-in page").split()[-1]
        assert address == f"http://{LOOPBACK}:{port}/"
        answer = httpx.get(address, follow_redirects=True, timeout=LIMIT_SECONDS)
        assert answer.status_code == 200
        assert 'name="password"' in answer.text
        process.terminate()
        assert said_until(process, "Ending.").endswith("goes on from here.\n")
        assert process.wait(LIMIT_SECONDS) == 0
    assert not answers(port)
    with installation.database() as db, db.read() as connection:
        assert unexpired(connection) == ()


def test_it_is_started_again_when_it_ends(installation: Installation) -> None:
    port = free_port()
    with platform(installation, "--login-port", str(port)) as process:
        said_until(process, "The log-in page")
        (child,) = children_of(process.pid)
        os.kill(child, signal.SIGKILL)
        said_until(process, "The login service does not run: the login service ended with -9.")
        said_until(process, "The log-in page")
        assert children_of(process.pid) != [child]


def test_who_comes_while_it_is_started_again_waits_for_it(installation: Installation) -> None:
    with platform(installation, "--login-port", "0") as process:
        address = said_until(process, "The log-in page").split()[-1]
        (child,) = children_of(process.pid)
        os.kill(child, signal.SIGKILL)
        until(lambda: children_of(process.pid) != [child], "the child to be gone")
        assert httpx.get(f"{address}login", timeout=60).status_code == 200


def test_two_that_start_at_the_same_moment_tell_their_own_pages(tmp_path: Path) -> None:
    installations = {title: Installation(tmp_path / title) for title in ("Acme", "Zenith")}
    with ExitStack() as stack:
        processes = {}
        for title, installation in installations.items():
            installation.root.mkdir()
            installation.write_values(KEY, login={"branding": {"title": title}})
        for title, installation in installations.items():
            processes[title] = stack.enter_context(platform(installation))
        pages = {
            title: said_until(process, "The log-in page").split()[-1] for title, process in processes.items()
        }
        assert len(set(pages.values())) == len(pages)
        for title, address in pages.items():
            # More than one connection: shared between two, some would come to the other.
            for _ in range(10):
                assert title in httpx.get(f"{address}login", timeout=30).text


def test_it_ends_with_a_platform_that_is_killed(installation: Installation) -> None:
    port = free_port()
    with platform(installation, "--login-port", str(port)) as process:
        said_until(process, "The log-in page")
        process.kill()
        until(lambda: not answers(port), "the page to be gone")


def test_what_values_yaml_says_of_it_is_followed(installation: Installation) -> None:
    port = free_port()
    with platform(installation, "--login-port", str(port)) as process:
        said_until(process, "The log-in page")
        installation.write_values(KEY, login={"branding": {"title": "Acme"}, "replicas": 2})
        until(lambda: "Acme" in page_of(port), "the new title")
        # What is wrong is told, and changes nothing.
        installation.write_values(KEY, login={"branding": {"titel": "Acme"}})
        said_until(process, "branding.titel: unknown; did you mean title?")
        assert "Acme" in page_of(port)
        installation.write_values(KEY, login={"enabled": False})
        until(lambda: not answers(port), "the page to be gone")


class Terminal:
    """The platform at a terminal: all that it shows there, and Ctrl-C."""

    def __init__(self, installation: Installation) -> None:
        self._here, there = pty.openpty()
        files = ["--values", str(installation.values_file), "--data-dir", str(installation.folder.root)]
        self.process = subprocess.Popen(
            [*PROGRAM, "up", *files, "--login-port", "0"],
            stdin=there,
            stdout=there,
            stderr=there,
            start_new_session=True,
            env={**ENVIRONMENT, "TERM": "xterm"},
        )
        os.close(there)
        self.shown = ""

    def __enter__(self) -> Terminal:
        return self

    def __exit__(self, *_: object) -> None:
        # Whatever became of it: with all that it started.
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait(60)
        os.close(self._here)

    def interrupt(self) -> None:
        """What the terminal does of Ctrl-C: all that runs there is told."""
        os.killpg(self.process.pid, signal.SIGINT)

    def read_until(self, text: str) -> None:
        """Read until it has shown a text; '' is its end."""
        while not text or text not in self.shown:
            try:
                read = os.read(self._here, 65_536)
            except OSError:  # as Linux says that nobody is at the other end
                read = b""
            if not read:
                assert not text, self.shown
                return
            self.shown += read.decode()


def test_ctrl_c_is_answered_with_how_to_go_on(installation: Installation) -> None:
    with Terminal(installation) as terminal:
        terminal.read_until("The log-in page")
        terminal.interrupt()
        terminal.read_until("")
        assert terminal.process.wait(60) == 0
    files = f"--values {installation.values_file} --data-dir {installation.folder.root}"
    told = f"Ending. Nothing is lost: practicus-mfa up {files} goes on from here. Ctrl-C again ends at once."
    assert terminal.shown.count(told) == 1
    assert "Traceback" not in terminal.shown


def test_a_second_ctrl_c_ends_it_at_once(installation: Installation) -> None:
    with Terminal(installation) as terminal:
        terminal.read_until("The log-in page")
        # It will be waited for.
        (child,) = children_of(terminal.process.pid)
        os.kill(child, signal.SIGSTOP)
        terminal.interrupt()
        terminal.read_until(CURSOR)
        assert "Ctrl-C again ends at once." in terminal.shown.partition(CURSOR)[0]
        assert terminal.process.poll() is None
        terminal.interrupt()
        assert terminal.process.wait(60) == -signal.SIGINT
        assert "Traceback" not in terminal.shown


@pytest.mark.parametrize("how", ["--no-login", "--once"])
def test_it_can_be_left_out(installation: Installation, how: str) -> None:
    with platform(installation, how) as process:
        said_until(process, "Ready=True")
        until(lambda: installation.folder.status.exists(), "the first status")
        assert not installation.folder.login_config.exists()


def test_a_port_that_is_taken_is_told_before_anything_else(installation: Installation) -> None:
    with socket.create_server((LOOPBACK, 0)) as taken:
        port = taken.getsockname()[1]
        ended = installation.command("up", "--values", str(installation.values_file), f"--login-port={port}")
    assert ended.code == 2
    assert f"error: port {port} is taken on {LOOPBACK}" in ended.err
    assert not installation.folder.root.exists()


def demo(root: Path, *arguments: str) -> str:
    ended = call(*PROGRAM, "demo", *arguments, "--data-dir", str(root))
    return ended.out + ended.err


def test_a_newcomer_logs_in_with_what_the_demo_prints(tmp_path: Path) -> None:
    root = tmp_path / "demo"
    said = demo(root, "run")
    passwords = dict(re.findall(r"^  (admin|alice|bob) +(\S+) ", said, re.MULTILINE))
    assert f"practicus-mfa up --values {root}/values.yaml --data-dir {root}" in said
    assert read_document(root / "demo.yaml") == {
        "made": "by practicus-mfa demo run",
        "passwords": passwords,
    }
    assert oct((root / "demo.yaml").stat().st_mode & 0o777) == "0o600"
    port = free_port()
    command = [*PROGRAM, "up", "--values", str(root / "values.yaml"), "--data-dir", str(root)]
    process = subprocess.Popen(
        [*command, f"--login-port={port}"],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=ENVIRONMENT,
    )
    try:
        said_until(process, "The log-in page")
        # A second demo in another terminal takes nothing away from under this one.
        assert f"error: another practicus-mfa up runs on {root}\nremedy: stop that one" in demo(root, "run")
        page = Page(port, 0, process, root, LOOPBACK, ssl.create_default_context())  # type: ignore[arg-type]
        for name in ("admin", "alice"):
            with WebUser(page) as person:
                person.get("/login")
                person.post("/login", username=name, password=passwords[name])
                person.get("/login/totp")
                person.post("/login/totp", code=demo(root, "code", "--user", name).strip())
                assert name in person.get("/account").text
        with WebUser(page) as person:
            assert "has no MFA" in demo(root, "code", "--user", "bob")
            person.get("/login")
            person.post("/login", username="bob", password=passwords["bob"])
            person.get("/login/remember")
            person.post("/login/remember", remember="no")
            assert "bob" in person.get("/account").text
    finally:
        process.terminate()
        process.communicate(timeout=LIMIT_SECONDS)


def test_codes_are_shown_in_the_demos_folder_alone(installation: Installation) -> None:
    installation.up_once(KEY)
    installation.enrol("ada")
    ended = installation.command("demo", "code", "--user", "ada")
    assert ended.code == 2
    assert "was not made by the demo, so nobody's code is shown" in ended.err
