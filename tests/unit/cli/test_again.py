"""A command to type next: it works where the one before it did, and shows no secret."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click
from click.testing import CliRunner

from practicus_mfa.cli import PLUGIN, PROGRAM
from practicus_mfa.cli.again import again
from practicus_mfa.cli.cluster import ClusterFlags
from practicus_mfa.cli.context import target_options
from practicus_mfa.cli.invocation import Invocation
from practicus_mfa.cli.target import Target

if TYPE_CHECKING:
    import pytest


@click.command()
@target_options
def command(_target: Target) -> None:
    click.echo(again("users", "enable", "ada"))


def printed(*arguments: str, program: str = PROGRAM, call: Invocation | None = None) -> str:
    runner = CliRunner()
    done = runner.invoke(command, list(arguments), prog_name=program, obj=call or Invocation())
    assert done.exit_code == 0, done.output
    return done.output.rstrip("\n")


def test_what_flags_named_is_named_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("my data").mkdir()
    file = ("--database-url-file", "url", "--keyring", "keyring.yaml")
    url = ("--database-url", "postgresql://mfa@db/mfa")
    assert printed("--data-dir", "my data") == "practicus-mfa users enable ada --data-dir 'my data'"
    assert printed(*file) == f"practicus-mfa users enable ada {' '.join(file)}"
    assert printed(*url) == f"practicus-mfa users enable ada {' '.join(url)}"
    assert printed("-n", "login", "--policy", "mfa") == (
        "practicus-mfa users enable ada --namespace login --policy mfa"
    )


def test_what_stood_before_the_command_is_named_too(tmp_path: Path) -> None:
    call = Invocation(as_plugin=True, config=Path("mfa.yaml"), cluster=ClusterFlags(context="there"))
    assert printed(program=PLUGIN, call=call) == (
        "kubectl mfa --config mfa.yaml users enable ada --context there"
    )


def test_what_the_environment_says_is_left_to_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PRACTICUS_MFA_DATABASE_URL", "postgresql://mfa:hunter2@db/mfa")
    assert printed() == "practicus-mfa users enable ada"
