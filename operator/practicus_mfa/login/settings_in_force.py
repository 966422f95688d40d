"""The rules in force as the settings page shows them: each value, and where it comes from.

The operator tells the database which values are the page's own, and what values.yaml says. Who set one is
known from the requests that were applied.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from practicus_mfa.core.login.rules import rules_in_force
from practicus_mfa.core.policy import SettingsPage
from practicus_mfa.core.settings_page import PATHS, Flat, Value, flat, known, nested
from practicus_mfa.errors import MfaError
from practicus_mfa.login.context import LoginContext
from practicus_mfa.storage import policy_requests
from practicus_mfa.storage.policy_row import read_policy
from practicus_mfa.storage.transaction import Transaction

LOOKED_BACK: Final = 200
"""Requests among which is looked for who set a value."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """One value.

    Attributes:
        path: ``mfa.mandatory``.
        value: The value in force.
        values: What values.yaml says; ``None`` where the operator has not told yet.
        overridden: The value is the settings page's.
        by: Who set it there; '' where that is not known.
        at: When.
    """

    path: str
    value: Value
    values: Value | None
    overridden: bool
    by: str = ""
    at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """The rules in force.

    Attributes:
        mode: What this page may do.
        by_path: Every value.
    """

    mode: SettingsPage
    by_path: Mapping[str, Setting]

    @property
    def in_force(self) -> dict[str, Value]:
        """The values alone."""
        return {path: setting.value for path, setting in self.by_path.items()}

    def after(self, changes: Flat) -> dict[str, Value]:
        """The values with *changes*."""
        return {
            path: setting.value
            if path not in changes
            else next(value for value in (changes[path], setting.values, setting.value) if value is not None)
            for path, setting in self.by_path.items()
        }

    @property
    def spec(self) -> dict[str, Any]:
        """The parts of the MfaPolicy that changes are judged by, as far as they are known here."""
        said = {
            path: setting.value if setting.values is None else setting.values
            for path, setting in self.by_path.items()
        }
        over = {path: setting.value for path, setting in self.by_path.items() if setting.overridden}
        return {**nested(said), "overrides": nested(over)}


def settings(ctx: LoginContext) -> Settings:
    """Return the rules in force and where they come from."""
    with ctx.db.read() as connection:
        return settings_in(connection, ctx)


def settings_in(connection: Transaction, ctx: LoginContext) -> Settings:
    """Return the same as of a transaction."""
    row = read_policy(connection)
    published: Mapping[str, Any] = row.effective if row else {}
    try:
        rules = rules_in_force(published) if row else ctx.rules()
    except MfaError:
        rules = ctx.rules()
    # An operator of the release before says neither.
    values = known(published.get("values"))
    overridden = published.get("overridden")
    over = set(overridden) & set(PATHS) if isinstance(overridden, list) else set()
    authors = _authors(connection) if over else {}
    found = {}
    for path, value in flat(rules.mfa, rules.remember_me).items():
        by, at, wanted = authors.get(path, ("", None, None))
        is_known = path in over and wanted == value
        found[path] = Setting(
            path=path,
            value=value,
            values=values.get(path),
            overridden=path in over,
            by=by if is_known else "",
            at=at if is_known else None,
        )
    return Settings(mode=ctx.config.settings_page, by_path=found)


def _authors(connection: Transaction) -> dict[str, tuple[str, datetime | None, Value | None]]:
    """Return who changed each value last, when, and to what: by hand it may have been changed since."""
    found: dict[str, tuple[str, datetime | None, Value | None]] = {}
    for request in policy_requests.newest_applied(connection, LOOKED_BACK):
        for path, value in known(request.changes).items():
            found.setdefault(path, (request.author, request.handled_at, value))
    return found
