"""``recover`` and ``users restore-mfa`` as a person types them."""

from __future__ import annotations

import json
import shlex
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from practicus_mfa.crypto.keys import generate_key
from practicus_mfa.storage import factors, users
from tests.support.installation import ENVIRONMENT, PROGRAM, Ended, Installation, call
from tests.support.waiting import LIMIT_SECONDS

if TYPE_CHECKING:
    from practicus_mfa.storage.engine import Database

KEY, OTHER = generate_key(), generate_key()


@pytest.fixture
def installation(tmp_path: Path) -> Installation:
    """Where ada, who has no password, has MFA."""
    installed = Installation(tmp_path)
    assert installed.up_once(KEY.text).code == 0
    installed.enrol("ada")
    return installed


def tokens(installation: Installation) -> list[str]:
    with installation.database() as db:
        return _tokens(db)


def _tokens(db: Database) -> list[str]:
    with db.read() as connection:
        return [factor.token for factor in factors.of_user(connection, users.get(connection, "ada").id)]


def restored_from(installation: Installation, text: str) -> Ended:
    place = ("--data-dir", str(installation.folder.root))
    return call(*PROGRAM, "users", "restore-mfa", "ada", "--from", "-", *place, given=text)


def test_what_is_cleared_goes_to_standard_output_and_comes_back_from_standard_input(
    installation: Installation,
) -> None:
    (token,) = tokens(installation)
    done = installation.command("recover", "--user", "ada", "--backup", "-")
    assert done.code == 0
    where = f"ada --data-dir {installation.folder.root}"
    assert done.err.splitlines() == [
        "The MFA of ada was cleared: the password alone logs in until enrolled again.",
        f"To put it back: practicus-mfa users restore-mfa {where}",
        f"The user has no password: practicus-mfa users set-password {where}",
    ]
    assert json.loads(done.out)["rows"]["mfa_factors"][0]["token"] == token
    assert tokens(installation) == []
    back = restored_from(installation, done.out)
    assert (back.code, back.err) == (0, "")
    assert tokens(installation) == [token]
    installation.check_secrets(["ada"], KEY)


def test_what_is_printed_to_put_it_back_does_so(tmp_path: Path) -> None:
    root = tmp_path / "of a team"
    root.mkdir()
    installation = Installation(root)
    assert installation.up_once(KEY.text).code == 0
    installation.enrol("ada")
    (token,) = tokens(installation)
    done = installation.command("recover", "--user", "ada")
    (line,) = [line for line in done.err.splitlines() if line.startswith("To put it back: ")]
    program, *arguments = shlex.split(line.removeprefix("To put it back: "))
    assert program == "practicus-mfa"
    assert call(*PROGRAM, *arguments).code == 0
    assert tokens(installation) == [token]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no device that is always full")
def test_where_standard_output_takes_nothing_nothing_is_cleared(installation: Installation) -> None:
    command = [*PROGRAM, "recover", "--user", "ada", "--backup", "-"]
    command += ["--data-dir", str(installation.folder.root)]
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            command,
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
            timeout=LIMIT_SECONDS,
            env=ENVIRONMENT,
        )
    assert done.returncode == 4
    assert done.stderr.startswith("error: The backup can't be written to standard output: No space left")
    assert len(done.stderr.splitlines()) == 2
    assert len(tokens(installation)) == 1


def test_a_file_is_named_and_taken(installation: Installation, tmp_path: Path) -> None:
    file = tmp_path / "ada.json"
    done = installation.command("recover", "--user", "ada", "--backup", str(file))
    assert done.out.splitlines()[0] == f"Backup: {file}"
    again = installation.command("users", "restore-mfa", "ada", "--from", str(file))
    assert again.code == 0
    assert again.out.endswith("is there again: the next code of the app, and 0 recovery codes.\n")
    missing = installation.command("users", "restore-mfa", "ada", "--from", str(tmp_path / "none"))
    assert missing.code == 2
    assert missing.err.startswith("error: there is no file")


def test_a_key_that_the_keyring_holds_is_not_lost(installation: Installation) -> None:
    done = installation.command("recover", "--user", "ada", "--keys-lost")
    assert done.code == 2
    assert done.err == (
        f"error: The key {KEY.id} is not lost: the keyring holds it. Nothing was changed.\n"
        "remedy: Leave out --keys-lost.\n"
    )
    assert len(tokens(installation)) == 1


def test_a_key_without_which_nothing_opens_is_named(installation: Installation) -> None:
    assert installation.command("recover", "--user", "ada").code == 0
    # A rotation of which no row is left to need the key: it is retired, and leaves the keyring.
    assert installation.up_once(OTHER.text, KEY.text).code == 0
    assert installation.up_once(OTHER.text).code == 0
    back = installation.command("users", "restore-mfa", "ada")
    assert back.code == 0
    assert f"Its codes can't be checked until key {KEY.id} is back" in back.err
    assert installation.up_once(OTHER.text).code == 3
    assert installation.conditions()["Ready"] == ("False", "UnknownKey")
    assert installation.up_once(OTHER.text, KEY.text).code == 0
    installation.check_secrets(["ada"], OTHER)
