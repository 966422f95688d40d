"""How long a command takes from nothing: ``--help``, and ``status`` on a data folder of 2,000 users.

    python -m tests.bench.bench_start

Beside them, in turns, a Python that imports SQLAlchemy and does nothing: what ``status`` can't do without.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from statistics import median
from time import perf_counter
from typing import Final

TURNS: Final = 9
PROGRAM: Final = [sys.executable, "-m", "practicus_mfa"]


def main() -> None:
    with tempfile.TemporaryDirectory() as root:
        # Compiled once, as after an installation, whatever the machine's habit is.
        environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
        environment["PYTHONPYCACHEPREFIX"] = f"{root}/compiled"
        data = f"{root}/data"

        def seconds(command: list[str]) -> float:
            begin = perf_counter()
            subprocess.run(command, env=environment, stdout=subprocess.DEVNULL, check=True)
            return perf_counter() - begin

        seconds([*PROGRAM, "demo", "run", "--data-dir", data])
        commands = {
            "--help": [*PROGRAM, "--help"],
            "status": [*PROGRAM, "status", "--data-dir", data],
            "import sqlalchemy": [sys.executable, "-c", "import sqlalchemy"],
        }
        times: dict[str, list[float]] = {name: [] for name in commands}
        for command in commands.values():
            seconds(command)
        for _ in range(TURNS):
            for name, command in commands.items():
                times[name].append(seconds(command))
    for name, goal in (("--help", 0.3), ("status", 0.6)):
        print(f"{name:<20}{median(times[name]):6.2f} s, goal {goal}")
    print(f"{'import sqlalchemy':<20}{median(times['import sqlalchemy']):6.2f} s, for comparison")


if __name__ == "__main__":
    main()
