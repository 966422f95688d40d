"""``practicus-mfa users`` as a person types it, on a data folder."""

from __future__ import annotations

import io
import json
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import insert, update

from practicus_mfa.cli import person
from practicus_mfa.cli.main import run
from practicus_mfa.core.keyring import Keyring, KeyState
from practicus_mfa.crypto.keyring_file import dump
from practicus_mfa.crypto.keys import HeldKeys
from practicus_mfa.crypto.opaque import token_hash
from practicus_mfa.crypto.passwords import verify_password
from practicus_mfa.datafolder import DataFolder
from practicus_mfa.login import throttling
from practicus_mfa.storage import accounts, schema, setup_links
from practicus_mfa.storage.engine import database_now
from tests.support.django_site import make_site
from tests.support.people import NEW, OLD, PASSWORD, People, audited, let_write
from tests.support.stores import add_factor, ready

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from practicus_mfa.storage.engine import Database


class Shell:
    """Runs commands on one data folder and keeps what they print."""

    def __init__(self, folder: DataFolder, capsys: pytest.CaptureFixture[str]) -> None:
        """Work on *folder*."""
        self.folder, self.capsys = folder, capsys

    def __call__(self, *words: str, code: int = 0) -> tuple[list[str], list[str]]:
        """Run one command; return the lines of both outputs."""
        self.capsys.readouterr()
        assert run([*words, "--data-dir", str(self.folder.root)]) == code
        out, err = self.capsys.readouterr()
        return out.splitlines(), err.splitlines()


@pytest.fixture
def folder(folder: DataFolder) -> DataFolder:
    """A data folder whose keyring holds two keys."""
    keyring = Keyring(2, {NEW.id: KeyState.ACTIVE, OLD.id: KeyState.ROLLING})
    folder.keyring.write_text(dump(keyring, HeldKeys([NEW, OLD])))
    return folder


@pytest.fixture
def store(folder: DataFolder) -> Iterator[Database]:
    """Its database; the new key writes, one user is still under the old one."""
    with ready(f"sqlite:///{folder.sqlite}") as db:
        let_write(db, OLD)
        People(db).add("anna", key=OLD, email="anna@example.org", is_staff=True)
        let_write(db, NEW)
        yield db


@pytest.fixture
def shell(folder: DataFolder, store: Database, capsys: pytest.CaptureFixture[str]) -> Shell:
    """The command line on that folder."""
    return Shell(folder, capsys)


@pytest.fixture
def password_file(tmp_path: Path) -> str:
    """A file with a password."""
    path = tmp_path / "password"
    path.write_text(PASSWORD + "\n")
    return str(path)


def test_users_are_listed(shell: Shell, store: Database) -> None:
    bob = People(store).add("Bob", name="Bob B.", is_active=False)
    with store.write() as connection:
        add_factor(connection, bob.id, fault="corrupt")
    People(store).add("carla")
    assert shell("users", "list") == (
        [
            "USER   E-MAIL            NAME    ACTIVE  STAFF  SUPERUSER  MFA  MFA FERNET ACTIVE",
            "anna   anna@example.org  -       yes     yes    no         yes  no",
            "Bob    -                 Bob B.  no      no     no         yes  undecryptable",
            "carla  -                 -       yes     no     no         no   -",
        ],
        [],
    )
    out, _ = shell("users", "list", "-o", "json")
    bob_as_json = json.loads("\n".join(out))[1]
    assert bob_as_json == {
        "username": "Bob",
        "email": "",
        "name": "Bob B.",
        "active": False,
        "staff": False,
        "superuser": False,
        "last_login": None,
        "stopped": False,
        "mfa": True,
        "mfa_fernet_active": False,
        "undecryptable": True,
    }


@pytest.mark.parametrize(
    ("flags", "expected"),
    [
        ((), ["anna", "bob", "carla"]),
        (("--on-rolling-key",), ["anna"]),
        (("--without-mfa",), ["bob", "carla"]),
        (("--administrators",), ["anna"]),
        (("--inactive",), ["carla"]),
        (("--undecryptable",), []),
        (("--search", "rla"), []),
        (("--search", "org example.org ann"), ["anna"]),
        (("--stopped",), ["bob"]),
        (("--descending",), ["carla", "bob", "anna"]),
        (("--sort", "email"), ["bob", "carla", "anna"]),
        (("--sort", "email", "--descending", "--limit", "2"), ["anna", "carla"]),
        (("--sort", "last-login"), ["carla", "anna", "bob"]),
        (("--sort", "last-login", "--after", "carla"), ["anna", "bob"]),
        (("--after", "ANNA"), ["bob", "carla"]),
        (("--limit", "1"), ["anna"]),
        (("--after", "anna", "--limit", "1"), ["bob"]),
    ],
)
def test_the_list_is_narrowed(
    shell: Shell, store: Database, flags: tuple[str, ...], expected: list[str]
) -> None:
    bob = People(store).add("bob")
    carla = People(store).add("carla", is_active=False)
    with store.write() as connection:
        counter = {"counter": "c", "kind": "code", "subject": "s", "failures": 9, "forever": True}
        connection.execute(insert(schema.attempts).values(**counter, user_id=bob.id))
        at = database_now(connection)
        connection.execute(update(schema.users).where(schema.users.c.id == carla.id).values(last_login_at=at))
    assert shell("users", "list", "-o", "name", *flags) == (expected, [])


def test_a_table_tells_that_there_are_more(shell: Shell, store: Database) -> None:
    People(store).add("bob")
    assert shell("users", "list", "--limit", "1")[1] == [
        "There are more: --after 'anna', or --limit 0 for all."
    ]
    assert shell("users", "list", "--limit", "2")[1] == []
    assert len(shell("users", "list", "--limit", "0")[0]) == 3
    assert shell("users", "list", "--search", "nobody") == ([], ["There is no such user."])


def test_a_user_is_created(shell: Shell, store: Database, password_file: str) -> None:
    words = ("users", "create", "Bob", "--email", "b@example.org", "--name", "Bob B.", "--superuser")
    assert shell(*words, "--password-file", password_file) == (["The user Bob was created."], [])
    bob = People(store).get("bob")
    assert (bob.email, bob.name, bob.is_staff, bob.is_superuser) == ("b@example.org", "Bob B.", False, True)
    assert verify_password(PASSWORD, bob.password_hash)
    assert audited(store)[-1] == (person.actor(), "user.create", "Bob", "done")


def test_a_user_is_created_without_a_password_when_that_is_said(shell: Shell, store: Database) -> None:
    shell("users", "create", "bob", "--no-password")
    assert People(store).get("bob").password_hash == ""


def test_a_password_comes_from_standard_input(
    shell: Shell, store: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(f"{PASSWORD}\r\n"))
    assert shell("users", "set-password", "ANNA", "--password-file", "-")[0] == [
        "The password of anna was replaced."
    ]
    assert verify_password(PASSWORD, People(store).get("anna").password_hash)


def test_a_password_is_typed_twice_at_a_terminal(
    shell: Shell, store: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    typed = iter([PASSWORD, PASSWORD])
    monkeypatch.setattr("click.termui.hidden_prompt_func", lambda _prompt: next(typed))
    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
    shell("users", "set-password", "anna")
    assert verify_password(PASSWORD, People(store).get("anna").password_hash)
    assert list(typed) == []


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "error: there is no password in {file}"),
        ("first line is long\nsecond\n", "error: {file} has more than one line"),
        ("short\n", "error: the password has fewer than 12 characters"),
    ],
)
def test_a_password_file_that_cannot_be_used(
    shell: Shell, tmp_path: Path, content: str, message: str
) -> None:
    file = tmp_path / "password"
    file.write_text(content)
    _, err = shell("users", "create", "bob", "--password-file", str(file), code=2)
    assert err[0] == message.format(file=file)
    assert err[1].startswith("remedy: ")


@pytest.mark.parametrize(
    ("words", "error", "remedy"),
    [
        (
            ("create", "bob"),
            "error: there is no terminal to ask for the password at",
            "remedy: give it with --password-file FILE, - for standard input",
        ),
        (
            ("create", "bob", "--no-password", "--password-file", "x"),
            "error: --no-password and --password-file exclude each other",
            "remedy: see practicus-mfa users create --help",
        ),
        (
            ("create", "Anna", "--no-password"),
            "error: There is a user 'Anna' already (names are compared without regard to case).",
            "remedy: Choose another name, or see `practicus-mfa users list`.",
        ),
        (
            ("create", "a,b", "--no-password"),
            "error: The user can't be created: the user name 'a,b' has a comma.",
            "remedy: Correct it, or choose another one.",
        ),
        (
            ("create", "bob", "--email", "bad", "--no-password"),
            "error: The user can't be created: the e-mail address is not of the form NAME@DOMAIN.",
            "remedy: Correct it, or choose another one.",
        ),
        (
            ("set-password", "nobody"),
            "error: There is no user 'nobody'.",
            "remedy: See `practicus-mfa users list --search` with the beginning of the name.",
        ),
        (
            ("import",),
            "error: name one source: FILE, or --django-url-file",
            "remedy: see practicus-mfa users import --help",
        ),
        (
            ("import", "postgresql://u:p@h/d"),
            "error: a database URL stands in the arguments, where every user of this machine can read it",
            "remedy: put it into a file and name that with --django-url-file",
        ),
        (
            ("import", "nowhere.csv"),
            "error: nowhere.csv can't be read: No such file or directory",
            "remedy: check its name and rights",
        ),
    ],
)
def test_errors_say_what_is_wrong_and_what_to_do(
    shell: Shell, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...], error: str, remedy: str
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO())
    assert shell("users", *words, code=2) == ([], [error, remedy])


def test_who_was_stopped_is_told_from_who_was_not(shell: Shell, store: Database) -> None:
    People(store).add("bob")
    stop = {"counter": "c", "kind": "code", "subject": throttling.subject_of("anna"), "failures": 100}
    with store.write() as connection:
        connection.execute(insert(schema.attempts).values({**stop, "forever": True}))
    out, _ = shell("users", "unlock", "anna", "bob")
    assert out == ["USER  RESULT", "anna  unlocked", "bob   was not stopped"]
    assert audited(store)[-1][1:3] == ("user.unlock", "anna")
    assert shell("users", "unlock", "anna")[0][1] == "anna  was not stopped"


def test_users_are_disabled_and_enabled(shell: Shell, store: Database) -> None:
    People(store).add("bob", is_active=False)
    out, _ = shell("users", "disable", "ANNA", "bob", "anna")
    assert out == ["USER  RESULT", "anna  disabled", "bob   was disabled already"]
    out, _ = shell("users", "enable", "anna", "-o", "json")
    assert json.loads("\n".join(out)) == [{"username": "anna", "result": "enabled"}]
    assert People(store).get("anna").is_active


@pytest.mark.parametrize("command", ["disable", "enable", "remove-mfa", "migrate-key"])
def test_one_unknown_name_and_nobody_is_changed(shell: Shell, store: Database, command: str) -> None:
    before = audited(store)
    _, err = shell("users", command, "anna", "nobody", code=2)
    assert err[0] == "error: There is no user 'nobody'."
    assert audited(store) == before


def test_mfa_is_removed(shell: Shell, store: Database) -> None:
    shell("users", "create", "bob", "--no-password")
    out, _ = shell("users", "remove-mfa", "anna", "bob")
    assert out == ["USER  RESULT", "anna  MFA removed", "bob   had no MFA"]
    assert shell("users", "list", "--without-mfa", "-o", "name")[0] == ["anna", "bob"]


def test_a_key_is_migrated(shell: Shell) -> None:
    assert shell("users", "migrate-key", "anna")[0] == ["USER  RESULT", "anna  migrated"]
    assert shell("users", "migrate-key", "anna")[0] == ["USER  RESULT", "anna  already active"]
    assert shell("users", "list", "--on-rolling-key", "-o", "name")[0] == []


def test_what_cannot_be_decrypted_needs_a_person(shell: Shell, store: Database) -> None:
    with store.write() as connection:
        connection.execute(update(schema.factors).values(token="broken"))
    out, err = shell("users", "migrate-key", "anna", code=3)
    assert out == ["USER  RESULT", "anna  undecryptable"]
    assert err == [
        (
            "1 can't be decrypted: name the key that sealed it as secretStore.rollingKey, "
            "or remove the MFA with practicus-mfa users remove-mfa."
        )
    ]


def test_a_csv_file_is_imported(shell: Shell, store: Database, tmp_path: Path) -> None:
    file = tmp_path / "users.csv"
    file.write_text(f"username,password,totp_secret\nbob,{PASSWORD},JBSWY3DPEHPK3PXP\nAnna,,\n")
    _, err = shell("users", "import", str(file), code=2)
    assert err == [
        (
            "error: users.csv: line 3: the user 'Anna' exists already; "
            "take the line out, or skip such users with --skip-existing"
        ),
        "remedy: correct users.csv and try again; nothing was changed",
    ]
    out, err = shell("users", "import", str(file), "--skip-existing")
    assert out == [
        "Users created: 1, with MFA: 1.",
        "USER  LEFT OUT",
        "Anna  the user exists already",
    ]
    assert err == ["Hashing passwords: 1 of 1", "1 left out."]
    assert shell("users", "list", "--without-mfa", "-o", "name")[0] == []


def test_csv_comes_from_standard_input(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b"username\nbob\n")))
    out, _ = shell("users", "import", "-", "-o", "json")
    assert json.loads("\n".join(out)) == {"created": 1, "enrolled": 0, "left_out": []}


@pytest.mark.parametrize("named", ["file", "url"])
def test_a_django_site_is_imported(shell: Shell, store: Database, tmp_path: Path, named: str) -> None:
    site = tmp_path / "site.sqlite3"
    database = {"ENGINE": "django.db.backends.sqlite3", "NAME": str(site)}
    make_site(database, [{"username": "bob", "password": PASSWORD}], tmp_path)
    url_file = tmp_path / "url"
    url_file.write_text(f"sqlite:///{site}\n")
    words = (str(site),) if named == "file" else ("--django-url-file", str(url_file))
    assert shell("users", "import", *words) == (["Users created: 1, with MFA: 0."], [])
    assert verify_password(PASSWORD, People(store).get("bob").password_hash)


def test_a_user_is_created_with_a_link_to_set_a_password(shell: Shell, store: Database) -> None:
    out, err = shell("users", "create", "Bob", "--superuser", "--setup-link")
    assert err == ["The user Bob was created.", "Give this to Bob alone; it is good once, for 24 hours."]
    (path,) = out
    with store.read() as connection:
        link = setup_links.find(connection, token_hash(path.removeprefix("/setup/")))
    assert link is not None
    assert link.user_id == People(store).get("bob").id
    assert [line[1:3] for line in audited(store)[-2:]] == [
        ("user.create", "Bob"),
        ("user.setup-link", "Bob"),
    ]
    (with_origin,), _ = shell(
        "users", "create", "kim", "--setup-link", "--origin", "https://login.example.com/"
    )
    assert with_origin.startswith("https://login.example.com/setup/")


@pytest.mark.parametrize(
    "origin",
    ["login.example.com", "javascript:alert(1)", "https://", "https://x/login", "https://a@x", "ftp://x", ""],
)
def test_a_link_that_would_lead_nowhere_is_not_made(shell: Shell, store: Database, origin: str) -> None:
    before = audited(store)
    for words in (("create", "kim", "--setup-link"), ("setup-link", "anna")):
        _, err = shell("users", *words, "--origin", origin, code=2)
        assert err[0] == (
            "error: Invalid value for '--origin': write it as https://login.example.com, without a path"
        )
    assert audited(store) == before


def test_neither_user_nor_link_is_made_where_the_name_is_taken(shell: Shell, store: Database) -> None:
    before = audited(store)
    shell("users", "create", "ANNA", "--setup-link", code=2)
    assert audited(store) == before


def test_who_was_given_a_password_chooses_another_one(
    shell: Shell, store: Database, password_file: str
) -> None:
    shell("users", "create", "bob", "--password-file", password_file, "--must-change-password")
    shell("users", "set-password", "anna", "--password-file", password_file, "--must-change-password")
    for name in ("bob", "anna"):
        assert must_change(store, name)
    shell("users", "set-password", "anna", "--password-file", password_file)
    assert not must_change(store, "anna")


def must_change(store: Database, name: str) -> bool:
    with store.read() as connection:
        found = accounts.account(connection, People(store).get(name).id)
    assert found is not None
    return found.must_change_password


@pytest.mark.parametrize(
    ("flags", "error"),
    [
        (("--setup-link", "--no-password"), "--setup-link and --no-password exclude each other"),
        (
            ("--setup-link", "--must-change-password"),
            "--setup-link and --must-change-password exclude each other",
        ),
        (("--origin", "https://login.example.com"), "--origin is of use with --setup-link alone"),
    ],
)
def test_what_makes_no_sense_together_is_refused(
    shell: Shell, store: Database, flags: tuple[str, ...], error: str
) -> None:
    before = audited(store)
    assert shell("users", "create", "bob", *flags, code=2)[1][0] == f"error: {error}"
    assert audited(store) == before
