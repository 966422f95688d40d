"""Each action that the program writes down has a name on the audit's page."""

from __future__ import annotations

import ast
import re
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, cast

import practicus_mfa
from practicus_mfa.web.views.admin.audit_words import action_texts

if TYPE_CHECKING:
    from collections.abc import Iterator

    from practicus_mfa.web.visit import Visit

PACKAGE = Path(practicus_mfa.__file__).parent
NOUNS = (
    *("logout", "user", "mfa", "group", "key", "keys", "backup", "audit", "policy", "session", "devices"),
    *("recovery-code", "recovery-codes", "rows", "rotation", "settings"),
)
ACTION = re.compile(rf"({'|'.join(NOUNS)})\.[a-z-]+")


def written_down() -> Iterator[str]:
    for part in ("login", "storage", "rotation", "reconciler", "cli"):
        for path in sorted((PACKAGE / part).rglob("*.py")):
            for node in ast.walk(ast.parse(path.read_text("utf-8"))):
                match node:
                    case ast.Constant(value=str(text)) if ACTION.fullmatch(text):
                        yield text


def test_each_action_has_a_name() -> None:
    visit = cast("Visit", SimpleNamespace(say=lambda text: text))
    found = set(written_down())
    assert {"mfa.remove", "audit.prune", "policy.change", "user.create"} <= found
    assert found - action_texts(visit).keys() == set()
