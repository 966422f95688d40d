"""The pages for alerts, as a person on call uses them: a real shell is given their commands as they stand.

A page's first block of commands is what to look at, the blocks after it belong to what to do. In the commands
$NAMESPACE, $POLICY and $RELEASE are variables of the shell; further words in capitals are put in by hand.
"""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT: Final = Path(__file__).parents[2]
PAGES: Final = ROOT / "docs" / "runbooks"

_BLOCK: Final = re.compile(r"^( *)```sh\n(.*?)^\1```$", re.MULTILINE | re.DOTALL)
_LIMIT_SECONDS: Final = 300
"""Ends a command that would wait for ever."""

_FINDINGS: Final = 3
"""How ``practicus-mfa verify`` exits where it found something."""


def alerts() -> list[str]:
    """Return the alerts that have a page."""
    return sorted(page.stem for page in PAGES.glob("Mfa*.md"))


def blocks(alert: str) -> list[list[str]]:
    """Return the commands of an alert's page, block by block."""
    text = (PAGES / f"{alert}.md").read_text("utf-8")
    return [[line.strip() for line in found[2].splitlines()] for found in _BLOCK.finditer(text)]


def statement(alert: str, **words: object) -> str:
    """Return the one statement for the database of an alert's page, its words in capitals replaced."""
    (found,) = re.findall(
        r"^ *```sql\n(.*?)^ *```$", (PAGES / f"{alert}.md").read_text("utf-8"), re.MULTILINE | re.DOTALL
    )
    return re.sub(r"\b[A-Z]+\b", lambda word: str(words.get(word[0], word[0])), found).strip()


class OnCall:
    """A person with a shell, the values.yaml of a release, and the pages.

    Attributes:
        folder: Where the commands are typed; ``values.yaml`` is there.
    """

    def __init__(self, folder: Path, kubeconfig: Path, programs: dict[str, Path], **variables: str) -> None:
        """Sit down.

        Args:
            folder: An empty folder.
            kubeconfig: The cluster.
            programs: What the shell finds by which name.
            variables: Of the shell.
        """
        self.folder = folder
        self._typed: set[tuple[str, str]] = set()
        own = folder / "bin"
        own.mkdir()
        for name, program in programs.items():
            (own / name).symlink_to(program)
        (folder / "charts").symlink_to(ROOT / "charts")
        self._environment = {
            **os.environ,
            "PATH": f"{own}:{os.environ['PATH']}",
            "KUBECONFIG": str(kubeconfig),
            "KUBECTL_KUBERC": "false",
            "HELM_CACHE_HOME": str(folder / "helm"),
            **variables,
        }

    def look(self, alert: str, **words: str) -> str:
        """Type all that a page says to look at; return what was said.

        Args:
            alert: Whose page.
            words: What to put in place of words in capitals.
        """
        first, *_ = blocks(alert)
        return "\n".join(self._type(alert, command, words) for command in first)

    def do(self, alert: str, begins: str, **words: str) -> str:
        """Type the one command of what to do that begins so; return what was said."""
        found = [line for block in blocks(alert)[1:] for line in block if line.startswith(begins)]
        assert len(found) == 1, (alert, begins, found)
        return self._type(alert, found[0], words)

    def never_typed(self) -> list[tuple[str, str]]:
        """Return the commands of all pages that nobody has typed, each with its page."""
        return [each for each in _everything() if each not in self._typed]

    def _type(self, alert: str, command: str, words: dict[str, str]) -> str:
        line = re.sub(r"(?<![$\w])[A-Z]{3,}\b", lambda found: words.get(found[0], found[0]), command)
        done = subprocess.run(
            ["bash", "-c", line],
            cwd=self.folder,
            env=self._environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
            timeout=_LIMIT_SECONDS,
        )
        good = {0, _FINDINGS} if "practicus-mfa verify" in command else {0}
        assert done.returncode in good, f"{alert}: {line}\n{done.stdout}"
        self._typed.add((alert, command))
        return done.stdout


def _everything() -> Iterator[tuple[str, str]]:
    for alert in alerts():
        for block in blocks(alert):
            yield from ((alert, command) for command in block)
