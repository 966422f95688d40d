"""Logging in and enrolling through two replicas while the keys of 50,000 users are rotated."""

from __future__ import annotations

import itertools
import shutil
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Final

from sqlalchemy import insert, update

from practicus_mfa.crypto.keys import generate_key
from practicus_mfa.crypto.passwords import hash_password
from practicus_mfa.storage import schema
from tests.support.installation import secret_of
from tests.support.login_site import login_site
from tests.support.waiting import until
from tests.support.web_user import WebUser

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.login_site import Site

USERS: Final = 50_000
PEOPLE: Final = 1_200
"""Of them log in; each code works once, so nobody comes twice within its half minute."""
NEWCOMERS: Final = 400
PAUSE: Final = 1 / 20
PASSWORD: Final = "a pass phrase of these tests"


def test_no_log_in_and_no_enrolment_fails_while_keys_rotate(tmp_path: Path, postgres_url: str) -> None:
    with login_site(tmp_path, database_url=postgres_url, replicas=1) as site:
        site.installation.enrol(*(f"user{number}" for number in range(USERS)))
        give_passwords(site)
        # The second replica sees the keyring late: a mounted Secret reaches a pod after up to a minute.
        late = tmp_path / "late-keyring.yaml"
        shutil.copy(site.installation.folder.keyring, late)
        site.start_with_keyring(late)
        day = Day(site)
        old, new = site.key, generate_key()
        with day.at_work():
            rotating = threading.Thread(target=lambda: site.change(active=new.text, rolling=old))
            rotating.start()
            until(
                lambda: site.installation.folder.keyring.read_text() != late.read_text(), "the new generation"
            )
            before = day.log_ins
            until(
                lambda: day.log_ins > before + 20 and day.enrolments > 5,
                "log-ins and enrolments while one replica lags",
            )
            until(
                lambda: site.installation.conditions()["ReadersConverged"][0] == "False",
                "the rotation to wait for it",
            )
            shutil.copy(site.installation.folder.keyring, late)
            rotating.join()
        assert day.failures == []
        status = site.installation.status()
        assert status["activeKeyID"] == new.id
        assert status["users"]["rolling"] == 0
        assert status["users"]["enrolled"] == USERS + day.enrolments


def give_passwords(site: Site) -> None:
    """Give the first users a password, and add some without MFA."""
    hashed = hash_password(PASSWORD)
    names = [f"newcomer{number}" for number in range(NEWCOMERS)]
    rows = [{"username": name, "username_key": name, "password_hash": hashed} for name in names]
    with site.installation.database() as db, db.write() as connection:
        people = schema.users.c.username_key.in_([f"user{number}" for number in range(PEOPLE)])
        connection.execute(update(schema.users).where(people).values(password_hash=hashed))
        connection.execute(insert(schema.users), rows)


class Day:
    """People who log in, twenty a second, and every tenth of them enrols."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._people = itertools.cycle(range(PEOPLE))
        self._newcomers = iter(range(NEWCOMERS))
        self._over = threading.Event()
        self.failures: list[str] = []
        self.log_ins = 0
        self.enrolments = 0

    def at_work(self) -> _AtWork:
        return _AtWork(self._run, self._over)

    def _run(self) -> None:
        with ThreadPoolExecutor(8) as pool:
            due = time.monotonic()
            for number in itertools.count():
                if self._over.wait(max(0.0, due - time.monotonic())):
                    break
                due = max(due + PAUSE, time.monotonic() - 1)
                pool.submit(self._come, number)

    def _come(self, number: int) -> None:
        replica = self._site.replicas[number % 2]
        try:
            with WebUser(replica) as person:
                newcomer = next(self._newcomers, None) if number % 10 == 0 else None
                if newcomer is not None:
                    self._note(self._enrolled(person, newcomer), enrols=True)
                    return
                name = f"user{next(self._people)}"
                self._note(person.log_in(name, PASSWORD, secret_of(name)))
        except Exception as error:  # noqa: BLE001 - whatever it is, a log-in failed
            self.failures.append(repr(error))

    def _enrolled(self, person: WebUser, number: int) -> str:
        return person.log_in(f"newcomer{number}", PASSWORD) or person.enrol()[0]

    def _note(self, failure: str, *, enrols: bool = False) -> None:
        if failure:
            self.failures.append(failure)
        elif enrols:
            self.enrolments += 1
        else:
            self.log_ins += 1


class _AtWork:
    def __init__(self, run: object, over: threading.Event) -> None:
        self._thread = threading.Thread(target=run)  # type: ignore[arg-type]
        self._over = over

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()
