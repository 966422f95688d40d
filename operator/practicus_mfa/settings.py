"""What a process is told from outside: flags over ``PRACTICUS_MFA_*`` variables over a file.

Flags belong to the command line, which sets them over what is read here. Variables that nobody knows are let
be: a cluster gives every container such variables for each Service (``PRACTICUS_MFA_LOGIN_SERVICE_HOST``).
A name in a file that nobody knows is a fault.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Literal

from practicus_mfa.faults import Fault, InvalidConfiguration, unknown

PREFIX: Final = "PRACTICUS_MFA_"
CONFIG_VARIABLE: Final = f"{PREFIX}CONFIG"
"""Names the file where no flag does."""

Form = Literal["table", "json", "yaml"]
FORMS: Final[tuple[Form, ...]] = ("table", "json", "yaml")


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What the environment and a file say; ``None`` where neither does.

    Each is called by its name in capitals after ``PRACTICUS_MFA_`` in the environment, and in camel case in a
    file.

    Attributes:
        data_dir: The embedded platform's data folder.
        database_url: The database's URL; in the environment only.
        database_url_file: The file that holds the URL, ``-`` for standard input.
        keyring: The keyring's file.
        output: How results are printed.
    """

    data_dir: Path | None = None
    database_url: str | None = field(default=None, repr=False)
    database_url_file: Path | None = None
    keyring: Path | None = None
    output: Form | None = None


def _text(value: object) -> str:
    if not isinstance(value, str) or not value:
        raise TypeError
    return value


def _path(value: object) -> Path:
    return Path(_text(value)).expanduser()


def _form(value: object) -> Form:
    return FORMS[FORMS.index(value)]


_READ: Final[Mapping[str, tuple[Callable[[object], object], str]]] = {
    "data_dir": (_path, "a folder's name"),
    "database_url": (_text, "text"),
    "database_url_file": (_path, "a file's name"),
    "keyring": (_path, "a file's name"),
    "output": (_form, "one of table, json, yaml"),
}
"""How each setting is read from what was given, and what that should have been."""

_PLACES: Final = frozenset({"data_dir", "database_url", "database_url_file"})
"""Settings of which one says where to work."""

# A configuration file is copied and shown around: it holds no password.
_NOT_IN_A_FILE: Final = frozenset({"database_url"})


def _variable(name: str) -> str:
    return f"{PREFIX}{name.upper()}"


def _camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(part.title() for part in rest)


def read_settings(
    environ: Mapping[str, str], tree: object = None, *, source: str = "the configuration file"
) -> Settings:
    """Return the settings of the environment and of a file's tree.

    Args:
        environ: The environment; an empty variable counts as not set.
        tree: What the file holds, ``None`` where there is none.
        source: What messages call the file.

    Raises:
        InvalidConfiguration: With every fault, those of the environment included.
    """
    if not isinstance(tree, Mapping | None):
        fault = Fault(path="the whole", problem="not a section", remedy="write names with values, one a line")
        raise InvalidConfiguration([fault], source=source)
    names = {_camel(name): name for name in _READ if name not in _NOT_IN_A_FILE}
    faults = [unknown("", name, list(names)) for name in tree or {} if name not in names]
    values: dict[str, Any] = {}
    for name, value in (tree or {}).items():
        if name in names and value is not None:
            _read(names[name], name, value, values, faults)
    in_file = len(faults)
    given = {name: value for name in _READ if (value := environ.get(_variable(name)))}
    if _PLACES & given.keys():
        # A variable wins over all the places of the file, not only over the setting of its name.
        values = {name: value for name, value in values.items() if name not in _PLACES}
    for name, value in given.items():
        _read(name, _variable(name), value, values, faults)
    if faults:
        raise InvalidConfiguration(faults, source=source if in_file else "the environment")
    return Settings(**values)


def _read(name: str, shown: str, value: object, values: dict[str, Any], faults: list[Fault]) -> None:
    read, expected = _READ[name]
    try:
        values[name] = read(value)
    except (TypeError, ValueError):
        faults.append(Fault(path=shown, problem="can't be used", remedy=f"write {expected}"))
