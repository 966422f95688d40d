"""One call of the program: what its first options said, and its settings, read when first asked for."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import click

from practicus_mfa.cli.cluster import ClusterFlags

if TYPE_CHECKING:
    # Imported when asked for: --help needs no settings.
    from practicus_mfa.settings import Settings


# Not frozen, without slots: options are noted one by one, and the settings are kept once they were read.
@dataclass
class Invocation:
    """What all commands share.

    Attributes:
        debug: Errors come with their traceback.
        config: The file of settings that a flag named.
        cluster: What flags before the command say of the cluster.
        as_plugin: The program was called as a plugin of kubectl.
        place: The flags that say where the command works, as it was given them.
    """

    debug: bool = False
    config: Path | None = None
    cluster: ClusterFlags = field(default_factory=ClusterFlags)
    as_plugin: bool = False
    place: tuple[str, ...] = ()

    @cached_property
    def settings(self) -> Settings:
        """The settings of the environment and the file.

        Raises:
            InvalidConfiguration: With every fault.
            UsageError: The file can't be read.
        """
        from practicus_mfa.settings import CONFIG_VARIABLE, read_settings

        named = os.environ.get(CONFIG_VARIABLE)
        config = self.config or (Path(named).expanduser() if named else None)
        if config is None:
            return read_settings(os.environ)
        from practicus_mfa.documents import read_document

        return read_settings(os.environ, read_document(config), source=str(config))


def invocation() -> Invocation:
    """Return this call's; a new one where a command runs without the program around it."""
    found = click.get_current_context().find_object(Invocation)
    return Invocation() if found is None else found
