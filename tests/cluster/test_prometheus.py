"""What a real Prometheus makes of a release's metrics: each alert fires by its cause, and ends by its page.

The commands of docs/runbooks are typed as they stand, in one test: its steps follow each other in one
release, what was done before stays done.
"""

from __future__ import annotations

import json
import re
import secrets
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

import httpx
import pytest
from sqlalchemy import make_url, update

from practicus_mfa.clock import utc_now
from practicus_mfa.crypto.keys import generate_key
from practicus_mfa.crypto.tokens import seal
from practicus_mfa.storage import factors, schema, users
from tests.support.chart import of_kind
from tests.support.cluster import steps
from tests.support.cluster.ingress import Ingress, ingress
from tests.support.cluster.login_release import REPLICAS, ROLE, ROLES
from tests.support.cluster.product import LogIns, give_passwords
from tests.support.cluster.watched import Watched, old_reader, watched_release
from tests.support.installation import secret_of
from tests.support.runbooks import alerts, statement
from tests.support.waiting import until

if TYPE_CHECKING:
    from collections.abc import Iterator

    from practicus_mfa.crypto.keys import FernetKey
    from tests.support.cluster.with_node import NodeCluster
    from tests.support.postgres import PostgresServer

A, B, C = generate_key(), generate_key(), generate_key()
FOUND, LOST = generate_key(), generate_key()
"""Keys that rows are under and the product has never heard of: one that somebody still has, and one that
nobody has."""

PEOPLE: Final = [f"user-{number}" for number in range(250)]
"""So many that somebody comes all the time: a code works once."""

AGE: Final = timedelta(hours=2)
"""Of a rotation that is an hour too old."""


@pytest.fixture(scope="module")
def watched(
    node_cluster: NodeCluster,
    tmp_path_factory: pytest.TempPathFactory,
    postgres_server: PostgresServer,
    pods_postgres: str,
) -> Iterator[Watched]:
    root = tmp_path_factory.mktemp("watched")
    with watched_release(node_cluster, root, postgres_server, pods_postgres, A) as found:
        found.release.installation.enrol(*PEOPLE)
        give_passwords(found.release.installation, *PEOPLE)
        yield found


@pytest.fixture
def at(watched: Watched) -> Iterator[Ingress]:
    """Where people come, at this moment."""
    with ingress(watched.release.nodes.node.machine, watched.release.service()) as running:
        yield running


# --- all is well --------------------------------------------------------------------------------------------


def test_all_pods_are_scraped_and_show_each_series_that_an_alert_asks_for(watched: Watched) -> None:
    pods = watched.pods()
    components = [pod["metadata"]["labels"]["app.kubernetes.io/component"] for pod in pods]
    assert sorted(components) == ["login"] * REPLICAS + ["operator"]
    ask = watched.prometheus.value
    until(lambda: ask("sum(up)") == len(pods), "all pods to be scraped")
    asked = {
        series
        for group in watched.groups
        for rule in group["rules"]
        for series in re.findall(r"practicus_mfa_\w+\{[^}]*\}", rule["expr"])
    }
    assert len(asked) > len(watched.groups[0]["rules"])

    def absent() -> set[str]:
        return {series for series in asked if not ask(f"count({series})")}

    # A pod that answers late is not there until the next scrape.
    until(lambda: not absent(), "each series to be scraped")
    # A policy's series say whose they are; those of a replica get its namespace from Prometheus.
    of_both = '{__name__=~"practicus_mfa_(users|login_total)"}[1m]'
    places = {labels["namespace"] for labels in watched.prometheus.labels(of_both)}
    assert places == {watched.release.installation.namespace}
    assert ask('count({exported_namespace!=""})') is None


def test_nothing_fires_while_all_is_well(watched: Watched) -> None:
    rules = {rule["alert"] for group in watched.groups for rule in group["rules"]}
    assert set(watched.prometheus.alerts()) == rules == set(alerts())
    watched.fires()


def test_each_panel_of_the_dashboard_shows_a_number_while_people_log_in(
    watched: Watched, at: Ingress
) -> None:
    found = of_kind(watched.objects, "ConfigMap", f"{watched.release.name}-dashboard")
    dashboard: dict[str, Any] = json.loads(found["data"]["practicus-mfa.json"])
    variables = {"__rate_interval": "1m"}
    for variable in dashboard["templating"]["list"]:
        if variable["type"] == "query":
            name, query = variable["name"], variable["query"]["query"]
            until(lambda: chosen(watched, query, variables) != set(), f"the choices of {name}")  # noqa: B023 - at once
            # As Grafana writes All.
            variables[name] = f"({'|'.join(chosen(watched, query, variables))})"
    targets = [
        (panel["title"], filled_in(target["expr"], variables))
        for panel in dashboard["panels"]
        for target in panel.get("targets", ())
    ]
    asked_of = " ".join(expression for _, expression in targets)
    for shown in ("users", "rows_reencrypted_total", "login_total", "verify_duration_seconds_bucket"):
        assert f"practicus_mfa_{shown}{{" in asked_of

    def empty() -> list[tuple[str, str]]:
        return [each for each in targets if not watched.prometheus.numbers(each[1])]

    def results() -> set[str]:
        seen = watched.prometheus.labels("sum by (result) (practicus_mfa_login_total) > 0")
        return {labels["result"] for labels in seen}

    last: tuple[list[tuple[str, str]], set[str]] = ([], set())

    def all_shown() -> bool:
        nonlocal last
        # Again and again: a rate that looks back a minute has forgotten an older question.
        for pod in watched.release.pods():
            ask_forward_auth(pod["status"]["podIP"])
        # Kept: where a scrape comes late, the next look may miss something again.
        last = empty(), results()
        return last[0] == [] and last[1] != set()

    with LogIns(PEOPLE).going_on(at) as people:
        until(lambda: bool(people.failures) or all_shown(), "panels that show something")
    assert people.failures == []
    assert last == ([], {"success"})


def chosen(watched: Watched, query: str, variables: dict[str, str]) -> set[str]:
    """Return what a variable of the dashboard may be, by the query of Grafana's own that it is filled by."""
    asked = re.fullmatch(r"label_values\((.*), (\w+)\)", query)
    assert asked, query
    series = watched.prometheus.labels(filled_in(asked[1], variables))
    return {labels[asked[2]] for labels in series if asked[2] in labels}


def filled_in(expression: str, variables: dict[str, str]) -> str:
    return re.sub(r"\$(\w+)", lambda found: variables[found[1]], expression)


def ask_forward_auth(address: str) -> None:
    """Ask a replica whether somebody who is not logged in may enter; whatever it says is an answer."""
    httpx.get(f"http://{address}:8080/auth/verify", trust_env=False, timeout=60)


# --- each alert ---------------------------------------------------------------------------------------------


def test_each_alert_fires_by_its_cause_and_ends_by_the_commands_of_its_page(
    watched: Watched, at: Ingress
) -> None:
    a_replica_that_never_has_the_new_key_is_told_and_what_waits_for_it_meanwhile(watched)
    a_suspended_rotation_is_told(watched)
    rows_that_no_key_opens_are_told_until_a_key_is_found_or_they_are_gone(watched)
    a_database_that_is_away_is_told_while_people_come_and_its_return_is_seen(watched, at)
    a_login_service_that_is_scaled_to_nothing_is_told(watched)
    a_login_service_whose_password_was_changed_is_told(watched)
    an_operator_that_may_not_say_what_it_finds_is_told(watched)
    an_operator_that_is_gone_is_told(watched)
    assert watched.prometheus.fired() == set(alerts())
    assert watched.on_call.never_typed() == []


# --- rotations ----------------------------------------------------------------------------------------------


def a_replica_that_never_has_the_new_key_is_told_and_what_waits_for_it_meanwhile(
    watched: Watched,
) -> None:
    release, installation, on_call = watched.release, watched.release.installation, watched.on_call
    behind = old_reader(release)
    watched.edit_values(B, A)
    release.apply("upgrade", B, A)
    watched.fires("MfaReadersNotConverged")
    said = on_call.look("MfaReadersNotConverged")
    assert behind in said.splitlines()[0]
    logged = "\n".join(line for line in said.splitlines() if f"pod/{behind}/" in line)
    assert f"reads with {A.id}" in logged
    assert B.id not in logged

    # Somebody turned off what would refuse this.
    watched.edit_values(B, admission={"enabled": False})
    release.apply("upgrade", B, A)
    until(lambda: not release.refusal(B), "the upgrade to pass")
    watched.fires("MfaReadersNotConverged", "MfaOldKeyRemovedEarly")
    said = on_call.look("MfaOldKeyRemovedEarly")
    assert A.id in said.splitlines()[0]
    watched.edit_values(B, A, admission={"enabled": True})
    on_call.do("MfaOldKeyRemovedEarly", "helm upgrade")
    watched.fires("MfaReadersNotConverged")

    of_now = schema.rotations.c.completed_at.is_(None)
    with installation.database() as db, db.write() as connection:
        aged = update(schema.rotations).where(of_now).values(started_at=utc_now() - AGE)
        assert connection.execute(aged).rowcount == 1
    watched.fires("MfaReadersNotConverged", "MfaRotationStalled")
    assert "Ready=False WaitingForReaders" in on_call.look("MfaRotationStalled")
    on_call.do("MfaReadersNotConverged", "kubectl -n $NAMESPACE delete pod", POD=behind)
    on_call.do("MfaOldKeyRemovedEarly", "kubectl -n $NAMESPACE wait")
    watched.rotated()
    assert installation.status()["activeKeyID"] == B.id


def a_suspended_rotation_is_told(watched: Watched) -> None:
    release, installation, on_call = watched.release, watched.release.installation, watched.on_call
    release.change(migration={"suspend": True})
    release.apply("upgrade", C, B)
    watched.fires("MfaRotationStalled")
    assert "Stalled=True Suspended" in on_call.look("MfaRotationStalled")
    watched.edit_values(C, B, migration={"suspend": False})
    on_call.do("MfaRotationStalled", "helm upgrade")
    on_call.do("MfaRotationStalled", "kubectl -n $NAMESPACE wait")
    watched.rotated()
    assert installation.status()["activeKeyID"] == C.id


# --- rows that nothing opens --------------------------------------------------------------------------------


def rows_that_no_key_opens_are_told_until_a_key_is_found_or_they_are_gone(watched: Watched) -> None:
    installation, on_call = watched.release.installation, watched.on_call
    found, lost, damaged, moved = PEOPLE[:4]
    for name, key in ((found, FOUND), (lost, LOST)):
        steps.change(installation, name, token=sealed_for(watched, name, key), key_id=None)
    before = steps.token(installation, moved)
    steps.change(installation, damaged, token="gAAAAAdamaged", key_id=None)
    steps.change(installation, moved, token=steps.token(installation, PEOPLE[5]), key_id=None)
    # Nothing goes on by itself either.
    watched.fires("MfaUnknownKeyRows", "MfaCorruptRows", "MfaRotationStalled")
    assert "Stalled=True CorruptRows" in on_call.look("MfaRotationStalled")
    assert named(on_call.look("MfaCorruptRows")) == [found, lost, damaged, moved]
    on_call.do("MfaCorruptRows", "kubectl -n $NAMESPACE exec", NAME=damaged)
    # Somebody has a backup of this row.
    with installation.database() as db, db.write() as connection:
        (factor,) = factors.of_user(connection, users.get(connection, moved).id)
        connection.exec_driver_sql(statement("MfaCorruptRows", TOKEN=before, ID=factor.id))
    watched.fires("MfaUnknownKeyRows", "MfaRotationStalled")
    assert named(on_call.look("MfaUnknownKeyRows")) == [found, lost]
    watched.edit_values(C, FOUND)
    on_call.do("MfaUnknownKeyRows", "helm upgrade")
    until(lambda: installation.status()["users"]["unknown"] == 1, "the row whose key was found")
    on_call.do("MfaUnknownKeyRows", "kubectl -n $NAMESPACE exec", NAME=lost)
    watched.rotated()
    installation.check_secrets([found, moved, *PEOPLE[4:]], C)


def named(said: str) -> list[str]:
    """Return the people whom a list of users names."""
    return [name for name in PEOPLE if re.search(rf"^{name}\b", said, re.MULTILINE)]


def sealed_for(watched: Watched, name: str, key: FernetKey) -> str:
    with watched.release.installation.database() as db, db.read() as connection:
        owner = users.get(connection, name).id
    return seal(secret_of(name), owner=owner, key=key, now=int(utc_now().timestamp()))


# --- the login service --------------------------------------------------------------------------------------


def a_database_that_is_away_is_told_while_people_come_and_its_return_is_seen(
    watched: Watched, at: Ingress
) -> None:
    on_call, people = watched.on_call, LogIns(PEOPLE[4:])
    with people.going_on(at):
        try:
            watched.server.stop()
            watched.fires("MfaScanStale", "MfaLoginErrorsHigh")
            assert "DatabaseReachable=False DatabaseUnreachable" in on_call.look("MfaScanStale")
            said = on_call.look("MfaLoginErrorsHigh")
        finally:
            watched.server.start()
        assert "a page could not be served" in said
        # It is away for all of them: no replica is taken from its place.
        assert re.search(r"^ready\n- the database can't be used", said, re.MULTILINE)
        on_call.do("MfaScanStale", "kubectl -n $NAMESPACE wait")
        watched.fires()
        people.failures.clear()
        before = people.done
        until(lambda: people.done > before + 5, "log-ins")
        assert people.failures == []
    gone, *_ = watched.release.pods()
    on_call.do("MfaLoginErrorsHigh", "kubectl -n $NAMESPACE delete pod", POD=gone["metadata"]["name"])
    watched.release.await_people()
    watched.scrape_anew()
    watched.fires()


def a_login_service_that_is_scaled_to_nothing_is_told(watched: Watched) -> None:
    release, on_call = watched.release, watched.on_call
    release.kubectl("scale", f"deploy/{release.name}-login", "--replicas=0")
    watched.fires("MfaLoginAbsent")
    assert "No resources found" in on_call.look("MfaLoginAbsent")
    assert "0/0" in on_call.do("MfaLoginAbsent", "kubectl -n $NAMESPACE get deploy")
    on_call.do("MfaLoginAbsent", "kubectl -n $NAMESPACE scale")
    watched.fires()


def a_login_service_whose_password_was_changed_is_told(watched: Watched) -> None:
    on_call, password = watched.on_call, secrets.token_hex(8)
    watched.release.await_people()
    watched.change_role(password)
    watched.fires("MfaLoginAbsent")
    said = on_call.look("MfaLoginAbsent")
    assert len(re.findall(r" 1/1 +Running", said)) == REPLICAS
    assert "ready\n- the database can't be used" in said
    url = make_url(watched.release.installation.database_url).set(
        drivername="postgresql", username=ROLES.login, password=password
    )
    (on_call.folder / "url").write_text(url.render_as_string(hide_password=False), "utf-8")
    on_call.do("MfaLoginAbsent", "kubectl -n $NAMESPACE create secret", SECRET=ROLE)
    on_call.do("MfaLoginAbsent", "kubectl -n $NAMESPACE rollout restart")
    on_call.do("MfaLoginAbsent", "kubectl -n $NAMESPACE rollout status")
    watched.scrape_anew()
    watched.fires()


# --- the operator -------------------------------------------------------------------------------------------


def an_operator_that_may_not_say_what_it_finds_is_told(watched: Watched) -> None:
    release, on_call = watched.release, watched.on_call
    role = f"role/{release.name}-operator"
    of_status = {"op": "test", "path": "/rules/1/resources/0", "value": "mfapolicies/status"}
    taken = [of_status, {"op": "remove", "path": "/rules/1"}]
    release.kubectl("patch", role, "--type=json", f"--patch={json.dumps(taken)}")
    release.installation.enrol("late")
    # What it counts it can't say either.
    watched.fires("MfaReconcileStale", "MfaScanStale")
    assert "forbidden" in on_call.look("MfaReconcileStale")
    watched.edit_values(C, FOUND)
    on_call.do("MfaReconcileStale", "helm upgrade")
    watched.fires()
    total = len(PEOPLE) + 1
    until(lambda: release.installation.status()["users"]["total"] == total, "all users to be counted")


def an_operator_that_is_gone_is_told(watched: Watched) -> None:
    on_call = watched.on_call
    watched.release.kubectl("scale", f"deploy/{watched.release.name}-operator", "--replicas=0")
    watched.fires("MfaOperatorAbsent")
    assert "0/0" in on_call.look("MfaOperatorAbsent")
    on_call.do("MfaOperatorAbsent", "kubectl -n $NAMESPACE scale")
    on_call.do("MfaOperatorAbsent", "kubectl -n $NAMESPACE rollout status")
    on_call.do("MfaReconcileStale", "kubectl -n $NAMESPACE rollout restart")
    on_call.do("MfaReconcileStale", "kubectl -n $NAMESPACE rollout status")
    watched.scrape_anew()
    watched.fires()
