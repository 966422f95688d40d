"""``practicus-mfa demo``: a data folder made for trying out."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Mapping
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from practicus_mfa.cli import demo_people
from practicus_mfa.cli.up import login_port_option, run_platform
from practicus_mfa.datafolder import DataFolder
from practicus_mfa.errors import UsageError

if TYPE_CHECKING:
    from practicus_mfa.crypto.keys import FernetKey
    from practicus_mfa.reconciler.embedded.login_port import LoginPort

VALUES: Final = """\
# What a platform team writes. This very file is what the Helm chart takes.
userLogin:
  mfa:
    enabled: true
    mandatory: false
    mandatoryForSysAdmins: false

  rememberMe:
    enabled: true
    days: 30
    disabledForSysAdmins: false

secretStore:
  activeKey: "{active}"
  rollingKey: "{rolling}"
"""


@click.group()
def demo() -> None:
    """Help with a data folder made for trying out."""


@demo.command()
@click.option(
    "--data-dir",
    type=click.Path(path_type=Path),
    default=Path("demo-data"),
    show_default="./demo-data",
    metavar="DIR",
    help="Where to make it; an earlier demo there is replaced.",
)
@click.option(
    "--serve/--no-serve",
    default=None,
    help="Go on with the log-in page, or end.  [default: go on where a person sits at the terminal]",
)
@login_port_option
def run(data_dir: Path, *, serve: bool | None, login_port: int | None) -> None:
    """Rotate the keys of 2,000 made-up users, 1,500 of them with MFA; then show the log-in page."""
    from practicus_mfa.reconciler.embedded.login_port import LoginPort

    if serve is None:
        serve = sys.stdin.isatty() and sys.stdout.isatty()
    # Before anything is replaced: a port that is taken is told now, not in a minute.
    with LoginPort(login_port) if serve else nullcontext() as port:
        _run(data_dir, port)


def _run(data_dir: Path, port: LoginPort | None) -> None:
    from practicus_mfa.crypto.keys import generate_key

    folder = DataFolder(data_dir)
    _clear(folder)
    folder.root.mkdir(parents=True, mode=0o700)
    passwords = _mark(folder)
    values = folder.root / "values.yaml"
    old, new = generate_key(), generate_key()

    users, enrolled = demo_people.USERS, demo_people.ENROLLED
    _say(f"1. {users:,} users, {enrolled:,} of them with MFA, all under the key {old.id}.")
    write_values(values, active=old, rolling=None)
    _settle(folder, values, quiet=True)
    demo_people.add_users(folder, passwords)

    _say(f"2. values.yaml now names {new.id} as the active key and {old.id} as the rolling key.")
    write_values(values, active=new, rolling=old)
    _settle(folder, values, quiet=False)

    _say("3. Every secret is under the new key, and the proof is done.")
    _say(NEXT.format(dir=data_dir))
    _say("4. Log in.")
    _say(LOG_IN.format(dir=data_dir, **passwords))
    if port is None:
        _say(START.format(dir=data_dir, values=values))
        return
    _say(SERVING.format(values=values))
    run_platform(folder, values, once=False, login_port=port)


@demo.command()
@click.option("--user", required=True, metavar="NAME", help="Whose.")
@click.option(
    "--data-dir",
    type=click.Path(path_type=Path),
    default=Path("demo-data"),
    show_default="./demo-data",
    metavar="DIR",
    help="A folder that the demo made.",
)
def code(user: str, data_dir: Path) -> None:
    """Print a user's code, in place of an authenticator app; in the demo's folder alone."""
    folder = DataFolder(data_dir)
    if not folder.demo.exists():
        raise UsageError(
            f"{data_dir} was not made by the demo, so nobody's code is shown",
            remedy="run make demo, or name its folder with --data-dir",
        )
    click.echo(demo_people.code_of(folder, user))


NEXT: Final = """
Try next (`. .venv/bin/activate` puts the command on a terminal's path):
  practicus-mfa status --data-dir {dir}           what is true at this moment
  practicus-mfa verify --data-dir {dir}           every row, opened under the active key alone
  practicus-mfa users list --data-dir {dir}       who has MFA, and under which key
"""

LOG_IN: Final = """
  admin   {admin}   an administrator, with MFA
  alice   {alice}   a user with MFA
  bob     {bob}   a user without MFA: set it up at /enroll

  practicus-mfa demo code --user alice --data-dir {dir}     her code, in place of an authenticator app
"""

START: Final = """\
Start the platform and open the address that it prints:
  practicus-mfa up --values {values} --data-dir {dir}
"""

SERVING: Final = """\
The platform runs now, with its log-in page, until you press Ctrl-C. In another terminal, put a key of
`practicus-mfa keys generate` into activeKey of {values} and the present one into rollingKey,
and watch: nobody is logged out.
"""


def _say(text: str) -> None:
    click.secho(text, bold=text[:1].isdigit())


def _clear(folder: DataFolder) -> None:
    """Remove an earlier demo, and nothing but a demo.

    Raises:
        UsageError: The folder is something else, or a platform runs on it.
    """
    from practicus_mfa.reconciler.embedded.platform import locked

    if not folder.root.exists():
        return
    if not folder.demo.exists() and any(folder.root.iterdir()):
        raise UsageError(
            f"{folder.root} was not made by the demo, which replaces what it finds",
            remedy="name another folder with --data-dir, or move that one away",
        )
    # Who serves an earlier demo in another terminal would lose its database.
    with locked(folder):
        shutil.rmtree(folder.root)


def write_values(path: Path, *, active: FernetKey, rolling: FernetKey | None) -> None:
    """Write a values.yaml with these keys."""
    from practicus_mfa.files import write_secretly

    write_secretly(path, VALUES.format(active=active.text, rolling=rolling.text if rolling else ""))


def _settle(folder: DataFolder, values: Path, *, quiet: bool) -> None:
    from practicus_mfa.cli.status import print_status

    result = run_platform(folder, values, once=True, quiet=quiet)
    if result is not None and not quiet:
        print_status(result.status)


def _mark(folder: DataFolder) -> Mapping[str, str]:
    """Mark the folder as the demo's; return the passwords of who can log in, which stand there as well."""
    from practicus_mfa.documents import dump_yaml
    from practicus_mfa.files import write_secretly

    passwords = demo_people.passwords()
    write_secretly(folder.demo, dump_yaml({"made": "by practicus-mfa demo run", "passwords": passwords}))
    return passwords
