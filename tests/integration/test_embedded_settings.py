"""The settings page of the embedded platform: real programs, from the form to the rules in force and back."""

from __future__ import annotations

import re
import ssl
import subprocess
from contextlib import contextmanager
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from practicus_mfa.crypto.keys import generate_key
from practicus_mfa.documents import read_document
from practicus_mfa.login.administer import create_user
from practicus_mfa.storage import policy_requests
from practicus_mfa.storage.users import NewUser
from tests.support.installation import ENVIRONMENT, PROGRAM, Installation
from tests.support.login_site import LOOPBACK, Replica, free_port
from tests.support.people import PASSWORD, audited
from tests.support.waiting import LIMIT_SECONDS, until
from tests.support.web_user import WebUser

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

KEY = generate_key().text
SETTINGS = "/admin/settings"


class Page(Replica):
    """The log-in page over plain http."""

    @property
    def direct(self) -> str:
        return f"http://{LOOPBACK}:{self.port}"


@pytest.fixture
def installation(tmp_path: Path) -> Installation:
    made = Installation(tmp_path)
    assert made.up_once(KEY).code == 0
    with made.database() as db:
        create_user(db, NewUser(username="root", is_superuser=True), password=PASSWORD, actor="test")
    return made


@contextmanager
def superuser(installation: Installation) -> Iterator[tuple[WebUser, subprocess.Popen[bytes]]]:
    """The platform runs, and a superuser is logged in."""
    port, log = free_port(), installation.root / "up.log"
    command = [*PROGRAM, "up", "--values", str(installation.values_file), "--login-port", str(port)]
    with log.open("wb") as out:
        process = subprocess.Popen(
            [*command, "--data-dir", str(installation.folder.root)],
            stdout=out,
            stderr=subprocess.STDOUT,
            env=ENVIRONMENT,
        )
    try:
        until(lambda: "The log-in page" in log.read_text(), "the log-in page")
        page = Page(port, 0, process, log, LOOPBACK, ssl.create_default_context())
        with WebUser(page) as person:
            log_in(person)
            yield person, process
    finally:
        process.terminate()
        process.wait(LIMIT_SECONDS)


def log_in(person: WebUser) -> None:
    person.get("/login")
    answer = person.post("/login", username="root", password=PASSWORD)
    if answer.headers.get("location") == "/login/remember":
        person.get("/login/remember")
        person.post("/login/remember", remember="no")
    assert "root" in person.get("/account").text


def ask(person: WebUser, **changes: str) -> str:
    """Fill in the form as it is shown, with these values, and wait for the operator."""
    shown = person.get(SETTINGS).text
    fields = dict(re.findall(r'name="([a-zA-Z.]+)" type="text"[^>]* value="(\d+)"', shown))
    fields |= dict.fromkeys(re.findall(r'name="([a-zA-Z.]+)" value="1" checked', shown), "1")
    (seen,) = re.findall(r'name="seen" value="([^"]+)"', shown)
    given = {name.replace("__", "."): value for name, value in changes.items()}
    wanted = {name: value for name, value in {**fields, **given}.items() if value}
    answer = person.post(SETTINGS, seen=seen.replace("&#34;", '"'), **wanted)
    assert answer.status_code == 303, answer.text
    place = answer.headers["location"]
    until(lambda: "refresh" not in person.get(place).headers, "the operator's answer")
    return person.page


def overrides(installation: Installation) -> object:
    found: Any = read_document(installation.folder.policy)
    return found["spec"].get("overrides", {})


def test_a_change_is_in_force_when_the_page_says_so(installation: Installation) -> None:
    with superuser(installation) as (person, _):
        assert "The change is in force." in ask(person, rememberMe__enabled="", mfa__gracePeriodDays="7")
        assert overrides(installation) == {"mfa": {"gracePeriodDays": 7}, "rememberMe": {"enabled": False}}
        assert "set on this page by root" in person.get(SETTINGS).text
        # It acts: who logs in is not asked whether to stay logged in.
        until(lambda: logs_in_at_once(person), "the rule to be in force")
        until(
            lambda: (
                installation.status()["effective"]["rememberMe"]["enabled"]
                == {"value": False, "source": "override"}
            ),
            "the status",
        )
    with installation.database() as db:
        assert ("root", "policy.change", "", "done") in audited(db)
    assert "root changed the policy on the settings page" in (installation.root / "up.log").read_text()


def logs_in_at_once(person: WebUser) -> bool:
    with WebUser(person._replica) as other:
        other.get("/login")
        answer = other.post("/login", username="root", password=PASSWORD)
        return bool(answer.headers.get("location") == "/account")


def test_values_yaml_says_what_the_page_may_do(installation: Installation) -> None:
    with superuser(installation) as (person, _):
        assert "The change is in force." in ask(person, rememberMe__days="7")
        installation.write_values(KEY, login={"settingsPage": "read"}, userLogin={"rememberMe": {"days": 20}})
        until(lambda: 'name="seen"' not in look(person), "the page to be for reading alone")
        # A login service that is somebody else's by now goes past its own page.
        with installation.database() as db, db.write() as connection:
            number = policy_requests.ask(
                connection, author_id=1, author="root", changes={"mfa": {"enabled": False}}
            )
        until(lambda: outcome(installation, number) is not None, "the answer")
        assert outcome(installation, number) == "refused"
        # What was set stays, and goes before values.yaml still.
        assert overrides(installation) == {"rememberMe": {"days": 7}}


def look(person: WebUser) -> str:
    """The page's text; 'name="seen"' while the service is started anew."""
    try:
        answer = person.get(SETTINGS)
    except httpx.TransportError:
        return 'name="seen"'
    return answer.text if answer.status_code == HTTPStatus.OK else 'name="seen"'


def outcome(installation: Installation, number: int) -> str | None:
    with installation.database() as db, db.read() as connection:
        found = policy_requests.find(connection, number)
    assert found is not None
    return found[0].outcome


def test_without_a_platform_nobody_answers_and_one_that_comes_back_does(installation: Installation) -> None:
    with installation.database() as db, db.write() as connection:
        number = policy_requests.ask(
            connection, author_id=1, author="root", changes={"rememberMe": {"days": 3}}
        )
    assert outcome(installation, number) is None
    assert installation.command("up", "--once", "--values", str(installation.values_file)).code == 0
    assert outcome(installation, number) == "applied"
    assert overrides(installation) == {"rememberMe": {"days": 3}}
    # It ended when everything was published, not before.
    assert installation.published()["effective"]["rememberMe"]["days"]["value"] == 3
