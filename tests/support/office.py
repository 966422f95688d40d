"""The users of the administrators' pictures: with MFA under either key or without, some of them in need."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from sqlalchemy import update

from practicus_mfa.clock import utc_now
from practicus_mfa.core.login.throttle import Counter
from practicus_mfa.core.usernames import username_key
from practicus_mfa.login import memberships, throttling
from practicus_mfa.login.acts.by import Author
from practicus_mfa.login.enrol import Secret, add_factors
from practicus_mfa.storage import accounts, attempts, audit, schema, users
from practicus_mfa.storage.engine import database_now
from practicus_mfa.storage.users import NewUser
from tests.support.crew import keys
from tests.support.installation import secret_of
from tests.support.login_people import Person
from tests.support.login_tour import OFFICE_AGENT, PHONE_AGENT

if TYPE_CHECKING:
    from practicus_mfa.storage.transaction import Transaction
    from tests.support.login_people import LoginPeople

_FIRST: Final = ("Ada", "Ayşe", "Barbara", "Çağla", "Deniz", "Edsger", "Emre", "Frances", "Grace", "Radia")
_LAST: Final = ("Aydın", "Dijkstra", "Hamilton", "Liskov", "Lovelace", "Öztürk", "Perlman")  # noqa: RUF001 - Turkish

STOPPED: Final = "ayse.aydin"
BROKEN: Final = "barbara.hamilton"
DISABLED: Final = "ada.perlman"
MOVING: Final = "ada.hamilton"
STAFF: Final = "grace.hamilton"
LONGEST: Final = "someones-name-as-long-as-some-directories-make-them.of-a-subsidiary"

_ASCII: Final = str.maketrans("şçğıöü", "scgiou")


@dataclass(frozen=True)
class Office:
    """Those who administer, and those whom the pictures show.

    Attributes:
        root: A superuser.
        staff: An administrator who is no superuser.
        ids: The users' ids by name.
    """

    root: Person
    staff: Person
    ids: dict[str, int]


_OFFICES: Final[dict[str, Office]] = {}


def office(people: LoginPeople) -> Office:
    """The office at a site, which is there once. Its rotation must be held up."""
    if people.url not in _OFFICES:
        _OFFICES[people.url] = _opened(people)
    return _OFFICES[people.url]


def _opened(people: LoginPeople) -> Office:
    root = people.add(username="root", is_superuser=True, email="root@example.org", name="Niklaus Wirth")
    staff = people.add(username="helpdesk", is_staff=True, email="helpdesk@example.org", name="Help desk")
    rolling, active = keys(people)
    held = people.site.installation.keyring()[1]
    with people.db.write() as connection:
        made = users.create_many(connection, _everybody())
        ids = {each.username: made[username_key(each.username)] for each in _everybody()}
        enrolled = [name for at, name in enumerate(ids) if at % 4 != 3 or name in {BROKEN, STOPPED, MOVING}]
        moving = [name for at, name in enumerate(enrolled) if at % 5 == 0 or name == MOVING]
        for key, names in ((rolling, moving), (active, [name for name in enrolled if name not in moving])):
            secrets = [Secret(user_id=ids[name], secret=secret_of(name)) for name in names]
            add_factors(connection, key, secrets, held, utc_now)
        _put_in_need(connection, ids)
        author = Author(username=root.username, address="203.0.113.20")
        for group, members in (("analysts", list(ids)[:12]), ("engineers", list(ids)), ("finance", [])):
            memberships.create(connection, author, group)
            if members:
                memberships.add(connection, author, group, [users.get(connection, name) for name in members])
    people.add_session(Person(STOPPED), user_agent=PHONE_AGENT, address="203.0.113.7")
    people.add_session(
        Person(STOPPED), user_agent=OFFICE_AGENT, address="2001:db8:85a3:1319:8a2e:370:7344:abcd"
    )
    return Office(root, staff, ids)


def _everybody() -> list[NewUser]:
    named = [(first, last) for first in _FIRST for last in _LAST]
    short = [
        NewUser(
            username=f"{first}.{last}".lower().translate(_ASCII),
            email=f"{first}.{last}@example.org".lower().translate(_ASCII),
            name=f"{first} {last}",
            is_staff=(first, last) == ("Grace", "Hamilton"),
        )
        for first, last in named
    ]
    return [*short, NewUser(username=LONGEST, email=f"{LONGEST}@mail.of.that.subsidiary.example.org")]


def _put_in_need(connection: Transaction, ids: dict[str, int]) -> None:
    """Stop one user, disable another, damage a third one's MFA; have most of them log in."""
    rows, factors = schema.users, schema.factors
    now = database_now(connection)
    for at, user_id in enumerate(ids.values()):
        if at % 6 != 5:
            last = now - timedelta(hours=7 * at, minutes=13 * at)
            connection.execute(update(rows).where(rows.c.id == user_id).values(last_login_at=last))
    # No writer leaves such a row: it is what a lost key does.
    broken = update(factors).where(factors.c.user_id == ids[BROKEN])
    connection.execute(broken.values(token="x" * 164, key_id=None, fault="unknown"))
    users.set_active(connection, ids[DISABLED], active=False)
    stopped = accounts.account(connection, ids[STOPPED])
    assert stopped is not None
    until = now + timedelta(minutes=14)
    counter = Counter(failures=9, stopped_until=until)
    attempts.save(connection, throttling.code_key(stopped, None), counter, expires_at=until)
    for action, result in (
        ("login", "wrong code"),
        ("user.edit", "done"),
        ("user.disable", "done"),
        ("user.enable", "done"),
    ):
        detail = {"address": "203.0.113.7"}
        actor = STOPPED if action == "login" else "root"
        audit.append(connection, actor, action, subject=STOPPED, result=result, detail=detail)
