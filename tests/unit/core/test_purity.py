"""The core decides and does nothing else: no I/O, no clock, no chance, no library."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest

import practicus_mfa.core

if TYPE_CHECKING:
    from collections.abc import Iterator

CORE: Final = Path(practicus_mfa.core.__file__).parent

ALLOWED: Final = {
    *("__future__", "abc", "collections", "contextlib", "dataclasses", "enum", "types", "typing"),
    *("base64", "binascii", "bisect", "difflib", "functools", "hashlib", "heapq", "hmac", "itertools"),
    *("json", "math", "operator", "re", "string", "unicodedata", "uuid"),
    *("datetime", "ipaddress", "urllib.parse"),
    *("practicus_mfa.core", "practicus_mfa.errors", "practicus_mfa.faults", "practicus_mfa.clock"),
}
"""Modules that compute from their arguments alone. To be longer, this list needs a reason, not a habit."""

IMPURE_NAMES: Final = {"open", "print", "input", "exec", "eval", "__import__", "breakpoint"}

IMPURE_CALLS: Final = {
    *("now", "utcnow", "today", "utc_now"),  # the time of day is an argument
    *("uuid1", "uuid4"),  # so is chance
}


def impurities(source: str) -> Iterator[str]:
    """Yield what in a module reaches beyond its arguments, one line each."""
    for node in ast.walk(ast.parse(source)):
        match node:
            case ast.Import(names=names):
                yield from (f"imports {alias.name}" for alias in names if not _allowed(alias.name))
            case ast.ImportFrom(level=level) if level > 0:
                yield "imports relatively"
            case ast.ImportFrom(module=str(module), names=names):
                yield from (
                    f"imports {module}.{alias.name}"
                    for alias in names
                    if not (_allowed(module) or _allowed(f"{module}.{alias.name}"))
                )
            case ast.Call(func=ast.Name(id=name)) if name in IMPURE_NAMES | IMPURE_CALLS:
                yield f"calls {name}"
            case ast.Call(func=ast.Attribute(attr=name)) if name in IMPURE_CALLS:
                yield f"calls {name}"
            case _:
                pass


def _allowed(module: str) -> bool:
    return any(module == allowed or module.startswith(f"{allowed}.") for allowed in ALLOWED)


@pytest.mark.parametrize("path", sorted(CORE.rglob("*.py")), ids=lambda path: str(path.relative_to(CORE)))
def test_a_module_of_the_core_is_pure(path: Path) -> None:
    assert list(impurities(path.read_text("utf-8"))) == []


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("import os", "imports os"),
        ("import os.path as p", "imports os.path"),
        ("from pathlib import Path", "imports pathlib.Path"),
        ("def f():\n    from urllib import request", "imports urllib.request"),
        ("from sqlalchemy.orm import Session", "imports sqlalchemy.orm.Session"),
        ("from practicus_mfa import files", "imports practicus_mfa.files"),
        ("from practicus_mfa.crypto.keys import FernetKey", "imports practicus_mfa.crypto.keys.FernetKey"),
        ("from .keyring import Keyring", "imports relatively"),
        ("import datetime\nx = datetime.datetime.now(datetime.UTC)", "calls now"),
        ("from practicus_mfa.clock import utc_now\nx = utc_now()", "calls utc_now"),
        ("print(1)", "calls print"),
    ],
)
def test_what_is_not_pure_is_found(source: str, found: str) -> None:
    assert list(impurities(source)) == [found]


@pytest.mark.parametrize(
    "source",
    [
        "from collections.abc import Mapping",
        "from urllib.parse import urlsplit",
        "from urllib import parse",
        "from practicus_mfa.core import keyring",
        "from practicus_mfa import errors",
    ],
)
def test_what_is_pure_passes(source: str) -> None:
    assert list(impurities(source)) == []
