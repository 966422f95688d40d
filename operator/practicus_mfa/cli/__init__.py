"""The command line, ``practicus-mfa``."""

from __future__ import annotations

from typing import Final

PROGRAM: Final = "practicus-mfa"

PLUGIN: Final = "kubectl mfa"
"""The same program as kubectl runs it: an executable ``kubectl-mfa``."""
