"""``practicus-mfa users import``: users from a CSV file or from the database of a Django site."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from practicus_mfa.cli.context import target_options
from practicus_mfa.cli.output import Column, note, output_option, show_rows, show_tree
from practicus_mfa.cli.person import STANDARD_INPUT, actor
from practicus_mfa.cli.progress import progress
from practicus_mfa.cli.target import Target
from practicus_mfa.errors import UsageError
from practicus_mfa.settings import Form

if TYPE_CHECKING:
    from practicus_mfa.login.candidates import Findings
    from practicus_mfa.login.import_users import Imported

_SQLITE: Final = b"SQLite format 3\0"
"""How a SQLite file begins: a Django site's, for no other is imported from."""

_LEFT_OUT: Final = (Column("USER", "username"), Column("LEFT OUT", "why"))


@click.command("import", short_help="Create users from a CSV file or a Django site.")
# As text: a path would lose the slashes that tell a URL.
@click.argument("file", type=click.Path(), required=False)
@target_options
@click.option(
    "--django-url-file",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Take the users of the Django site whose database URL this file holds, - for standard input.",
)
@click.option("--skip-existing", is_flag=True, help="Leave out users that exist already.")
@output_option
def import_(
    target: Target, file: str | None, django_url_file: Path | None, *, skip_existing: bool, output: Form
) -> None:
    """Create the users of FILE: CSV (- for standard input), or a Django site's SQLite database.

    CSV begins with the names of its columns: username,email,name,password,password_hash,is_active,is_staff,
    is_superuser,totp_secret. Any of them but the first may be missing; totp_secret is in base32. Of a Django
    site, auth_user is read, and otp_totp_totpdevice where it is there.

    Nothing is half imported: all faults are told at once, with their lines.
    """
    from practicus_mfa.clock import utc_now
    from practicus_mfa.login.import_users import import_users

    findings, source = _read(file, django_url_file)
    with _hashing(findings) as hashed:
        done = import_users(
            target.database,
            findings,
            source=source,
            keys=lambda: target.keys,
            clock=utc_now,
            actor=actor(),
            skip_existing=skip_existing,
            progress=hashed,
        )
    _show(done, output)


def _read(file: str | None, django_url_file: Path | None) -> tuple[Findings, str]:
    """Return what the source holds, and its name."""
    if (file is None) == (django_url_file is None):
        raise click.UsageError("name one source: FILE, or --django-url-file")
    if django_url_file is not None:
        return _read_django(_url(django_url_file))
    assert file is not None  # noqa: S101 - one of the two is there
    if "://" in file:
        raise UsageError(
            "a database URL stands in the arguments, where every user of this machine can read it",
            remedy="put it into a file and name that with --django-url-file",
        )
    from practicus_mfa.login.csv_users import read_csv

    path = Path(file)
    if path == STANDARD_INPUT:
        return read_csv(sys.stdin.buffer), "standard input"
    try:
        with path.open("rb") as lines:
            if lines.read(len(_SQLITE)) != _SQLITE:
                lines.seek(0)
                return read_csv(lines), path.name
    except OSError as error:
        raise UsageError(
            f"{file} can't be read: {error.strerror}", remedy="check its name and rights"
        ) from error
    return _read_django(f"sqlite:///{file}")


def _url(file: Path) -> str:
    if file == STANDARD_INPUT:
        return sys.stdin.read().strip()
    from practicus_mfa.files import read_text

    return read_text(file).strip()


def _read_django(url: str) -> tuple[Findings, str]:
    from practicus_mfa.login.django_users import convert
    from practicus_mfa.storage.addresses import parse_url
    from practicus_mfa.storage.django_source import read_django

    return convert(read_django(url)), parse_url(url).shown


@contextmanager
def _hashing(findings: Findings) -> Iterator[Callable[[int, int], None]]:
    passwords = sum(candidate.password is not None for candidate in findings.candidates)
    if not passwords or findings.faults:
        yield lambda _done, _all: None
        return
    with progress("Hashing passwords", passwords) as advance:
        yield lambda _done, _all: advance(1)


def _show(done: Imported, output: Form) -> None:
    left_out = [{"username": one.username, "why": one.why} for one in done.left_out]
    if output != "table":
        show_tree({"created": done.created, "enrolled": done.enrolled, "left_out": left_out}, output)
        return
    click.echo(f"Users created: {done.created:,}, with MFA: {done.enrolled:,}.")
    if left_out:
        show_rows(left_out, _LEFT_OUT, output)
        note(f"{len(left_out):,} left out.")
