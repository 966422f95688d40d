"""The database of a Django site, made by Django itself, into ours."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import make_url

from practicus_mfa.crypto.keys import HeldKeys
from practicus_mfa.crypto.passwords import needs_rehash, verify_password
from practicus_mfa.crypto.totp import Parameters, code_at, matching_step
from practicus_mfa.errors import UnreachableError, UsageError
from practicus_mfa.login.candidates import LeftOut
from practicus_mfa.login.django_users import convert
from practicus_mfa.login.enrol import open_factor
from practicus_mfa.login.import_users import Imported, import_users
from practicus_mfa.storage import factors
from practicus_mfa.storage.django_source import read_django
from tests.support.django_site import make_site
from tests.support.people import OLD, PASSWORD, People, let_write, noon

if TYPE_CHECKING:
    from pathlib import Path

    from practicus_mfa.storage.engine import Database

USERS: list[dict[str, Any]] = [
    {
        "username": "anna",
        "email": "anna@example.org",
        "password": PASSWORD,
        "first_name": "Anna",
        "last_name": "Öz",
        "is_staff": True,
        "devices": [
            {"key": "48656c6c6f21deadbeef", "drift": 1, "last_t": 58_000_000},
            {"key": "00" * 20, "confirmed": False},
        ],
    },
    {"username": "Bob", "password": "Пароль-длинный-é", "is_superuser": True, "is_active": False},
    {"username": "carla", "password": None},
]


@pytest.fixture(params=["sqlite", "postgresql"])
def site(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A URL to an empty database for a Django site, of each kind in turn."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'site.sqlite3'}"
    server = request.getfixturevalue("postgres_server")
    server.start()
    return str(server.url(server.create_database()))


def django_database(url: str) -> dict[str, Any]:
    parsed = make_url(url)
    if parsed.drivername == "sqlite":
        return {"ENGINE": "django.db.backends.sqlite3", "NAME": parsed.database}
    return {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": parsed.database,
        "USER": parsed.username,
        "PASSWORD": parsed.password,
        "HOST": parsed.host,
        "PORT": parsed.port,
    }


def run(db: Database, url: str) -> Imported:
    return import_users(
        db,
        convert(read_django(url)),
        source="site.sqlite3",
        keys=lambda: HeldKeys([OLD]),
        clock=noon,
        actor="root",
    )


def test_users_of_a_django_site_log_in_here_as_they_did_there(
    sqlite_db: Database, site: str, tmp_path: Path
) -> None:
    make_site(django_database(site), USERS, tmp_path)
    let_write(sqlite_db, OLD)
    assert run(sqlite_db, site) == Imported(
        created=3, enrolled=1, left_out=(LeftOut("anna", "TOTP device 2: it was never confirmed"),)
    )
    anna, bob, carla = (People(sqlite_db).get(name) for name in ("anna", "bob", "carla"))
    assert (anna.email, anna.name, anna.is_staff, anna.is_superuser) == (
        "anna@example.org",
        "Anna Öz",
        True,
        False,
    )
    assert (bob.username, bob.is_active, bob.is_superuser, carla.password_hash) == ("Bob", False, True, "")
    assert anna.password_hash.startswith("pbkdf2_sha256$1000$")
    assert verify_password(PASSWORD, anna.password_hash)
    assert verify_password("Пароль-длинный-é", bob.password_hash)
    assert not verify_password("Пароль-длинный-e", bob.password_hash)
    assert needs_rehash(anna.password_hash)


def test_a_device_gives_the_codes_here_that_it_gave_there(db: Database, tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'site.sqlite3'}"
    make_site(django_database(url), USERS[:1], tmp_path)
    let_write(db, OLD)
    run(db, url)
    with db.read() as connection:
        (factor,) = factors.of_user(connection, People(db).get("anna").id)
    secret = open_factor(factor, HeldKeys([OLD])).secret
    assert (secret, factor.totp.drift, factor.totp.last_step) == (b"Hello!\xde\xad\xbe\xef", 1, 58_000_000)
    # django-otp counts steps with the drift in them: so do we.
    now = 58_000_001 * 30
    parameters = Parameters(digits=factor.totp.digits, period=factor.totp.period, drift=factor.totp.drift)
    assert matching_step(secret, code_at(secret, 58_000_002), now=now, parameters=parameters) == 58_000_002


def test_the_site_is_only_read(sqlite_db: Database, tmp_path: Path) -> None:
    path = tmp_path / "site.sqlite3"
    make_site(django_database(f"sqlite:///{path}"), USERS, tmp_path)
    before = path.read_bytes()
    path.chmod(0o400)
    let_write(sqlite_db, OLD)
    run(sqlite_db, f"sqlite:///{path}")
    assert path.read_bytes() == before
    assert list(tmp_path.glob("site.sqlite3-*")) == []


def test_a_site_without_django_otp_has_users_without_mfa(
    sqlite_db: Database, site: str, tmp_path: Path
) -> None:
    make_site(django_database(site), USERS[1:], tmp_path)
    assert run(sqlite_db, site) == Imported(created=2, enrolled=0, left_out=())


def test_a_database_without_auth_user_is_told(db: Database, database_url: str) -> None:
    with pytest.raises(UsageError) as refused:
        read_django(database_url)
    assert refused.value.message == f"There is no table auth_user in {db.shown}."
    assert refused.value.remedy == "Give a Django database; users of a custom user model are exported as CSV."


def test_sources_that_cannot_be_read(tmp_path: Path, postgres_url: str) -> None:
    with pytest.raises(UsageError, match=r"^There is no file .*/nowhere\.db\.$"):
        read_django(f"sqlite:///{tmp_path / 'nowhere.db'}")
    (tmp_path / "users.csv").write_text("username\n" * 1_000)
    with pytest.raises(UsageError, match="is not a SQLite database, or it is damaged"):
        read_django(f"sqlite:///{tmp_path / 'users.csv'}")
    with pytest.raises(UsageError, match="neither SQLite nor PostgreSQL"):
        read_django("mysql://user@host/name")
    wrong = make_url(postgres_url).set(password="wrong-password").render_as_string(hide_password=False)
    with pytest.raises(UnreachableError) as refused:
        read_django(wrong)
    assert "wrong-password" not in refused.value.message
