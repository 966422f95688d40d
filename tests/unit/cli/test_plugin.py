"""The plugin of kubectl: how it calls itself, and what it proposes when Tab is pressed."""

from __future__ import annotations

import tomllib
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest

from practicus_mfa import __version__
from practicus_mfa.cli import PLUGIN
from practicus_mfa.cli.main import main as program
from practicus_mfa.cli.main import run
from practicus_mfa.cli.plugin import complete, main, proposals


def test_the_help_says_how_it_was_called(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["status", "--help"], program=PLUGIN) == 0
    assert capsys.readouterr().out.startswith("Usage: kubectl mfa status ")
    assert run(["--version"], program=PLUGIN) == 0
    assert capsys.readouterr().out == f"kubectl mfa {__version__}\n"
    assert run(["status", "--frobnicate"], program=PLUGIN) == 2
    assert capsys.readouterr().err.endswith("remedy: see kubectl mfa status --help\n")
    assert run(["frobnicate"], program=PLUGIN) == 2
    assert capsys.readouterr().err.endswith("remedy: kubectl mfa --help lists the commands\n")


def test_the_package_installs_what_kubectl_looks_for() -> None:
    project = tomllib.loads((Path(__file__).parents[3] / "pyproject.toml").read_text("utf-8"))["project"]
    assert {
        name: EntryPoint(name, target, "console_scripts").load()
        for name, target in project["scripts"].items()
    } == {"practicus-mfa": program, "kubectl-mfa": main, "kubectl_complete-mfa": complete}


@pytest.mark.parametrize(
    ("arguments", "lines"),
    [
        (["sta"], ["status\tShow keys, rows and conditions.", ":4"]),
        (["keys", "ge"], ["generate\tPrint a new key, and nothing else.", ":4"]),
        (["-n", "team", "ver"], ["verify\tOpen every row with the active key alone.", ":4"]),
        (["status", "-n", "team", "-o", "j"], ["json", ":4"]),
        (["status", "--kubeconfig", ""], [":0"]),
        (["status", "nothing"], [":4"]),
    ],
)
def test_what_may_come_next_is_proposed_as_kubectl_wants_it(arguments: list[str], lines: list[str]) -> None:
    assert proposals(arguments) == "".join(f"{line}\n" for line in lines)


def test_a_setting_that_can_t_be_read_does_not_disturb_typing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PRACTICUS_MFA_OUTPUT", "xml")
    assert proposals(["keys", "list", "--keyr"]) == ":4\n"
