"""``practicus-mfa demo``: a data folder made for trying out."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from practicus_mfa.datafolder import DataFolder
from practicus_mfa.errors import UsageError

if TYPE_CHECKING:
    from practicus_mfa.crypto.keys import FernetKey
    from practicus_mfa.login.candidates import Candidate

USERS: Final = 2_000
ENROLLED: Final = 1_500
ADMINISTRATORS: Final = 3

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
def run(data_dir: Path) -> None:
    """Rotate the keys of 2,000 made-up users, 1,500 of them with MFA."""
    from practicus_mfa.crypto.keys import generate_key

    folder = DataFolder(data_dir)
    _clear(folder)
    folder.root.mkdir(parents=True, mode=0o700)
    folder.demo.write_text("made: by practicus-mfa demo run\n", encoding="utf-8")
    values = folder.root / "values.yaml"
    old, new = generate_key(), generate_key()

    _say(f"1. {USERS:,} users, {ENROLLED:,} of them with MFA, all under the key {old.id}.")
    write_values(values, active=old, rolling=None)
    _settle(folder, values, quiet=True)
    add_users(folder)

    _say(f"2. values.yaml now names {new.id} as the active key and {old.id} as the rolling key.")
    write_values(values, active=new, rolling=old)
    _settle(folder, values, quiet=False)

    _say("3. Every secret is under the new key, and the proof is done.")
    _say(NEXT.format(dir=data_dir, values=values))


NEXT: Final = """
Try next:
  practicus-mfa status --data-dir {dir}           what is true at this moment
  practicus-mfa verify --data-dir {dir}           every row, opened under the active key alone
  practicus-mfa users list --data-dir {dir}       who has MFA, and under which key
  practicus-mfa up --values {values} --data-dir {dir}
      then, in another terminal, put a key of `practicus-mfa keys generate` into activeKey and the
      present one into rollingKey, and watch.
(The command is in .venv/bin, unless you have activated that environment.)"""


def _say(text: str) -> None:
    click.secho(text, bold=text[:1].isdigit())


def _clear(folder: DataFolder) -> None:
    """Remove an earlier demo, and nothing but a demo.

    Raises:
        UsageError: The folder is something else.
    """
    if not folder.root.exists():
        return
    if not folder.demo.exists() and any(folder.root.iterdir()):
        raise UsageError(
            f"{folder.root} was not made by the demo, which replaces what it finds",
            remedy="name another folder with --data-dir, or move that one away",
        )
    shutil.rmtree(folder.root)


def write_values(path: Path, *, active: FernetKey, rolling: FernetKey | None) -> None:
    """Write a values.yaml with these keys."""
    from practicus_mfa.files import write_secretly

    write_secretly(path, VALUES.format(active=active.text, rolling=rolling.text if rolling else ""))


def _settle(folder: DataFolder, values: Path, *, quiet: bool) -> None:
    from practicus_mfa.cli.status import print_status
    from practicus_mfa.cli.up import run_platform

    result = run_platform(folder, values, once=True, quiet=quiet)
    if result is not None and not quiet:
        print_status(result.status)


def add_users(folder: DataFolder) -> None:
    """Add the made-up users to a folder whose platform has run."""
    from practicus_mfa.clock import utc_now
    from practicus_mfa.login.candidates import Findings
    from practicus_mfa.login.import_users import import_users
    from practicus_mfa.reconciler.embedded.keyring_files import KeyringFiles
    from practicus_mfa.storage.engine import connect

    loaded = KeyringFiles(folder).load()
    assert loaded is not None, "the platform has just made it"  # noqa: S101 - an invariant
    held = loaded[1]
    findings = Findings()
    findings.candidates.extend(_candidates())
    db = connect(folder.sqlite_url)
    try:
        import_users(db, findings, source="demo", keys=lambda: held, clock=utc_now, actor="demo")
    finally:
        db.close()


def _candidates() -> Iterator[Candidate]:
    from practicus_mfa.crypto.totp import new_secret
    from practicus_mfa.login.candidates import Candidate, CandidateFactor
    from practicus_mfa.storage.users import NewUser

    for number in range(1, USERS + 1):
        name = f"user{number:04}"
        administrator = number <= ADMINISTRATORS
        yield Candidate(
            place=name,
            user=NewUser(
                username=name,
                email=f"{name}@example.org",
                is_staff=administrator,
                is_superuser=number == 1,
            ),
            factors=(CandidateFactor(secret=new_secret()),) if number <= ENROLLED else (),
        )
