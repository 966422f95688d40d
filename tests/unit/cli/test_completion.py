"""Completion: scripts that shells take, and what is proposed."""

from __future__ import annotations

import shutil
import subprocess

import pytest

from practicus_mfa.cli.main import run


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_script_asks_this_program(shell: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["completion", shell]) == 0
    assert f"_PRACTICUS_MFA_COMPLETE={shell}_complete" in capsys.readouterr().out


@pytest.mark.skipif(shutil.which("bash") is None, reason="there is no bash here")
def test_bash_takes_its_script(capsys: pytest.CaptureFixture[str]) -> None:
    run(["completion", "bash"])
    script = capsys.readouterr().out + "\ncomplete -p practicus-mfa"
    done = subprocess.run(["bash", "--norc", "-c", script], capture_output=True, text=True, check=True)
    assert "practicus-mfa" in done.stdout


@pytest.mark.parametrize(
    ("words", "found"),
    [
        ("practicus-mfa sta", {"status"}),
        ("practicus-mfa d", {"db", "demo"}),
        ("practicus-mfa --deb", {"--debug"}),
        ("practicus-mfa db cu", {"current"}),
        ("practicus-mfa keys list --outp", {"--output"}),
        ("practicus-mfa keys list -o j", {"json"}),
        ("practicus-mfa completion z", {"zsh"}),
        ("practicus-mfa nothing x", set()),
    ],
)
def test_what_may_come_next_is_proposed(
    words: str, found: set[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("_PRACTICUS_MFA_COMPLETE", "bash_complete")
    monkeypatch.setenv("COMP_WORDS", words)
    monkeypatch.setenv("COMP_CWORD", str(len(words.split()) - 1))
    assert run([]) == 0
    assert {line.partition(",")[2] for line in capsys.readouterr().out.split()} == found


def test_a_setting_that_can_t_be_read_does_not_disturb_typing(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PRACTICUS_MFA_OUTPUT", "xml")
    monkeypatch.setenv("_PRACTICUS_MFA_COMPLETE", "bash_complete")
    monkeypatch.setenv("COMP_WORDS", "practicus-mfa keys list --keyr")
    monkeypatch.setenv("COMP_CWORD", "3")
    run([])
    assert capsys.readouterr().err == ""
