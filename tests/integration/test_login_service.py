"""A replica of the login service as a process: its lease, its policy, its readiness, its end."""

from __future__ import annotations

import json
import signal
import socket
import threading
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import text

from practicus_mfa.core.keyring import KeyId
from practicus_mfa.crypto.keys import generate_key
from practicus_mfa.documents import dump_yaml
from practicus_mfa.login.administer import create_user
from practicus_mfa.storage import versions
from practicus_mfa.storage.readers import unexpired
from practicus_mfa.storage.schema import SCHEMA
from practicus_mfa.storage.users import NewUser
from tests.support.installation import PROGRAM, Installation, call
from tests.support.login_site import LOOPBACK, free_port, login_site
from tests.support.people import PASSWORD
from tests.support.waiting import until
from tests.support.web_user import WebUser

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.support.login_site import Replica, Site
    from tests.support.postgres import PostgresServer


@pytest.fixture(params=["sqlite", "postgresql"])
def site(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Site]:
    url = "" if request.param == "sqlite" else request.getfixturevalue("postgres_url")
    with login_site(tmp_path, database_url=url) as running:
        yield running


def leases(site: Site) -> list[frozenset[KeyId]]:
    with site.installation.database() as db, db.read() as connection:
        return [reader.key_ids for reader in unexpired(connection)]


def log_of(site: Site) -> list[dict[str, str]]:
    return [json.loads(line) for line in site.first.log.read_text().splitlines()]


def reasons(replica: Replica) -> str:
    """Why it is not ready; '' while nobody listens."""
    answer = replica.ready()
    return "" if answer is None else answer.text


def create(site: Site, name: str) -> None:
    with site.installation.database() as db:
        create_user(db, NewUser(username=name), password=PASSWORD, actor="test")


def test_it_holds_a_lease_while_it_runs_and_gives_it_back_at_its_end(site: Site) -> None:
    keys = frozenset(site.installation.keyring()[1])
    # A lease ends with 15 s without a renewal, and begins anew.
    until(lambda: leases(site) == [keys], "a lease of all keys")
    assert site.first.get("/healthz").text == "ok\n"
    until(lambda: site.first.get("/readyz").text == "ready\n", "nothing to be wrong")
    assert 'practicus_mfa_login_total{result="success"}' in site.first.metrics()
    assert site.first.stop() == 0
    assert leases(site) == []
    assert log_of(site)[-1]["message"] == "ended"


def test_a_rotation_goes_through_without_a_restart(site: Site) -> None:
    old, new = site.key, generate_key()
    # It does not end before every reader has the new key.
    site.change(active=new.text, rolling=old)
    until(lambda: any(new.id in lease for lease in leases(site)), "a lease of the new key")
    assert site.installation.conditions()["ReadersConverged"][0] == "True"
    # The old key leaves the keyring, and the lease after it.
    site.change(rolling="")
    until(lambda: leases(site) == [frozenset({new.id})], "a lease without the old key")
    assert site.first.ready().status_code == 200  # type: ignore[union-attr]


def test_a_change_of_the_policy_is_in_force_without_a_restart(site: Site) -> None:
    create(site, "ada")
    with WebUser(site.first) as ada:
        assert ada.log_in("ada", PASSWORD) == ""
        assert ada.get("/account").status_code == 200
        site.change(mfa={"mandatory": True})
        until(lambda: ada.get("/account").headers.get("location") == "/enroll", "to be led there")


def test_a_keyring_that_is_taken_away_is_told_of_and_leaves_it_ready(site: Site) -> None:
    path = site.installation.folder.keyring
    path.rename(path.with_suffix(".away"))
    until(lambda: "the keyring can't be read" in site.first.get("/readyz").text, "the fault")
    assert site.first.get("/readyz").status_code == 200
    path.with_suffix(".away").rename(path)
    until(lambda: site.first.get("/readyz").text == "ready\n", "the keyring")


def test_without_a_keyring_it_is_not_ready_and_says_why(tmp_path: Path) -> None:
    with login_site(tmp_path, replicas=0) as site:
        path = site.installation.folder.keyring
        path.rename(path.with_suffix(".away"))
        replica = site.launch()
        why = f"- the keyring can't be read: there is no file {path}"
        until(lambda: why in reasons(replica), "the reason")
        assert replica.get("/readyz").status_code == 503
        path.with_suffix(".away").rename(path)
        replica.await_ready()


def test_the_database_away_after_first_contact_leaves_it_ready(
    tmp_path: Path, postgres_url: str, postgres_server: PostgresServer
) -> None:
    with login_site(tmp_path, database_url=postgres_url) as site:
        replica = site.first
        postgres_server.stop()
        until(lambda: "the database can't be used" in replica.get("/readyz").text, "the loss")
        # Also when the lease has run out.
        until(lambda: "no lease is held" in replica.get("/readyz").text, "the lease's end")
        assert replica.get("/readyz").status_code == 200
        assert replica.get("/healthz").status_code == 200
        sent = replica.get("/account", headers={"Cookie": f"__Host-mfa_session={'a' * 43}"})
        assert sent.status_code == 503
        assert int(sent.headers["retry-after"]) > 0
        postgres_server.start()
        until(lambda: replica.get("/readyz").text == "ready\n", "the way back")
        until(lambda: len(leases(site)) == 1, "the lease")


def test_a_database_that_was_never_there_keeps_it_unready(
    tmp_path: Path, postgres_url: str, postgres_server: PostgresServer
) -> None:
    with login_site(tmp_path, database_url=postgres_url, replicas=0) as site:
        postgres_server.stop()
        replica = site.launch()
        until(lambda: "the database can't be used" in reasons(replica), "the reason")
        assert replica.get("/readyz").status_code == 503
        postgres_server.start()
        replica.await_ready()


def test_tables_that_are_not_up_to_date_keep_it_unready_and_newer_ones_do_not(
    tmp_path: Path, postgres_url: str
) -> None:
    # A rollout: the operator has not taken the step yet, or has taken the next release's already.
    with login_site(tmp_path, database_url=postgres_url, replicas=0) as site:
        _pretend_step(site, "0001")
        replica = site.launch()
        until(lambda: "is at step 0001, this program needs" in reasons(replica), "the reason")
        assert replica.get("/readyz").status_code == 503
        _pretend_step(site, versions.head())
        replica.await_ready()
        _pretend_step(site, "9999")
        site.launch().await_ready()


def _pretend_step(site: Site, step: str) -> None:
    with site.installation.database() as db, db.write() as connection:
        connection.execute(text(f"UPDATE {SCHEMA}.alembic_version SET version_num = :step"), {"step": step})


def test_told_to_end_it_answers_who_has_asked(site: Site) -> None:
    replica, statuses = site.first, []
    ending = threading.Event()

    def ask() -> None:
        while not ending.is_set():
            answer = replica.ready()
            if answer is None:
                return
            statuses.append(answer.status_code)

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    until(lambda: len(statuses) > 20, "some answers")
    code = replica.stop()
    ending.set()
    for thread in threads:
        thread.join()
    assert code == 0
    assert set(statuses) == {200}


def test_ctrl_c_ends_it_as_well(site: Site) -> None:
    assert site.first.stop(signal.SIGINT) == 0
    assert leases(site) == []


def refused(tmp_path: Path, tree: dict[str, object]) -> str:
    """The error that the program ends with, on a folder that has all that it needs."""
    installation = Installation(tmp_path)
    installation.folder.root.mkdir(exist_ok=True)
    config = tmp_path / "login.yaml"
    config.write_text(dump_yaml(tree), encoding="utf-8")
    arguments = ["login", "--config", str(config), "--data-dir", str(installation.folder.root)]
    ended = call(*PROGRAM, *arguments)
    assert ended.code == 2, ended.err
    return ended.err.replace(str(tmp_path), "")


def usual(**more: object) -> dict[str, object]:
    return {
        "host": "login.example.com",
        "listen": f"{LOOPBACK}:{free_port()}",
        "metricsAddress": "",
        **more,
    }


def test_a_port_that_is_taken_is_told(site: Site, tmp_path: Path) -> None:
    taken = f"{LOOPBACK}:{site.first.port}"
    expected = f"error: {LOOPBACK} port {site.first.port} can't be listened on: Address already in use\n"
    assert expected in refused(tmp_path, usual(listen=taken))
    taken = f"{LOOPBACK}:{site.first.metrics_port}"
    assert "can't be listened on: Address already in use" in refused(tmp_path, usual(metricsAddress=taken))


def test_no_other_process_shares_its_port(site: Site) -> None:
    with socket.socket() as stranger:
        stranger.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        stranger.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        with pytest.raises(OSError, match="already in use"):
            stranger.bind((LOOPBACK, site.first.port))


@pytest.mark.parametrize(
    ("more", "error"),
    [
        ({"host": None}, "host: missing; write it, for example host: login.example.com"),
        (
            {"host": "login.example.co.uk", "cookieDomain": "co.uk"},
            "cookieDomain: co.uk is a public suffix, below which anybody lives",
        ),
        ({"listen": "8080"}, "listen: not an address and a port"),
        ({"tls": {"certificate": "/tls.crt"}}, "tls.key: missing"),
        ({"cookieDomian": "example.com"}, "cookieDomian: unknown; did you mean cookieDomain?"),
    ],
)
def test_a_configuration_that_is_wrong_is_told(tmp_path: Path, more: dict[str, object], error: str) -> None:
    assert error in refused(tmp_path, usual(**more))


def test_files_of_tls_that_can_not_be_used_are_told(tmp_path: Path) -> None:
    tls = {"certificate": str(tmp_path / "no.crt"), "key": str(tmp_path / "no.key")}
    assert "TLS can't be served with /no.crt and /no.key: No such file" in refused(tmp_path, usual(tls=tls))
    for name in ("no.crt", "no.key"):
        (tmp_path / name).write_text("nothing\n")
    assert "TLS can't be served with /no.crt and /no.key: " in refused(tmp_path, usual(tls=tls))
