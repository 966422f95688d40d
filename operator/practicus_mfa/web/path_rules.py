"""What ``login.access`` says of a path, remembered for short ones: they are asked for again and again."""

from __future__ import annotations

from functools import lru_cache, partial
from typing import Final

from practicus_mfa.core.login.access import AccessRule, allowed, clean_path

_MOST_PATHS: Final = 4_096

_SHORT: Final = 200
"""Characters of a path: longer ones could fill the memory."""


class PathRules:
    """The rules of one configuration."""

    def __init__(self, rules: tuple[AccessRule, ...]) -> None:
        """Judge by these rules."""
        self._rules = rules
        self._clean = lru_cache(_MOST_PATHS)(clean_path)
        self._allowed = lru_cache(_MOST_PATHS)(partial(allowed, rules))

    def clean(self, raw: str) -> str | None:
        """Return :func:`~practicus_mfa.core.login.access.clean_path` of a path without its query."""
        return self._clean(raw) if len(raw) <= _SHORT else clean_path(raw)

    def allowed(self, groups: tuple[str, ...], host: str, path: str) -> bool:
        """Tell whether who is in these groups may enter; by the first rule that fits."""
        if len(path) <= _SHORT:
            return self._allowed(groups, host, path)
        return allowed(self._rules, groups, host, path)
