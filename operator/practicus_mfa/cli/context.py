"""Where a command works: on a data folder, on a database that is named, or on a policy of a cluster.

What was named most explicitly wins: a flag, then a variable, then the configuration file, then the folder
``practicus-mfa-data`` if it is there, then the cluster of the kubeconfig or of the pod. Called as a plugin of
kubectl, it is the cluster unless a flag says otherwise. Nothing is opened before a command asks for it.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from dataclasses import dataclass, field, fields
from functools import wraps
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any, Concatenate, Final, ParamSpec, TypeVar

import click

from practicus_mfa.cli.cluster import WHICH_CLUSTER, WHICH_POLICY, ClusterFlags, target_in_cluster
from practicus_mfa.cli.invocation import invocation
from practicus_mfa.cli.target import Target
from practicus_mfa.datafolder import DEFAULT, DataFolder
from practicus_mfa.errors import UsageError

if TYPE_CHECKING:
    # Imported when asked for: --help needs no settings.
    from practicus_mfa.settings import Settings

P = ParamSpec("P")
R = TypeVar("R")

STANDARD_INPUT: Final = Path("-")

# Also of a URL that is malformed otherwise: whatever stands between a colon and the last @ may be one.
_PASSWORD: Final = re.compile(r"://[^@]*:.*@|[?&](ssl)?password=", re.IGNORECASE | re.DOTALL)


@dataclass(frozen=True, slots=True, kw_only=True)
class Named:
    """What the flags named.

    Attributes:
        data_dir: A data folder.
        database_url: A database.
        database_url_file: The file that names a database.
        keyring: A keyring's file.
        cluster: What they say of a cluster.
        as_plugin: The program was called as a plugin of kubectl.
    """

    data_dir: Path | None = None
    database_url: str | None = field(default=None, repr=False)
    database_url_file: Path | None = None
    keyring: Path | None = None
    cluster: ClusterFlags = field(default_factory=ClusterFlags)
    as_plugin: bool = False

    @property
    def given(self) -> dict[str, str]:
        """The flags that were given, and their values as one types them."""
        values = {
            "--data-dir": self.data_dir,
            "--database-url": self.database_url,
            "--database-url-file": self.database_url_file,
            "--keyring": self.keyring,
        }
        named = {flag: str(value) for flag, value in values.items() if value is not None}
        return named | self.cluster.given

    @property
    def places(self) -> list[str]:
        """The flags that name a place to work on; of those of a cluster, which is one place, the first."""
        own = [flag for flag in self.given if flag != "--keyring" and flag not in self.cluster.given]
        return [*own, *list(self.cluster.given)[:1]]


def find_target(named: Named, settings: Callable[[], Settings]) -> Target:
    """Return where to work.

    Args:
        named: What the flags named.
        settings: Gives what the environment and the configuration file say; asked only where it matters.

    Raises:
        UsageError: Nothing was named and nothing is there, or two places were named; or a password stands in
            the arguments.
    """
    if named.database_url is not None and _PASSWORD.search(named.database_url):
        raise UsageError(
            "a database URL with a password is in the arguments, where all users of this machine can read it",
            remedy=(
                "change the password; put the URL into a file and name that with --database-url-file "
                "(- for standard input), or into PRACTICUS_MFA_DATABASE_URL"
            ),
        )
    if len(named.places) > 1:
        raise UsageError(f"{' and '.join(named.places)} name two places", remedy="keep one of them")
    if named.data_dir is not None:
        # A keyring that the environment names belongs to what the environment names.
        return _of_folder(named.data_dir, named.keyring)
    if named.cluster.given or (named.as_plugin and not named.places):
        return target_in_cluster(named.cluster, named.keyring)
    said = settings()
    keyring = named.keyring or said.keyring
    if named.database_url is not None:
        return _of_url(named.database_url, "--database-url", keyring)
    if named.database_url_file is not None:
        return _of_url_file(named.database_url_file, keyring)
    places = [
        name
        for name, value in (
            ("PRACTICUS_MFA_DATABASE_URL", said.database_url),
            ("a database URL file", said.database_url_file),
            ("a data folder", said.data_dir),
        )
        if value is not None
    ]
    if len(places) > 1:
        raise UsageError(
            f"the settings name two places: {' and '.join(places)}", remedy="keep one, or name one by a flag"
        )
    return _of_settings(said, keyring) or _of_what_is_there(named, keyring)


def _of_settings(said: Settings, keyring: Path | None) -> Target | None:
    if said.database_url is not None:
        return _of_url(said.database_url, "PRACTICUS_MFA_DATABASE_URL", keyring)
    if said.database_url_file is not None:
        return _of_url_file(said.database_url_file, keyring)
    if said.data_dir is not None:
        return _of_folder(said.data_dir, keyring)
    return None


def _of_what_is_there(named: Named, keyring: Path | None) -> Target:
    if Path(DEFAULT).is_dir():
        return _of_folder(Path(DEFAULT), keyring)
    from practicus_mfa.kube.connect import is_configured

    if is_configured():
        # A keyring that the environment names is no cluster's.
        return target_in_cluster(named.cluster, named.keyring)
    raise UsageError(
        "nothing says where to work: no data folder, no database, no cluster",
        remedy=(
            "name a data folder with --data-dir DIR (practicus-mfa up makes one), a database with "
            "--database-url-file FILE, or a cluster with --kubeconfig FILE or KUBECONFIG"
        ),
    )


def _of_folder(root: Path, keyring: Path | None) -> Target:
    folder = DataFolder(root)
    if not root.is_dir():
        raise UsageError(
            f"there is no data folder {root}",
            remedy=f"correct its name, or make it: practicus-mfa up --values FILE --data-dir {root}",
        )
    return Target(
        folder=folder,
        keyring_file=keyring or folder.keyring,
        source=str(folder.database_secret),
        _read_url=lambda: _url_of_folder(folder),
    )


def _url_of_folder(folder: DataFolder) -> str:
    from practicus_mfa.reconciler.embedded.database_url import database_url

    return database_url(folder)


def _of_url(url: str, source: str, keyring: Path | None) -> Target:
    return Target(keyring_file=keyring, source=source, _read_url=lambda: url)


def _of_url_file(path: Path, keyring: Path | None) -> Target:
    if path == STANDARD_INPUT:
        return Target(keyring_file=keyring, source="standard input", _read_url=sys.stdin.read)
    from practicus_mfa.files import read_text

    return Target(keyring_file=keyring, source=str(path), _read_url=lambda: read_text(path))


_PLACES: Final = ("data_dir", "database_url", "database_url_file", "keyring")

_OPTIONS: Final = (
    click.option(
        "--data-dir",
        type=click.Path(path_type=Path),
        metavar="DIR",
        help=f"Work on this data folder.  [default: ./{DEFAULT} if it is there]",
    ),
    click.option(
        "--database-url-file",
        type=click.Path(path_type=Path),
        metavar="FILE",
        help="Work on the database whose URL this file holds, - for standard input.",
    ),
    click.option(
        "--database-url",
        metavar="URL",
        help="Work on this database; a URL with a password belongs into a file.",
    ),
    click.option(
        "--keyring",
        type=click.Path(path_type=Path),
        metavar="FILE",
        help="Keys, where the database is named.",
    ),
    *(click.option(*names, **settings) for names, settings in (*WHICH_CLUSTER, WHICH_POLICY)),
)


def target_options(command: Callable[Concatenate[Target, P], R]) -> Callable[P, R]:
    """Give a click callback the flags that say where it works, and a :class:`Target` as first argument."""

    @wraps(command)
    def wrapped(*args: P.args, **kwargs: P.kwargs) -> R:
        call = invocation()
        cluster: dict[str, Any] = {each.name: kwargs.pop(each.name) for each in fields(ClusterFlags)}
        places: dict[str, Any] = {name: kwargs.pop(name) for name in _PLACES}
        named = Named(**places, cluster=ClusterFlags(**cluster).over(call.cluster), as_plugin=call.as_plugin)
        target = find_target(named, lambda: call.settings)
        # Only now: a URL with a password was refused.
        call.place = tuple(chain.from_iterable(named.given.items()))
        click.get_current_context().call_on_close(target.close)
        return command(target, *args, **kwargs)

    for option in reversed(_OPTIONS):
        wrapped = option(wrapped)
    return wrapped
