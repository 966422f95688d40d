"""The list of users: what a search finds, in which order, page by page to both sides."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import update

from practicus_mfa.errors import UsageError
from practicus_mfa.storage import schema, users
from practicus_mfa.storage.user_list import Sort, UserPage, Wanted, count, every, ids_page, page
from practicus_mfa.storage.users import NewUser, NoSuchUserError
from tests.support.people import People

if TYPE_CHECKING:
    from practicus_mfa.storage.engine import Database

MORNING = datetime(2026, 6, 1, 8, tzinfo=UTC)

FOUND = [
    # No word is no condition.
    ("", ["anna", "bob", "carl_x", "İsmail", "Straße"]),
    ("  ", ["anna", "bob", "carl_x", "İsmail", "Straße"]),
    ("%_*?[]'\"\\&|!:()<>", ["anna", "bob", "carl_x", "İsmail", "Straße"]),
    ("\0\n\u00a0\u2013", ["anna", "bob", "carl_x", "İsmail", "Straße"]),
    # The beginning of a word of the name, the address or the person's name, in any case.
    ("an", ["anna"]),
    ("ANNA", ["anna"]),
    ("nna", []),
    ("lovelace", ["anna"]),
    ("da", []),
    ("5", ["bob"]),
    ("5e7", ["bob"]),
    ("-5e7", ["bob"]),
    # Words of an address and of hyphenated names are words.
    ("anna.l@example.org", ["anna"]),
    ("example", ["anna", "bob"]),
    ("ORG", ["anna"]),
    ("x", ["carl_x"]),
    ("jean-luc", ["bob"]),
    ("luc o'brien", ["bob"]),
    # All words, in any order, whatever stands between them.
    ("love, anna", ["anna"]),
    ("anna bob", []),
    ("bri jean luc 5e bob", ["bob"]),
    # What means something to a database means nothing here.
    ("a%", ["anna"]),
    ("a%a", ["anna"]),
    ("b_b", ["bob"]),
    ("b_z", []),
    ("ann*", ["anna"]),
    ("'; DROP TABLE mfa_users; --", []),
    ("anna' | 'bob", []),
    ("anna & !bob", []),
    ("l:*", ["anna", "bob", "carl_x"]),
    # Turkish letters, in any case, and by a keyboard that has none of the i without or with a dot.
    ("ışık", ["İsmail"]),  # noqa: RUF001
    ("IŞIK", ["İsmail"]),
    ("işik", ["İsmail"]),
    ("çağ", ["İsmail"]),
    ("ÇAĞRI", ["İsmail"]),
    ("ismail", ["İsmail"]),
    ("İSMAİL", ["İsmail"]),
    ("ISMAIL", ["İsmail"]),
    # Other scripts.
    ("strasse", ["Straße"]),
    ("STRASSE", ["Straße"]),
    ("straße", ["Straße"]),
    ("STRAẞE", ["Straße"]),
    ("ελλάς", ["Straße"]),
    ("ΕΛΛΆΣ", ["Straße"]),
    ("МОСКВА", ["carl_x"]),  # noqa: RUF001
    ("日本", ["carl_x"]),
    ("o\u0308z", ["carl_x"]),
    ("x" * 10_000, []),
    ("anna " * 5_000, ["anna"]),
]

# Small and capital letters, such as change their length, separators, and what is none to a database.
CHARACTERS = (
    "abIiİıŞşßẞΣςσÀàЖжÑñǅﬁ²½٣日ԱաⅣ0159 \u00a0\u2003\u2019\u00ad"  # noqa: RUF001
    "@._-+/:,;'\"()&|!<>*\\%?[]{}^~`#$=\u0307\u0301\U0001f600"
)


@pytest.fixture
def people(db: Database) -> People:
    """Users with names of many kinds."""
    known = People(db)
    known.add("anna", email="Anna.L@example.org", name="Ada Lovelace")
    known.add("bob", email="-5e7@example.net", name="Jean-Luc O’Brien")  # noqa: RUF001
    known.add("carl_x", name="Özge Москва 日本語 ( l )")
    known.add("İsmail", name="Çağrı IŞIK")  # noqa: RUF001
    known.add("Straße", name="Ελλάς")
    return known


def found(db: Database, search: str) -> list[str]:
    return [one.user.username for one in every(db, Wanted(search=search))]


def test_each_word_of_a_search_begins_a_word_of_the_user(people: People) -> None:
    # The list's order is the database's matter here, so names are compared without it.
    answers = {search: sorted(found(people.db, search)) for search, _ in FOUND}
    assert answers == {search: sorted(names) for search, names in FOUND}


def test_databases_answer_alike(sqlite_db: Database, postgres_db: Database) -> None:
    lots = random.Random(26)

    def text(longest: int) -> str:
        return "".join(lots.choices(CHARACTERS, k=lots.randrange(longest + 1)))

    new = [
        NewUser(username=f"{number}{text(5)}".replace(",", ""), email=text(6), name=text(8))
        for number in range(300)
    ]
    for db in (sqlite_db, postgres_db):
        with db.write() as connection:
            users.create_many(connection, new)
    found_some = 0
    for search in [text(3) for _ in range(300)] + list(CHARACTERS):
        one, other = (set(found(db, search)) for db in (sqlite_db, postgres_db))
        assert one == other, ascii(search)
        found_some += 0 < len(one) < len(new)
    assert found_some > 100


def test_a_text_that_was_written_by_hand_is_searched_up_to_what_a_program_writes(people: People) -> None:
    with people.db.write() as connection:
        values = {"name": "wide " + "x" * 5_000 + " late\tnever", "email": "tab\tbed"}
        connection.execute(update(schema.users).where(schema.users.c.username == "anna").values(values))
    assert [found(people.db, search) for search in ("wide", "x" * 200, "late", "bed")] == [
        ["anna"],
        ["anna"],
        [],
        ["anna"],
    ]


def names(found: UserPage) -> list[str]:
    return [listed.user.username for listed in found.users]


@pytest.fixture
def sorted_people(db: Database) -> Database:
    """Seven users; names and addresses are the same, and log-ins missing, where the order is tried."""
    people = People(db)
    for number, name in enumerate("dbgaefc"):
        people.add(
            name, email="same@example.org" if number % 2 else "", name=f"N{6 - number}"[: 1 + number % 2]
        )
    with db.write() as connection:
        for number, name in enumerate("gfab"):
            at = MORNING + timedelta(microseconds=min(number, 2))
            connection.execute(
                update(schema.users).where(schema.users.c.username == name).values(last_login_at=at)
            )
    return db


EXPECTED = {
    (Sort.USERNAME, False): "abcdefg",
    (Sort.USERNAME, True): "gfedcba",
    # Ids are in the order d b g a e f c.
    (Sort.EMAIL, False): "dgecbaf",
    (Sort.EMAIL, True): "fabcegd",
    (Sort.NAME, False): "dgecfab",
    (Sort.NAME, True): "bafcegd",
    (Sort.LAST_LOGIN, False): "gfbadec",
    (Sort.LAST_LOGIN, True): "abfgced",
}


@pytest.mark.parametrize(("sort", "descending"), EXPECTED)
def test_pages_of_an_order_go_there_and_back(sorted_people: Database, sort: Sort, descending: bool) -> None:
    there: list[list[str]] = []
    cursors: list[str | None] = [None]
    with sorted_people.read() as connection:
        while True:
            one = page(connection, Wanted(), sort=sort, descending=descending, cursor=cursors[-1], size=2)
            there.append(names(one))
            if one.next is None:
                break
            cursors.append(one.next)
        back = [names(one)]
        while one.previous is not None:
            one = page(connection, Wanted(), sort=sort, descending=descending, cursor=one.previous, size=2)
            back.append(names(one))
    expected = EXPECTED[sort, descending]
    assert "".join(name for part in there for name in part) == expected
    assert [len(part) for part in there] == [2, 2, 2, 1]
    # From the end in steps of two: the first page is a whole one again.
    assert back[0] == there[-1]
    assert ["".join(part) for part in back[1:]] == [expected[4:6], expected[2:4], expected[:2]]
    whole = every(sorted_people, Wanted(), sort=sort, descending=descending, size=3)
    assert "".join(listed.user.username for listed in whole) == expected


@pytest.mark.parametrize(
    "word",
    [
        "",
        "x",
        "=",
        "é",
        "AAAA",
        "W10",  # []
        "WyJ1c2VybmFtZSIsZmFsc2UsZmFsc2UsIlx1MDAwMCIsMV0",  # a value that no database holds
        "WyJ1c2VybmFtZSIsZmFsc2UsZmFsc2UsIlx1ZDgwMCIsMV0",  # half a surrogate pair
        "WyJ1c2VybmFtZSIsZmFsc2UsMSwiYSIsMV0",  # a number for a direction
        "WyJ1c2VybmFtZSIsZmFsc2UsZmFsc2UsImEiLDkyMjMzNzIwMzY4NTQ3NzU4MDhd",  # an id beyond 64 bits
        "W" * 5_000,
    ],
)
def test_a_cursor_that_was_made_up_gives_the_first_page(sorted_people: Database, word: str) -> None:
    with sorted_people.read() as connection:
        assert names(page(connection, Wanted(), cursor=word, size=2)) == ["a", "b"]


def test_a_cursor_of_another_order_gives_the_first_page(sorted_people: Database) -> None:
    with sorted_people.read() as connection:
        cursor = page(connection, Wanted(), size=2).next
        assert names(page(connection, Wanted(), cursor=cursor, descending=True, size=2)) == ["g", "f"]
        assert names(page(connection, Wanted(), cursor=cursor, sort=Sort.EMAIL, size=2)) == ["d", "g"]
        login = page(connection, Wanted(), sort=Sort.LAST_LOGIN, size=2).next
        assert names(page(connection, Wanted(), cursor=login, size=2)) == ["a", "b"]


def test_a_cursor_stays_good_when_its_user_is_gone(sorted_people: Database) -> None:
    with sorted_people.read() as connection:
        first = page(connection, Wanted(), size=2)
    with sorted_people.write() as connection:
        connection.execute(schema.users.delete().where(schema.users.c.username.in_(["b", "d", "f"])))
    with sorted_people.read() as connection:
        second = page(connection, Wanted(), cursor=first.next, size=2)
        assert names(second) == ["c", "e"]
        # One user is left before them: the page before is the first one, and a whole one.
        before = page(connection, Wanted(), cursor=second.previous, size=2)
        assert (names(before), before.previous, before.next is not None) == (["a", "c"], None, True)
        # Nobody is left behind it.
        nobody = page(connection, Wanted(administrators=True), cursor=second.next, size=2)
        assert (nobody.users, nobody.previous, nobody.next) == ((), None, None)


def test_a_list_begins_behind_a_user(sorted_people: Database) -> None:
    def behind(name: str, sort: Sort, *, descending: bool = False) -> str:
        listed = every(sorted_people, Wanted(), sort=sort, descending=descending, after=name)
        return "".join(one.user.username for one in listed)

    assert behind("C", Sort.USERNAME) == "defg"
    assert behind("cx", Sort.USERNAME) == "defg"
    assert behind("c", Sort.USERNAME, descending=True) == "ba"
    assert behind("C", Sort.EMAIL) == "baf"
    assert behind("a", Sort.LAST_LOGIN) == "dec"
    with pytest.raises(NoSuchUserError):
        behind("cx", Sort.EMAIL)


def test_ids_are_given_in_their_order_and_users_counted(sorted_people: Database) -> None:
    with sorted_people.write() as connection:
        connection.execute(
            update(schema.users).where(schema.users.c.username.in_(["g", "a", "c"])).values(is_active=False)
        )
    with sorted_people.read() as connection:
        ids = ids_page(connection, Wanted(), 0, 4)
        rest = ids_page(connection, Wanted(), ids[-1], 4)
        inactive = ids_page(connection, Wanted(inactive=True), 0, 2)
        last = ids_page(connection, Wanted(inactive=True), inactive[-1], 2)
        counted = [
            count(connection, wanted) for wanted in (Wanted(), Wanted(inactive=True), Wanted(search="q"))
        ]
    every_id = ids + rest
    assert every_id == sorted(every_id)
    assert (len(ids), len(rest), counted) == (4, 3, [7, 3, 0])
    # g, a and c among d b g a e f c.
    assert inactive + last == [every_id[2], every_id[3], every_id[6]]


def test_a_selection_is_kept_as_plain_values() -> None:
    wanted = Wanted(on_rolling_key=True, stopped=True, search="anna")
    kept = wanted.to_json()
    assert kept == {
        "on_rolling_key": True,
        "without_mfa": False,
        "administrators": False,
        "inactive": False,
        "undecryptable": False,
        "stopped": True,
        "search": "anna",
    }
    assert Wanted.from_json(kept) == wanted
    assert Wanted.from_json({}) == Wanted()


@pytest.mark.parametrize(
    "kept", [{"of_group": "staff"}, {"stopped": "no"}, {"search": None}, {"inactive": 1}]
)
def test_a_selection_that_is_not_understood_is_not_widened(kept: dict[str, object]) -> None:
    with pytest.raises(UsageError, match=f"not known here: '{next(iter(kept))}'"):
        Wanted.from_json(kept)
