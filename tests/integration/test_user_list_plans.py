"""How PostgreSQL finds the users of a page among a hundred thousand: what is read grows with the page.

The statements are those that the list really sends. A plan may read ``mfa_factors`` as a whole where MFA
under another key is asked for, or none at all: an index on the key would have to be written for each row that
a rotation brings under another one, for a filter that takes some tens of milliseconds without it (see
decision 5). Nothing may read ``mfa_users`` as a whole, but where it is sorted by the last
log-in (for the same reason: each log-in would write the index), and where those who may not log in are asked
for, who are no matter of a page's speed.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import Connection, event, text

from practicus_mfa.storage.schema import SCHEMA
from practicus_mfa.storage.user_list import Sort, Wanted, ids_page, page
from tests.support.many_users import ACTIVE, MANY, many_users
from tests.support.stores import ready, rolled_back

if TYPE_CHECKING:
    from practicus_mfa.storage.engine import Database
    from tests.support.postgres import PostgresServer

SIZE = 50


@pytest.fixture(scope="module")
def crowd(postgres_server: PostgresServer) -> Iterator[Database]:
    """A hundred thousand users; nothing may change them."""
    name = postgres_server.create_database()
    with ready(postgres_server.url(name)) as db:
        many_users(db)
        yield db
    postgres_server.drop_database(name)


@contextmanager
def statements(connection: Connection) -> Iterator[list[tuple[str, Any]]]:
    """The statements that are sent meanwhile, with their values."""
    sent: list[tuple[str, Any]] = []

    def keep(
        _connection: Connection, _cursor: object, statement: str, values: object, *_more: object
    ) -> None:
        sent.append((statement, values))

    event.listen(connection, "before_cursor_execute", keep)
    try:
        yield sent
    finally:
        event.remove(connection, "before_cursor_execute", keep)


def nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield every node of a plan."""
    yield plan
    for inner in plan.get("Plans", ()):
        yield from nodes(inner)


def of_users(connection: Connection, sent: list[tuple[str, Any]]) -> list[dict[str, Any]]:
    """Return the nodes of the one statement's plan that chose users."""
    (chose,) = [one for one in sent if "mfa_users" in one[0] and " LIMIT " in one[0]]
    plan = connection.exec_driver_sql(f"EXPLAIN (ANALYZE, FORMAT JSON) {chose[0]}", chose[1]).scalar_one()
    plan = json.loads(plan) if isinstance(plan, str) else plan
    return list(nodes(plan[0]["Plan"]))


def whole(found: list[dict[str, Any]]) -> list[str]:
    """Return the tables that a plan reads as a whole."""
    return [node["Relation Name"] for node in found if node["Node Type"] == "Seq Scan"]


def touched(found: list[dict[str, Any]]) -> float:
    """Return how many rows of tables and indexes a plan looked at."""
    rows: float = sum(
        node["Actual Loops"] * (node["Actual Rows"] + node.get("Rows Removed by Filter", 0))
        for node in found
        if "Scan" in node["Node Type"]
    )
    return rows


ONE_NAME = "c4ca42381"
"""The first user's name."""

PAGES = {
    # What is wanted, what it is sorted by, how many users the page has, how many rows may be looked at.
    "names": (Wanted(), Sort.USERNAME, SIZE, 3 * SIZE),
    "addresses": (Wanted(), Sort.EMAIL, SIZE, 3 * SIZE),
    "names of persons": (Wanted(), Sort.NAME, SIZE, 3 * SIZE),
    "one user": (Wanted(search=ONE_NAME), Sort.USERNAME, 1, 50),
    "one user by two words": (Wanted(search=f"ANNA {ONE_NAME[:-1]}"), Sort.EMAIL, 1, 50),
    "some": (Wanted(search="lovelace371 deniz"), Sort.NAME, 7, 500),
    "very many": (Wanted(search="deniz"), Sort.NAME, SIZE, MANY),
    "nobody": (Wanted(search="nobody at all"), Sort.USERNAME, 0, 50),
    "administrators": (Wanted(administrators=True), Sort.USERNAME, SIZE, 200),
    "undecryptable": (Wanted(undecryptable=True), Sort.USERNAME, 10, 200),
    "some administrators": (Wanted(administrators=True, search="ada"), Sort.EMAIL, SIZE, MANY),
}


@pytest.mark.parametrize(("wanted", "sort", "users", "most"), PAGES.values(), ids=PAGES)
@pytest.mark.parametrize("descending", [False, True])
def test_a_page_is_found_by_an_index(
    crowd: Database, wanted: Wanted, sort: Sort, users: int, most: float, descending: bool
) -> None:
    with crowd.read() as connection, statements(connection) as sent:
        listed = page(connection, wanted, sort=sort, descending=descending, size=SIZE).users
        found = of_users(connection, sent)
    assert "mfa_users" not in whole(found)
    assert (len(listed), touched(found) <= most) == (users, True)


def test_a_page_far_down_costs_as_much_as_the_first_one(crowd: Database) -> None:
    for sort in (Sort.USERNAME, Sort.EMAIL, Sort.NAME):
        with crowd.read() as connection:
            cursor = page(connection, Wanted(), sort=sort, size=MANY // 2).next
            with statements(connection) as sent:
                deep = page(connection, Wanted(), sort=sort, cursor=cursor, size=SIZE)
                there = of_users(connection, sent)
            with statements(connection) as sent:
                page(connection, Wanted(), sort=sort, cursor=deep.previous, size=SIZE)
                back = of_users(connection, sent)
        assert (touched(there), touched(back)) == (SIZE + 1, SIZE + 1)


def test_stopped_users_are_found_by_their_counters(crowd: Database) -> None:
    with crowd.read() as connection, statements(connection) as sent:
        assert len(page(connection, Wanted(stopped=True), size=SIZE).users) == 33
        found = of_users(connection, sent)
    assert "mfa_users" not in whole(found)


@pytest.mark.parametrize("wanted", [Wanted(on_rolling_key=True), Wanted(without_mfa=True)])
def test_a_filter_of_keys_reads_factors_as_a_whole_at_most(crowd: Database, wanted: Wanted) -> None:
    with crowd.read() as connection, statements(connection) as sent:
        assert len(page(connection, wanted, size=SIZE).users) == SIZE
        found = of_users(connection, sent)
    assert "mfa_users" not in whole(found)


def test_few_who_are_left_are_found_at_once_though_statistics_are_old(crowd: Database) -> None:
    # As after a rotation, and after everybody was told to enrol.
    changes = (
        "UPDATE {0}.mfa_factors SET key_id = '{1}' WHERE key_id IS NOT NULL AND id % 5000 <> 7",
        (
            "INSERT INTO {0}.mfa_factors (user_id, token, key_id) SELECT id, 'x', '{1}' FROM {0}.mfa_users"
            " WHERE id % 4 = 0 AND id % 5000 <> 4"
        ),
    )
    with rolled_back(crowd) as connection:
        for change in changes:
            connection.execute(text(change.format(SCHEMA, ACTIVE)))
        for wanted, few in ((Wanted(on_rolling_key=True), 2), (Wanted(without_mfa=True), 20)):
            with statements(connection) as sent:
                assert len(page(connection, wanted, size=SIZE).users) == few
                found = of_users(connection, sent)
            # No factor is looked up for each of all users.
            assert max(node["Actual Loops"] for node in found) <= SIZE


@pytest.mark.parametrize(
    "wanted",
    [Wanted(), Wanted(administrators=True), Wanted(undecryptable=True), Wanted(search="ada lovelace")],
)
def test_a_bulk_run_goes_on_without_reading_all_users(crowd: Database, wanted: Wanted) -> None:
    with crowd.read() as connection, statements(connection) as sent:
        assert ids_page(connection, wanted, MANY // 2, 20)
        found = of_users(connection, sent)
    assert "mfa_users" not in whole(found)
