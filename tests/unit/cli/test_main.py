"""The command line's entry: every error ends as two lines with its exit code, and nothing leaks."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Final

import click
import pytest
from click.testing import CliRunner

from practicus_mfa import __version__
from practicus_mfa.cli.commands import COMMANDS
from practicus_mfa.cli.main import root, run
from practicus_mfa.errors import (
    MfaError,
    NeedsPersonError,
    SupersededError,
    UnreachableError,
    UsageError,
)
from practicus_mfa.faults import Fault, InvalidConfiguration

KEY: Final = "c2VjcmV0LWtleS1zZWNyZXQta2V5LXNlY3JldC1rZXk="
URL: Final = "postgresql://user:hunter2@host/db"


@pytest.fixture
def act(monkeypatch: pytest.MonkeyPatch) -> Callable[[BaseException], None]:
    """Let ``practicus-mfa status`` raise an error."""

    def install(error: BaseException) -> None:
        @click.command()
        def status() -> None:
            raise error

        module = ModuleType("commands_of_a_test")
        module.status = status  # type: ignore[attr-defined]  # modules take any name
        monkeypatch.setitem(sys.modules, module.__name__, module)
        monkeypatch.setitem(COMMANDS, "status", (f"{module.__name__}:status", "Raise."))

    return install


def program(*arguments: str, **environ: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "practicus_mfa", *arguments],
        env={**os.environ, **environ},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (UsageError("It is wrong.", remedy="Do this."), 2),
        (NeedsPersonError("It is wrong.", remedy="Do this."), 3),
        (UnreachableError("It is wrong.", remedy="Do this."), 4),
        (SupersededError("It is wrong.", remedy="Do this."), 75),
    ],
)
def test_an_error_is_two_lines_and_its_exit_code(
    error: MfaError, code: int, act: Callable[[BaseException], None], capsys: pytest.CaptureFixture[str]
) -> None:
    act(error)
    assert run(["status"]) == code
    assert capsys.readouterr() == ("", "error: It is wrong.\nremedy: Do this.\n")


def test_all_faults_of_a_configuration_are_listed(
    act: Callable[[BaseException], None], capsys: pytest.CaptureFixture[str]
) -> None:
    act(
        InvalidConfiguration(
            [Fault(path=path, problem="wrong", remedy="right it") for path in ("a", "b")],
            source="values.yaml",
        )
    )
    assert run(["status"]) == 2
    assert capsys.readouterr().err == (
        "error: values.yaml: 2 faults\n"
        "  a: wrong; right it\n"
        "  b: wrong; right it\n"
        "remedy: correct values.yaml and try again; nothing was changed\n"
    )


@pytest.mark.parametrize("arguments", [["--debug", "status"], ["status", "--debug"]])
def test_debug_adds_the_traceback_wherever_it_stands(
    arguments: list[str], act: Callable[[BaseException], None], capsys: pytest.CaptureFixture[str]
) -> None:
    act(UsageError("It is wrong.", remedy="Do this."))
    assert run(arguments) == 2
    err = capsys.readouterr().err
    assert err.startswith("Traceback (most recent call last):\n")
    assert err.endswith("error: It is wrong.\nremedy: Do this.\n")


def test_debug_may_stand_at_the_end_of_a_command_in_a_group(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["keys", "list", "--data-dir", str(tmp_path / "none"), "--debug"]) == 2
    assert capsys.readouterr().err.startswith("Traceback (most recent call last):\n")


def test_an_error_of_the_program_is_one_line_that_quotes_nothing(
    act: Callable[[BaseException], None], capsys: pytest.CaptureFixture[str]
) -> None:
    act(RuntimeError("a user's name"))
    assert run(["status"]) == 1
    assert capsys.readouterr().err == "error: internal error (RuntimeError), run again with --debug\n"


@pytest.mark.parametrize("arguments", [["status"], ["status", "--debug"]])
def test_secrets_are_washed_out_of_errors_and_tracebacks(
    arguments: list[str], act: Callable[[BaseException], None], capsys: pytest.CaptureFixture[str]
) -> None:
    error = UsageError(f"cannot use {URL} with {KEY}", remedy=f"not {KEY}")
    error.__cause__ = RuntimeError(f"{URL} {KEY}")
    act(error)
    run(arguments)
    err = capsys.readouterr().err
    assert "hunter2" not in err
    assert KEY not in err
    assert "error: cannot use postgresql://user:***@host/db with ***\nremedy: not ***\n" in err


@pytest.mark.parametrize("error", [KeyboardInterrupt(), click.Abort()])
def test_ctrl_c_is_no_error(
    error: BaseException, act: Callable[[BaseException], None], capsys: pytest.CaptureFixture[str]
) -> None:
    act(error)
    assert run(["status"]) == 130
    assert capsys.readouterr().err == "cancelled\n"


@pytest.mark.parametrize(
    ("arguments", "message", "path"),
    [
        (["--frob"], "No such option '--frob'.", ""),
        (["keys", "list", "--frob"], "No such option '--frob'.", " keys list"),
        (["keys", "generat"], "No such command 'generat'.", " keys"),
        (["keys", "generate", "x"], "Got unexpected extra argument", " keys generate"),
        (["keys", "list", "-o", "xml"], "Invalid value for '-o' / '--output': 'xml' is not", " keys list"),
        (["completion", "csh"], "Invalid value for '{bash|fish|zsh}': 'csh' is not one of", " completion"),
    ],
)
def test_bad_usage_is_two_lines_too(
    arguments: list[str], message: str, path: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(arguments) == 2
    out, err = capsys.readouterr()
    first, second = err.splitlines()
    # The end of click's sentences is not the same in all its versions.
    assert first.startswith(f"error: {message}")
    assert second == f"remedy: see practicus-mfa{path} --help"
    assert out == ""


def test_a_password_in_a_wrong_place_is_washed_out(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["keys", "generate", URL]) == 2
    assert "hunter2" not in capsys.readouterr().err


@pytest.mark.parametrize(
    ("name", "shown", "remedy"),
    [
        ("stats", "stats", "did you mean status?"),
        ("frobnicate", "frobnicate", "practicus-mfa --help lists the commands"),
        (KEY, "(not shown)", "practicus-mfa --help lists the commands"),
    ],
)
def test_a_command_that_is_not_there_is_told_with_the_nearest(
    name: str, shown: str, remedy: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run([name]) == 2
    assert capsys.readouterr() == ("", f"error: there is no command {shown}\nremedy: {remedy}\n")


def test_without_arguments_the_help_is_shown(capsys: pytest.CaptureFixture[str]) -> None:
    assert run([]) == 2
    assert capsys.readouterr().err.startswith("Usage: practicus-mfa [OPTIONS] COMMAND")


def test_the_version_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["--version"]) == 0
    assert capsys.readouterr() == (f"practicus-mfa {__version__}\n", "")


def test_the_help_lists_every_command_and_imports_none(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(COMMANDS, "plan", ("practicus_mfa.cli.no_such_module:plan", "Plan."))
    assert run(["--help"]) == 0
    out = capsys.readouterr().out
    for name in COMMANDS:
        assert f"\n  {name}  " in out


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_of_the_table_is_there(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run([name, "--help"]) == 0
    assert capsys.readouterr().out.startswith(f"Usage: practicus-mfa {name} ")
    assert name in root.list_commands(click.Context(root))


def test_the_example_of_a_url_in_a_remedy_is_no_password(
    act: Callable[[BaseException], None], capsys: pytest.CaptureFixture[str]
) -> None:
    remedy = "Write postgresql://USER:PASSWORD@HOST:PORT/NAME."
    act(UsageError(f"{URL} is wrong.", remedy=remedy))
    run(["status"])
    assert capsys.readouterr().err == f"error: postgresql://user:***@host/db is wrong.\nremedy: {remedy}\n"


def test_the_help_imports_no_library_but_click() -> None:
    code = (
        "import sys; from practicus_mfa.cli.main import run; run(['--help']);"
        "print(*sorted({name.partition('.')[0] for name in sys.modules}), file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "click" in done.stderr.split()
    assert not {
        *("rich", "yaml", "sqlalchemy", "cryptography", "alembic", "psycopg", "argon2", "asyncio"),
    } & set(done.stderr.split())


def test_looking_at_an_installation_imports_no_library_that_it_does_not_use() -> None:
    code = (
        "import sys; import practicus_mfa.cli.platform;"
        "print(*sorted({name.partition('.')[0] for name in sys.modules}), file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "sqlalchemy" in done.stderr.split()
    assert not {
        *("alembic", "argon2", "cryptography", "kopf", "kubernetes", "prometheus_client", "psycopg"),
        *("rich", "tomllib"),
    } & set(done.stderr.split())


def test_a_command_that_is_not_installed_says_so(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(COMMANDS, "plan", ("practicus_mfa.cli.no_such_module:plan", "Plan."))
    assert run(["plan"]) == 2
    assert capsys.readouterr().err == (
        "error: the command plan is not part of this installation\nremedy: install all of practicus-mfa\n"
    )


def test_a_library_that_a_command_misses_is_no_missing_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "command_of_a_test.py").write_text("import no_library_of_this_name")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setitem(COMMANDS, "plan", ("command_of_a_test:plan", "Plan."))
    assert run(["plan"]) == 1
    assert "internal error (ModuleNotFoundError)" in capsys.readouterr().err


def test_a_test_runner_sees_what_the_program_does() -> None:
    result = CliRunner().invoke(root, ["stats"])
    assert result.exit_code == 2
    assert result.stderr == "error: there is no command stats\nremedy: did you mean status?\n"


def test_the_configuration_file_is_read(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "mfa.yaml"
    file.write_text("dataDirr: x\n")
    assert run(["--config", str(file), "db", "current"]) == 2
    assert capsys.readouterr().err == (
        f"error: {file}: dataDirr: unknown; did you mean dataDir?\n"
        f"remedy: correct {file} and try again; nothing was changed\n"
    )


def test_a_variable_names_the_configuration_file(tmp_path: Path) -> None:
    done = program("db", "current", PRACTICUS_MFA_CONFIG=f"{tmp_path}/none.yaml")
    assert done.returncode == 2
    assert done.stderr == f"error: there is no file {tmp_path}/none.yaml\nremedy: check its name and folder\n"


def test_a_reader_that_goes_away_is_no_error() -> None:
    # More than a pipe holds, so that the program is still writing when its reader has what it wants. What the
    # interpreter flushes at its end (here: prints) must not complain either.
    script = (
        "import click, sys; from practicus_mfa.cli import main\n"
        "@click.command()\ndef flood():\n    [click.echo('x' * 1000) for _ in range(1000)]\n"
        "main.root.get_command = lambda ctx, name: flood\n"
        "code = main.run(['flood'])\nprint('more', flush=True)\nsys.exit(code)"
    )
    with subprocess.Popen(
        [sys.executable, "-c", script], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.readline()
        process.stdout.close()
        assert process.stderr.read() == ""
        assert process.wait() == 141


def test_an_interrupt_ends_the_program_quietly() -> None:
    script = (
        "import click, sys; from practicus_mfa.cli import main\n"
        "@click.command()\ndef wait():\n    print('ready', flush=True); sys.stdin.read()\n"
        "main.root.get_command = lambda ctx, name: wait\nmain.main()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", script, "wait"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.readline()
        process.send_signal(signal.SIGINT)
        assert process.stderr.read() == "cancelled\n"
        assert process.wait() == 130
