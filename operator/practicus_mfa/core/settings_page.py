"""The settings page's values: which there are, which way is the stricter one, and how a change is told.

A change names values by section, as values.yaml does; ``None`` stands for "as in values.yaml again"::

    {"mfa": {"mandatory": true}, "rememberMe": {"days": null}}

Whoever asks for one (a form of the login service) and whoever decides (the operator) go by the same words.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from practicus_mfa.core.policy import MfaRules, RememberMeRules
from practicus_mfa.core.spelling import mfa_spelled, remember_me_spelled

SECTIONS: Final = ("mfa", "rememberMe")

Value = bool | int
"""What a value can be."""

Flat = Mapping[str, Value | None]
"""Values by their paths (``mfa.mandatory``)."""

_SAYABLE: Final = 10**9
"""Numbers from here on are none of ours, and nothing to repeat."""

_MORE_IS_STRICTER: Final = frozenset(
    {"mfa.enabled", "mfa.mandatory", "mfa.mandatoryForSysAdmins", "rememberMe.disabledForSysAdmins"}
)
"""Where true asks for more than false. Of all others less is stricter: fewer days, no "remember me"."""


def flat(mfa: MfaRules, remember_me: RememberMeRules) -> dict[str, Value]:
    """Return all values by their paths, in the order of values.yaml."""
    sections = zip(SECTIONS, (mfa_spelled(mfa), remember_me_spelled(remember_me)), strict=True)
    return {
        f"{section}.{name}": value
        for section, rules in sections
        for name, value in rules.items()
        if isinstance(value, bool | int)
    }


PATHS: Final = tuple(flat(MfaRules(), RememberMeRules()))
"""Every value that the page may change."""


def nested(values: Flat) -> dict[str, dict[str, Value | None]]:
    """Return *values* by section."""
    found: dict[str, dict[str, Value | None]] = {}
    for path, value in values.items():
        section, _, name = path.partition(".")
        found.setdefault(section, {})[name] = value
    return found


def known(changes: object) -> dict[str, Value | None]:
    """Return, by path, what of *changes* is about the page's values and can be one, whoever wrote them."""
    found: dict[str, Value | None] = {}
    for path in PATHS:
        section, _, name = path.partition(".")
        values = changes.get(section) if isinstance(changes, Mapping) else None
        if isinstance(values, Mapping) and name in values:
            value = values[name]
            if value is None or (isinstance(value, bool | int) and abs(value) < _SAYABLE):
                found[path] = value
    return found


def is_stricter(path: str, value: Value, than: Value) -> bool:
    """Tell whether *value* lets people do less than the other value of the same *path*."""
    return value > than if path in _MORE_IS_STRICTER else value < than


def spelled(value: Value) -> str:
    """Return *value* as YAML has it."""
    return str(value).lower() if isinstance(value, bool) else str(value)


def told(before: Mapping[str, Value], after: Mapping[str, Value], changes: Flat) -> str:
    """Return *changes* in words: ``mfa.mandatory is true (was false)``.

    Args:
        before: The values that were in force, as far as they are known.
        after: The values that are.
        changes: What was asked for.
    """
    return ", ".join(
        f"{path} is {spelled(after[path])}{' as in values.yaml' if value is None else ''}"
        + (f" (was {spelled(before[path])})" if path in before else "")
        for path, value in changes.items()
    )
