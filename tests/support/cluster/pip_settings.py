"""This machine's way to packages, handed to the build of an image: pip's own settings.

They may hold a mirror's password, so they go as a secret that no layer keeps. A file that they name (an
authority's certificate, a folder of packages) is shown to the build at the same place.
"""

from __future__ import annotations

import ast
import configparser
import sys
from pathlib import Path

from tests.support.cluster.commands import run


def for_build(folder: Path) -> tuple[Path, list[Path]]:
    """Write pip's settings of this machine as one file.

    Args:
        folder: Where to write it.

    Returns:
        The file, and the files and folders that it names.
    """
    listed = run(sys.executable, "-m", "pip", "config", "list")
    settings: dict[str, str] = {}
    named: list[Path] = []
    # "global.index-url='…'"; the environment's are ":env:.index-url='…'" and stand before it, but win.
    for line in sorted(listed.splitlines(), key=lambda line: line.startswith(":env:")):
        place, _, value = line.partition("=")
        section, _, name = place.rpartition(".")
        if section in (":env:", "global"):
            settings[name] = ast.literal_eval(value)
    for name, value in list(settings.items()):
        if value.startswith("/"):
            if Path(value).exists():
                named.append(Path(value))
            else:
                del settings[name]
    config = configparser.RawConfigParser()
    config["global"] = settings
    file = folder / "pip.conf"
    file.touch(mode=0o600)
    with file.open("w") as written:
        config.write(written)
    return file, named
