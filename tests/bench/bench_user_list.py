"""The list of users at a hundred thousand: its first page, each filter and search, beside a plain page.

    python -m tests.bench.bench_user_list [USERS]

Each line is the quickest of several pages of 100 users and how it compares with the plain first page of the
same round; PostgreSQL without a restart in between, so what is read is in memory. The filters that depend on
keys are measured where they are worst as well: when all but some are done, and PostgreSQL's statistics do not
know that yet. At the end an administrator asks the running service for whole pages, over TLS.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import TYPE_CHECKING, Final

from sqlalchemy import text

from practicus_mfa.login.administer import create_user
from practicus_mfa.storage.engine import connect
from practicus_mfa.storage.schema import SCHEMA
from practicus_mfa.storage.user_list import Sort, Wanted, count, every, ids_page, page, summary
from practicus_mfa.storage.users import NewUser
from practicus_mfa.storage.versions import upgrade
from tests.support import postgres_programs
from tests.support.login_site import login_site
from tests.support.many_users import ACTIVE, MANY, many_people, many_users
from tests.support.postgres import PostgresServer
from tests.support.web_user import WebUser

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlalchemy import Connection

    from practicus_mfa.storage.engine import Database

ROUNDS: Final = 5
SIZE: Final = 100
GOAL_MILLISECONDS: Final = 200

Measured = dict[str, "Callable[[Connection], object]"]


def _page(
    wanted: Wanted, sort: Sort = Sort.USERNAME, *, descending: bool = False
) -> Callable[[Connection], object]:
    return lambda connection: page(connection, wanted, sort=sort, descending=descending, size=SIZE)


def _deep(db: Database, sort: Sort) -> Callable[[Connection], object]:
    with db.read() as connection:
        cursor = page(connection, Wanted(), sort=sort, size=MANY // 2).next
    return lambda connection: page(connection, Wanted(), sort=sort, cursor=cursor, size=SIZE)


PLAIN: Final = "first page"

FILTERS: Final[Measured] = {
    PLAIN: _page(Wanted()),
    "on the rolling key": _page(Wanted(on_rolling_key=True)),
    "on the rolling key, by e-mail address": _page(Wanted(on_rolling_key=True), Sort.EMAIL),
    "without MFA": _page(Wanted(without_mfa=True)),
    "count: on the rolling key": lambda connection: count(connection, Wanted(on_rolling_key=True)),
    "count: without MFA": lambda connection: count(connection, Wanted(without_mfa=True)),
}

PAGES: Final[Measured] = {
    **FILTERS,
    "by e-mail address": _page(Wanted(), Sort.EMAIL),
    "by name, descending": _page(Wanted(), Sort.NAME, descending=True),
    "by the last log-in": _page(Wanted(), Sort.LAST_LOGIN),
    "administrators": _page(Wanted(administrators=True)),
    "may not log in": _page(Wanted(inactive=True)),
    "undecryptable": _page(Wanted(undecryptable=True)),
    "stopped": _page(Wanted(stopped=True)),
    "search: one user": _page(Wanted(search="c4ca42381")),
    "search: one in five": _page(Wanted(search="deniz")),
    "search: everybody": _page(Wanted(search="example")),
    "count": lambda connection: count(connection, Wanted()),
    "ids for a bulk action": lambda connection: ids_page(connection, Wanted(), MANY // 2, 200),
    "what stands above the list": summary,
}


def _measure(db: Database, asked: Measured) -> None:
    best: dict[str, float] = {}
    ratios: dict[str, list[float]] = {name: [] for name in asked}
    for _ in range(ROUNDS):
        plain = 0.0
        for name, action in asked.items():
            with db.read() as connection:
                begin = perf_counter()
                action(connection)
                took = 1_000 * (perf_counter() - begin)
            plain = took if name == PLAIN else plain
            best[name] = min(took, best.get(name, took))
            ratios[name].append(took / plain)
    for name, took in best.items():
        print(f"  {name:40} {took:7.1f} ms {sorted(ratios[name])[ROUNDS // 2]:7.1f} of a plain page")


def main() -> None:
    many = int(sys.argv[1]) if len(sys.argv) > 1 else MANY
    programs = postgres_programs.find()
    if programs is None:
        sys.exit(postgres_programs.REMEDY)
    with PostgresServer(programs) as server:
        db = connect(server.url(server.create_database()))
        upgrade(db)
        many_users(db, many=many)
        print(
            f"{many:,} users, 75 % have MFA, 10 % of it under the rolling key (goal {GOAL_MILLISECONDS} ms)"
        )
        deep = {f"{sort}: a page in the middle": _deep(db, sort) for sort in (Sort.USERNAME, Sort.EMAIL)}
        _measure(db, {**PAGES, **deep})
        begin = perf_counter()
        lines = sum(1 for _ in every(db, Wanted()))
        print(f"  all {lines:,} for a file: {perf_counter() - begin:.1f} s")
        with db.write() as connection:
            done = (
                f"UPDATE {SCHEMA}.mfa_factors SET key_id = '{ACTIVE}'"
                " WHERE key_id IS NOT NULL AND id % 5000 <> 7"
            )
            connection.execute(text(f"ALTER TABLE {SCHEMA}.mfa_factors SET (autovacuum_enabled = false)"))
            connection.execute(text(done))
            connection.execute(
                text(
                    f"INSERT INTO {SCHEMA}.mfa_factors (user_id, token, key_id) SELECT id, 'x', '{ACTIVE}'"
                    f" FROM {SCHEMA}.mfa_users WHERE id % 4 = 0 AND id % 5000 <> 4"
                )
            )
        print("nearly all enrolled and migrated, and PostgreSQL does not know it")
        _measure(db, FILTERS)
        with db.write() as connection:
            connection.execute(text(f"ANALYZE {SCHEMA}.mfa_factors"))
        print("the same when it does")
        _measure(db, FILTERS)
        _index(db)
        db.close()
        _whole_pages(server, many)


WHOLE: Final = {
    "the first page": "/admin/users",
    "without MFA": "/admin/users?show=without-mfa",
    "by the last log-in": "/admin/users?sort=last_login",
    "a search for one in five": "/admin/users?search=deniz",
}
PASSWORD: Final = "a pass phrase of this bench"


def _whole_pages(server: PostgresServer, many: int) -> None:
    """Ask one replica for pages as a browser does: session, users, counts, what stands above, HTML."""
    url = server.url(server.create_database())
    with tempfile.TemporaryDirectory() as root, login_site(Path(root), database_url=url) as site:
        with site.installation.database() as db:
            create_user(db, NewUser(username="root", is_superuser=True), password=PASSWORD, actor="bench")
            many_people(db, many=many)
        with WebUser(site.first) as person:
            assert (failure := person.log_in("root", PASSWORD)) == "", failure
            print(f"whole pages of 50 over TLS, one replica, median of {4 * ROUNDS}")
            for name, path in WHOLE.items():
                print(
                    f"  {name:40} {1_000 * median(_asked(person, path) for _ in range(4 * ROUNDS)):7.1f} ms"
                )


def _asked(person: WebUser, path: str) -> float:
    begin = perf_counter()
    answer = person.get(path)
    took = perf_counter() - begin
    assert answer.status_code == 200, path
    return took


def _index(db: Database) -> None:
    with db.write() as connection:
        name = f"{SCHEMA}.ix_mfa_users_words"
        found = text("SELECT pg_get_indexdef(CAST(:name AS regclass))")
        definition = connection.execute(found, {"name": name}).scalar_one()
        connection.execute(text(f"DROP INDEX {name}"))
        begin = perf_counter()
        connection.exec_driver_sql(definition.replace("%", "%%"))
        print(f"the index of words is made in {perf_counter() - begin:.1f} s")


if __name__ == "__main__":
    main()
