"""The login service of the chart as people have it: through an ingress, over changes of keys and of releases.

The first administrator is in Chromium, and stays logged in until the end; others log in with password and
code all the time. One database, and over it:

- Helm 3 installs a release, upgrades it, rotates its keys and rolls them back.
- Helm 4 takes that release over, as where a team updates its Helm: it goes on applying as Helm 3 did.
- Helm 4 removes it and installs it anew. What it installs itself it applies on the server's side: so keys are
  rotated and rolled back once more, and this time the old key is dropped too early.

Each test begins and ends with a release at rest under one key, and needs none of those before it.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from practicus_mfa.crypto.keys import generate_key
from practicus_mfa.storage import audit, readers
from tests.support.browser import heading, log_in
from tests.support.cluster.administrator import NAME, Administrator, window
from tests.support.cluster.fixtures_product import ABROAD, EARLIER, LATER, USERS
from tests.support.cluster.login_release import REPLICAS, ROLES
from tests.support.cluster.spellings import spellings
from tests.support.cluster.whole_product import Product, held
from tests.support.navigation import visit
from tests.support.waiting import until

if TYPE_CHECKING:
    from practicus_mfa.crypto.keys import FernetKey
    from tests.support.cluster.ingress import Ingress
    from tests.support.postgres import PostgresServer


def test_pods_hold_leases_of_their_names_and_are_not_started_twice(product: Product) -> None:
    release = product.release
    names = sorted(pod["metadata"]["name"] for pod in release.pods())
    assert len(names) == REPLICAS

    def holders() -> list[str]:
        with release.installation.database() as db, db.read() as connection:
            return [reader.instance for reader in readers.unexpired(connection)]

    until(lambda: holders() == names, "the leases of these pods, and no others")
    assert set(release.lives().values()) == {0}
    until(
        lambda: release.installation.conditions()["ReadersConverged"] == ("True", "Converged"), "the readers"
    )


def test_the_first_administrator_comes_in_by_the_command_of_the_notes(
    product: Product, administrator: Administrator, at: Ingress
) -> None:
    release, page = product.release, administrator.page
    assert administrator.still_in()
    visit(page, administrator.link)
    assert heading(page) == "This link does not work any more"
    administrator.a_while_later()
    assert page.context.browser
    with window(page.context.browser) as another:
        log_in(another, administrator.person)
        visit(another, "/admin/users")
        assert heading(another) == "Users"
    with release.installation.database() as db, db.read() as connection:
        lines = [line for line in audit.read(connection) if line.subject == NAME]
    # The proxy is believed: this is where the browser is, not where the proxy is.
    seen = {line.detail["address"] for line in lines if "address" in line.detail}
    assert seen == {release.nodes.host_address}


def test_pods_are_replaced_without_a_failed_log_in_and_go_on_with_a_lesser_role(
    product: Product, administrator: Administrator, at: Ingress, postgres_server: PostgresServer
) -> None:
    release, before = product.release, product.release.lives()
    with product.people.going_on(at):
        product.await_log_ins(1)
        release.give_a_role(postgres_server)
        release.apply("upgrade", product.key)
        release.await_people()
        until(lambda: len(release.pods()) == REPLICAS, "the pods before to end")
        product.await_log_ins()
    assert product.people.failures == []
    assert not set(before) & set(release.lives())
    connected = postgres_server.execute("SELECT DISTINCT usename FROM pg_stat_activity")
    assert (ROLES.login,) in connected
    assert administrator.still_in()


def test_no_log_in_fails_and_no_pod_starts_anew_while_helm_3_rotates_keys_and_rolls_them_back(
    product: Product, administrator: Administrator, at: Ingress
) -> None:
    release, old, new = product.release, product.key, generate_key()
    lives, former = release.lives(), release.revision()
    with product.people.going_on(at):
        product.await_log_ins(1)
        before = product.people.done
        release.apply("upgrade", new, old)
        product.await_moved(new, old, USERS)
        jobs = ("pods", "-l=app.kubernetes.io/component=migration", "-o=name")
        assert release.kubectl("get", *jobs) != ""
        assert product.people.done > before
        administrator.prove()
        product.drop_all_but(new)
        product.await_log_ins()
    assert product.people.failures == []
    product.roll_back(former, at)
    assert administrator.still_in()
    assert release.lives() == lives


def test_helm_4_takes_the_release_over_and_a_new_one_over_the_same_database_lets_everybody_in(
    anew: Product, administrator: Administrator, at_anew: Ingress
) -> None:
    assert administrator.still_in()
    administrator.prove()
    anew.let_in(at_anew)


def test_helm_4_is_refused_to_drop_a_key_too_early_and_where_nobody_refuses_nothing_is_lost(
    anew: Product, administrator: Administrator, at_anew: Ingress
) -> None:
    release, old, new = anew.release, anew.key, generate_key()
    lives, former = release.lives(), release.revision()
    with anew.people.going_on(at_anew):
        with held(release.installation, ABROAD):
            # Row after row, so that those after the one that is held stay where they are.
            release.change(migration={"batchSize": 1, "parallelism": 1, "shards": 1})
            release.apply("upgrade", new, old)
            until(lambda: anew.under(new) >= set(EARLIER), "the rows before the one that is held")
            assert anew.under(old) >= {*LATER, ABROAD, NAME}
            refused(anew, old, new)
            dropped(anew, old, new)
            administrator.prove()
            # Also by a pod that comes when values.yaml no longer has the key.
            gone = release.replace_a_pod()
            until(lambda: anew.keys_held() == [{old.id, new.id}] * REPLICAS, "its keys")
            for names in (EARLIER, LATER):
                anew.await_log_ins(of=names)
            assert anew.under(old) >= {*LATER, ABROAD, NAME}
            # The way back.
            release.change(admission={"enabled": True})
            release.apply("upgrade", new, old)
            until(lambda: retirable(anew) == f"Rows may still need key {old.id}.", "the warning to end")
        anew.await_moved(new, old, USERS)
        assert retirable(anew) == f"No row needs key {old.id}: it may be removed from values.yaml."
        anew.drop_all_but(new)
        anew.await_log_ins()
    assert anew.people.failures == []
    anew.roll_back(former, at_anew)
    assert administrator.still_in()
    now = release.lives()
    assert set(lives) - set(now) == {gone}
    assert set(now.values()) == {0}


def refused(product: Product, old: FernetKey, new: FernetKey) -> None:
    """The API server refuses, Helm prints the remedy, and the remedy helps."""
    release = product.release
    told = release.refusal(new)
    assert "denied request" in told
    assert "rows may still need the rolling key that this edit drops: put it back" in told
    assert not any(text in told for key in (old, new) for text in spellings(key.text))
    command = re.search(r"`kubectl (-n \S+ describe mfap \S+)` shows what holds it up", told)
    assert command
    shown = release.nodes.plane.kubectl(*command[1].split())
    assert f"Rows may still need key {old.id}." in shown
    release.apply("upgrade", new, old)
    assert "OldKeyRemovedEarly" not in release.installation.events()


def dropped(product: Product, old: FernetKey, new: FernetKey) -> None:
    """Where the policy is off, nobody refuses; the keyring has the key, and the condition says so."""
    release, installation = product.release, product.release.installation
    release.change(admission={"enabled": False})
    release.apply("upgrade", new, old)
    # The API server takes a moment to forget an admission policy.
    until(lambda: not release.refusal(new), "the upgrade to pass")
    early = f" Key {old.id} was removed from values.yaml too early; the keyring still has it."
    until(lambda: retirable(product) == f"Rows may still need key {old.id}.{early}", "the warning")
    conditions = installation.conditions()
    assert conditions["OldKeyRetirable"] == ("False", "RowsRemain")
    assert conditions["DataUpToDate"] == ("False", "Migrating")
    assert conditions["KeysValid"] == ("True", "Valid")
    assert installation.events().count("OldKeyRemovedEarly") == 1


def retirable(product: Product) -> str:
    """What the policy says of the old key."""
    return product.release.installation.message("OldKeyRetirable")
