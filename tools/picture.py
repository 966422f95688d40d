"""Records docs/img/demo.svg: the embedded platform at work on real rows, as a terminal shows it.

Run by ``make picture``. Everything in the picture happened: a rotation of 40,000 made-up users is run, and
what the live screen drew in the middle of it and at its end is kept.
"""

from __future__ import annotations

import re
import sys
import tempfile
from pathlib import Path

from rich.console import Console

from practicus_mfa.bootstrap import run_embedded
from practicus_mfa.cli import demo, demo_people
from practicus_mfa.cli.watch import Screen, Silence, progress_of
from practicus_mfa.crypto.keys import generate_key
from practicus_mfa.datafolder import DataFolder
from practicus_mfa.reconciler.loop import Pass

WIDTH = 118
USERS = 40_000


class Recorder(Screen):
    """A screen that keeps one picture of the middle, and the last one."""

    def __init__(self, console: Console) -> None:
        self._last: object = None
        self._middle_kept = False
        super().__init__(console, self._keep)

    def _keep(self, renderable: object) -> None:
        self._last = renderable

    def show(self, result: Pass) -> None:
        """Show a pass, and keep the picture of the middle."""
        super().show(result)
        done, total = progress_of(result)
        if not self._middle_kept and total * 0.3 < done < total:
            self._middle_kept = True
            self.keep_last()

    def keep_last(self) -> None:
        """Print what stands on the screen now."""
        self._console.print(self._last)


def main() -> None:
    """Record the picture into the file that is named."""
    demo_people.USERS = demo_people.ENROLLED = USERS  # type: ignore[misc]
    console = Console(record=True, width=WIDTH, force_terminal=True, file=sys.stderr)
    with tempfile.TemporaryDirectory() as root:
        folder, values = DataFolder(Path(root) / "data"), Path(root) / "values.yaml"
        old, new = generate_key(), generate_key()
        demo.write_values(values, active=old, rolling=None)
        run_embedded(folder, values, once=True, display=Silence(), stopping=lambda: False)
        demo_people.add_users(folder)
        demo.write_values(values, active=new, rolling=old)
        console.print("$ practicus-mfa up --values values.yaml --data-dir data", style="bold")
        recorder = Recorder(console)
        run_embedded(folder, values, once=True, display=recorder, stopping=lambda: False)
        recorder.keep_last()
    picture = console.export_svg(title="practicus-mfa up")
    # Without the fonts that rich would have fetched from elsewhere.
    picture = re.sub(r"@font-face \{.*?\}", "", picture, flags=re.DOTALL)
    Path(sys.argv[1]).write_text(picture, encoding="utf-8")


if __name__ == "__main__":
    main()
