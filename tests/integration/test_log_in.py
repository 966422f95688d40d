"""Logging in, from name and password to a session, over real databases."""

from __future__ import annotations

from base64 import b64encode
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from hashlib import pbkdf2_hmac
from typing import TYPE_CHECKING, Final, TypeVar

import pytest
from sqlalchemy import Table, delete, func, select, text, update

from practicus_mfa.core.login.rules import Step
from practicus_mfa.core.login.session import LoggedOut, MustEnrol, Valid
from practicus_mfa.core.policy import MfaRules, RememberMeRules
from practicus_mfa.crypto.keys import HeldKeys
from practicus_mfa.crypto.passwords import needs_rehash
from practicus_mfa.crypto.totp import parse_secret
from practicus_mfa.login import (
    account,
    administer,
    enrolment,
    log_in,
    proof,
    second_factor,
    session_start,
    setup_link,
)
from practicus_mfa.login.context import Client
from practicus_mfa.login.enrolment import Enrolled, Half, WrongFirstCode
from practicus_mfa.login.hashing import Hashing
from practicus_mfa.login.log_in import WrongCredentials
from practicus_mfa.login.notices import NoticeKind
from practicus_mfa.login.second_factor import ClockSkew, Unreadable, WrongCode
from practicus_mfa.login.session_start import Continue, Expired, LoggedIn
from practicus_mfa.login.throttling import Stopped
from practicus_mfa.storage import half_logins, schema, sessions, users
from tests.support.logging_in import HOME, Desk
from tests.support.people import NEW, OTHER, PASSWORD, audited
from tests.support.waiting import until

if TYPE_CHECKING:
    from collections.abc import Callable

    from practicus_mfa.storage.engine import Database

WORDS: Final = "l\u00e8t me in"
DJANGO: Final = "pbkdf2_sha256$1000$salty$" + b64encode(
    pbkdf2_hmac("sha256", WORDS.encode(), b"salty", 1_000)
).decode("ascii")
"""As Django stores it."""

ELSEWHERE: Final = Client(address="203.0.113.9", address_real=True, user_agent="curl")
HOUR: Final = timedelta(hours=1)

Result = TypeVar("Result")


@pytest.fixture
def desk(db: Database) -> Desk:
    return Desk(db)


def with_password(desk: Desk, name: str, **values: bool) -> None:
    desk.people.add(name, key=None, **values)
    administer.set_password(desk.db, name, PASSWORD, actor="test")


def with_mfa(desk: Desk, name: str, **values: bool | str) -> None:
    desk.enrolled(name, **values)
    administer.set_password(desk.db, name, PASSWORD, actor="test")


# Name and password


def test_a_user_without_mfa_is_in_after_the_password_and_a_choice(desk: Desk) -> None:
    with_password(desk, "ada")
    answer = desk.start("Ada", target="/x")
    assert isinstance(answer, Continue)
    assert answer.step is Step.REMEMBER
    done = log_in.remember(desk.ctx, answer.half_token, remembered=True, client=HOME)
    assert isinstance(done, LoggedIn)
    assert (done.target, done.tokens.remembered, done.tokens.verify) == ("/x", True, None)
    assert isinstance(desk.current(done).verdict, Valid)


def test_nothing_is_asked_where_nobody_is_remembered(desk: Desk) -> None:
    with_password(desk, "ada")
    desk.policy(remember_me=RememberMeRules(enabled=False))
    assert isinstance(desk.start("ada"), LoggedIn)


@pytest.mark.parametrize("name", ["ada", "nobody", "disabled", "wordless", "", "x" * 151, "a\x00b"])
def test_every_wrong_log_in_is_told_the_same(desk: Desk, name: str) -> None:
    with_password(desk, "ada")
    with_password(desk, "disabled")
    administer.set_active(desk.db, "disabled", active=False, actor="test")
    desk.people.add("wordless")
    password = PASSWORD if name == "disabled" else "not the password"
    assert desk.start(name, password) == WrongCredentials()


def test_a_password_in_djangos_form_is_replaced_by_ours_when_it_was_right(desk: Desk) -> None:
    desk.people.add("ada", password_hash=DJANGO)
    assert isinstance(desk.start("ada", "not the password"), WrongCredentials)
    assert desk.people.get("ada").password_hash == DJANGO
    assert isinstance(desk.start("ada", WORDS), Continue)
    assert not needs_rehash(desk.people.get("ada").password_hash)
    assert isinstance(desk.start("ada", WORDS), Continue)


# Codes


def test_a_code_is_wanted_of_who_has_mfa_and_opens_once(desk: Desk) -> None:
    with_mfa(desk, "ada")
    half, again = desk.half("ada", target="https://app.example.com/"), desk.half("ada")
    done = desk.give_code(half, desk.code(), remembered=True)
    assert isinstance(done, LoggedIn)
    assert (done.target, done.tokens.remembered) == ("https://app.example.com/", True)
    assert desk.current(done).session.second_factor_at is not None
    assert desk.give_code(half, desk.code()) == Expired()
    assert desk.give_code(again, desk.code()) == WrongCode()
    assert ("ada", "login", "ada", "used code") in audited(desk.db)


def test_a_code_that_came_before_one_that_was_used_is_refused(desk: Desk) -> None:
    with_mfa(desk, "ada")
    assert isinstance(desk.give_code(desk.half("ada"), desk.code()), LoggedIn)
    assert desk.give_code(desk.half("ada"), desk.code(steps=-1)) == WrongCode()
    assert isinstance(desk.give_code(desk.half("ada"), desk.code(steps=1)), LoggedIn)
    assert desk.give_code(desk.half("ada"), desk.code()) == WrongCode()


@pytest.mark.parametrize("steps", [-10, -2, 2, 10])
def test_a_code_of_another_time_is_refused_as_such(desk: Desk, steps: int) -> None:
    with_mfa(desk, "ada")
    assert desk.give_code(desk.half("ada"), desk.code(steps=steps)) == ClockSkew()
    assert desk.give_code(desk.half("ada"), desk.code(steps=11)) == WrongCode()


@pytest.mark.parametrize(
    "typed", ["", "12345", "1234567", "١٢٣٤٥٦", "1_2_3_4_5_6", "abcdef", "\uff19" * 6, "\x00" * 6]
)
def test_what_is_no_code_is_a_wrong_one(desk: Desk, typed: str) -> None:
    with_mfa(desk, "ada")
    assert desk.give_code(desk.half("ada"), typed) == WrongCode()


def test_spaces_in_a_code_are_forgiven(desk: Desk) -> None:
    with_mfa(desk, "ada")
    code = desk.code()
    assert isinstance(desk.give_code(desk.half("ada"), f" {code[:3]} {code[3:]}\t"), LoggedIn)


def test_three_wrong_codes_and_then_the_right_one(desk: Desk) -> None:
    with_mfa(desk, "ada")
    half = desk.half("ada")
    for _ in range(3):
        assert desk.give_code(half, wrong(desk)) == WrongCode()
    assert isinstance(desk.give_code(half, desk.code()), LoggedIn)


def wrong(desk: Desk) -> str:
    """A code that is none of the last and next minutes."""
    right = {desk.code(steps=steps) for steps in range(-12, 13)}
    return next(code for number in range(1_000) if (code := f"{number:06}") not in right)


def test_of_64_posts_of_one_code_one_gets_in(desk: Desk) -> None:
    with_mfa(desk, "ada")
    halves, code = [desk.half("ada") for _ in range(4)] * 16, desk.code()
    with ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(lambda half: desk.give_code(half, code), halves))
    assert sum(isinstance(answer, LoggedIn) for answer in answers) == 1
    assert {type(answer) for answer in answers} <= {LoggedIn, WrongCode, Expired}


def test_a_disabled_user_does_not_get_past_the_code(desk: Desk) -> None:
    with_mfa(desk, "ada")
    half = desk.half("ada")
    administer.set_active(desk.db, "ada", active=False, actor="test")
    assert desk.give_code(half, desk.code()) == Expired()


def test_a_half_login_ends_after_ten_minutes(desk: Desk) -> None:
    with_mfa(desk, "ada")
    half = desk.half("ada")
    desk.age("mfa_half_logins", "expires_at", timedelta(minutes=10))
    assert desk.give_code(half, desk.code()) == Expired()


# Factors that no key opens


def test_who_has_mfa_that_nothing_opens_is_not_let_in_without(desk: Desk) -> None:
    with_mfa(desk, "ada")
    desk.held = HeldKeys([OTHER])
    assert desk.give_code(desk.half("ada"), desk.code()) == Unreadable()
    assert ("ada", "login", "ada", "unreadable factor") in audited(desk.db)
    assert administer.remove_mfa(desk.db, "ada", actor="root") == 1
    assert isinstance(desk.start("ada"), Continue)
    assert desk.half("ada", Step.REMEMBER)


def test_a_token_moved_to_an_administrators_row_is_refused_and_audited(desk: Desk) -> None:
    with_mfa(desk, "mallory")
    with_mfa(desk, "root", is_superuser=True)
    mallory, root = desk.people.get("mallory").id, desk.people.get("root").id
    with desk.db.write() as connection:
        theirs = select(schema.factors.c.token).where(schema.factors.c.user_id == mallory).scalar_subquery()
        connection.execute(
            update(schema.factors).where(schema.factors.c.user_id == root).values(token=theirs)
        )
    assert desk.give_code(desk.half("root"), desk.code()) == Unreadable()
    assert ("root", "mfa.open", "root", "refused") in audited(desk.db)


def test_deleting_factors_by_hand_resets_mfa(desk: Desk) -> None:
    with_password(desk, "ada")
    codes = enrol(desk, "ada").codes
    with desk.db.write() as connection:
        connection.execute(delete(schema.factors))
    half = desk.half("ada", Step.REMEMBER)
    assert (
        second_factor.give_recovery_code(desk.ctx, half, code=codes[0], remembered=False, client=HOME)
        == Expired()
    )
    with desk.db.read() as connection:
        assert connection.execute(select(schema.recovery_codes)).all() == []


# Enrolment and recovery codes


def enrol(desk: Desk, name: str) -> Enrolled:
    """Enrol *name*, who is logged in for it."""
    session = desk.current(desk.log_in(name))
    offer = enrolment.begin(desk.ctx, session.account, session.acting)
    desk.secret = parse_secret(offer.secret_text)
    code = desk.code()
    done = enrolment.confirm(desk.ctx, session.acting, code=code, remembered=False, client=HOME)
    assert isinstance(done, Enrolled), done
    desk.later(timedelta(seconds=60))
    return done


def test_enrolment_is_forced_where_the_policy_says_so(desk: Desk) -> None:
    with_password(desk, "ada")
    desk.policy(mfa=MfaRules(mandatory=True))
    half = desk.half("ada", Step.ENROL, target="/there")
    state = desk_half(desk, half)
    offer = enrolment.begin(desk.ctx, state.account, Half(token=half))
    assert enrolment.begin(desk.ctx, state.account, Half(token=half)) == offer
    desk.secret = parse_secret(offer.secret_text)
    assert log_in.remember(desk.ctx, half, remembered=False, client=HOME) == Expired()
    who = Half(token=half)
    wrong_one = enrolment.confirm(desk.ctx, who, code=wrong(desk), remembered=False, client=HOME)
    assert wrong_one == WrongFirstCode()
    off = enrolment.confirm(desk.ctx, who, code=desk.code(steps=5), remembered=False, client=HOME)
    assert off == WrongFirstCode(skewed=True)
    code = desk.code()
    done = enrolment.confirm(desk.ctx, who, code=code, remembered=True, client=HOME)
    assert isinstance(done, Enrolled)
    assert (done.target, len(done.codes), done.tokens.remembered) == ("/there", 10, True)
    assert enrolment.confirm(desk.ctx, who, code=code, remembered=True, client=HOME) == Expired()
    # The code that proved it is used up too.
    assert desk.give_code(desk.half("ada"), code) == WrongCode()


def desk_half(desk: Desk, half: str) -> session_start.HalfState:
    found = session_start.half(desk.ctx, half)
    assert found is not None
    return found


def test_a_grace_period_is_stored_once_and_then_enforced(desk: Desk) -> None:
    with_password(desk, "ada")
    desk.policy(mfa=MfaRules(mandatory=True, grace_period_days=7))
    session = desk.log_in("ada")
    with desk.db.read() as connection:
        stored = connection.execute(select(schema.users.c.enrol_by)).scalar_one()
    assert stored is not None
    desk.policy(mfa=MfaRules(mandatory=True, grace_period_days=30))
    desk.log_in("ada")
    with desk.db.read() as connection:
        assert connection.execute(select(schema.users.c.enrol_by)).scalar_one() == stored
    assert isinstance(desk.current(session).verdict, Valid)
    desk.age("mfa_users", "enrol_by", timedelta(days=7))
    assert isinstance(desk.current(session).verdict, MustEnrol)
    assert desk.half("ada", Step.ENROL)


def test_administrators_alone_must_enrol(desk: Desk) -> None:
    with_password(desk, "ada")
    with_password(desk, "staff", is_staff=True)
    desk.policy(mfa=MfaRules(mandatory_for_sys_admins=True))
    assert desk.half("ada", Step.REMEMBER)
    assert desk.half("staff", Step.ENROL)


def test_no_code_is_asked_and_nothing_deleted_where_mfa_is_off(desk: Desk) -> None:
    with_mfa(desk, "ada")
    desk.policy(mfa=MfaRules(enabled=False, mandatory=True))
    session = desk.log_in("ada")
    assert isinstance(desk.current(session).verdict, Valid)
    desk.policy(mfa=MfaRules())
    assert isinstance(desk.current(session).verdict, LoggedOut)
    assert isinstance(desk.give_code(desk.half("ada"), desk.code()), LoggedIn)


def test_a_recovery_code_works_once_in_any_spelling_and_without_a_key(desk: Desk) -> None:
    with_password(desk, "ada")
    codes = enrol(desk, "ada").codes
    desk.held = HeldKeys([OTHER])
    typed = codes[0].lower().replace("-", " ")
    half = desk.half("ada")
    assert isinstance(recover(desk, half, typed), LoggedIn)
    assert recover(desk, desk.half("ada"), codes[0]) == WrongCode()
    assert recover(desk, desk.half("ada"), "no code at all") == WrongCode()
    assert isinstance(recover(desk, desk.half("ada"), codes[1]), LoggedIn)


def recover(desk: Desk, half: str, code: str) -> object:
    return second_factor.give_recovery_code(desk.ctx, half, code=code, remembered=False, client=HOME)


def test_of_64_posts_of_one_recovery_code_one_gets_in(desk: Desk) -> None:
    with_password(desk, "ada")
    code = enrol(desk, "ada").codes[0]
    halves = [desk.half("ada") for _ in range(4)] * 16
    with ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(lambda half: recover(desk, half, code), halves))
    assert sum(isinstance(answer, LoggedIn) for answer in answers) == 1


# Throttling


def test_the_fifth_wrong_password_delays_and_the_right_one_waits_too(desk: Desk) -> None:
    with_password(desk, "ada")
    for _ in range(5):
        assert desk.start("ada", "not the password") == WrongCredentials()
    assert desk.hold_stops(HOUR) == [timedelta(seconds=2)] * 2
    stopped = desk.start("ada")
    assert isinstance(stopped, Stopped)
    assert stopped.seconds is not None
    assert 0 < stopped.seconds <= 3_602
    desk.age("mfa_attempts", "stopped_until", HOUR + timedelta(seconds=2))
    assert isinstance(desk.start("ada"), Continue)
    assert desk.start("ada", "not the password") == WrongCredentials()


def test_a_name_that_nobody_has_is_stopped_alike(desk: Desk) -> None:
    with_password(desk, "ada")
    answers = [[desk.start(name, "wrong") for _ in range(5)] for name in ("ada", "nobody")]
    assert answers[0] == answers[1] == [WrongCredentials()] * 5
    assert desk.hold_stops() == [timedelta(seconds=2)] * 4
    for name in ("ada", "nobody"):
        assert isinstance(desk.start(name, "wrong"), Stopped)


def test_a_right_password_is_not_counted(desk: Desk) -> None:
    with_password(desk, "ada")
    for _ in range(8):
        assert isinstance(desk.start("ada"), Continue)


def test_tries_at_one_moment_pass_no_limit(desk: Desk) -> None:
    with_password(desk, "ada")
    # The first stops are over within seconds, which a busy machine takes for the tries.
    for _ in range(12):
        assert desk.start("ada", "not the password") == WrongCredentials()
        desk.age("mfa_attempts", "stopped_until", timedelta(minutes=15))
    with ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(lambda _: desk.start("ada", "not the password"), range(32)))
    assert answers.count(WrongCredentials()) == 1


def test_strangers_do_not_keep_the_owner_out_of_a_known_browser(desk: Desk) -> None:
    with_mfa(desk, "ada")
    known = replace(HOME, device=desk.log_in("ada").tokens.device)
    for number in range(20):
        desk.start("ada", "wrong", client=replace(ELSEWHERE, address=f"203.0.113.{number}"))
    desk.hold_stops()
    assert isinstance(desk.start("ada"), Stopped)
    assert isinstance(desk.start("ada", client=known), Continue)
    with_mfa(desk, "bob")
    assert isinstance(desk.start("bob", client=known), Continue), "it is known of its owner alone"


def test_wrong_codes_stop_until_a_recovery_code_ends_it(desk: Desk) -> None:
    with_password(desk, "ada")
    codes = enrol(desk, "ada").codes
    half = desk.half("ada")
    tries = 0
    while True:
        answer = desk.give_code(half, wrong(desk))
        if isinstance(answer, Stopped):
            if answer.seconds is None:
                break
            desk.age("mfa_attempts", "stopped_until", timedelta(seconds=answer.seconds))
            continue
        assert answer == WrongCode()
        tries += 1
    assert tries == 100
    assert desk.give_code(half, desk.code()) == Stopped(None)
    assert isinstance(recover(desk, half, codes[0]), LoggedIn)
    assert isinstance(desk.give_code(desk.half("ada"), desk.code()), LoggedIn)


def test_an_administrator_ends_a_stop(desk: Desk) -> None:
    with_mfa(desk, "ada")
    half = desk.half("ada")
    for _ in range(5):
        desk.give_code(half, wrong(desk))
    desk.hold_stops()
    assert isinstance(desk.give_code(half, desk.code()), Stopped)
    administer.unlock(desk.db, "ada", actor="root")
    assert isinstance(desk.give_code(half, desk.code()), LoggedIn)


def test_an_address_from_which_a_hundred_names_failed_waits(desk: Desk) -> None:
    with_password(desk, "ada")
    for number in range(100):
        desk.start(f"guess-{number}", "wrong", client=ELSEWHERE)
    assert isinstance(desk.start("ada", client=ELSEWHERE), Stopped)
    assert isinstance(desk.start("ada", client=replace(ELSEWHERE, address_real=False)), Continue)
    assert isinstance(desk.start("ada", client=HOME), Continue)


# Sessions, and what changes an account


def test_a_session_for_applications_is_good_for_nothing_else(desk: Desk) -> None:
    with_password(desk, "ada")
    desk.cookie_domain = "example.com"
    tokens = desk.log_in("ada").tokens
    assert tokens.verify
    assert account.current(desk.ctx, tokens.session)
    assert account.current(desk.ctx, tokens.verify) is None


def test_logging_out_ends_the_session(desk: Desk) -> None:
    with_password(desk, "ada")
    here, there = desk.log_in("ada"), desk.log_in("ada")
    account.log_out(desk.ctx, here.tokens.session, HOME)
    assert account.current(desk.ctx, here.tokens.session) is None
    assert account.log_out_everywhere(desk.ctx, desk.current(there).acting) == 1
    assert account.current(desk.ctx, there.tokens.session) is None


@pytest.mark.parametrize("change", ["password", "codes", "factor", "removal"])
def test_a_change_ends_the_other_sessions_and_gives_this_one_new_tokens(desk: Desk, change: str) -> None:
    with_password(desk, "ada")
    enrol(desk, "ada")
    here, there = desk.log_in("ada"), desk.log_in("ada")
    acting = desk.current(here).acting
    match change:
        case "password":
            tokens = account.change_password(desk.ctx, acting, new="another password of mine")
        case "codes":
            tokens = account.new_recovery_codes(desk.ctx, acting).tokens
        case "removal":
            tokens = account.remove_factor(desk.ctx, acting)
        case _:
            offer = enrolment.begin(desk.ctx, acting.account, acting)
            desk.secret = parse_secret(offer.secret_text)
            code = desk.code()
            done = enrolment.confirm(desk.ctx, acting, code=code, remembered=False, client=HOME)
            assert isinstance(done, Enrolled)
            tokens = done.tokens
    assert account.current(desk.ctx, there.tokens.session) is None
    assert account.current(desk.ctx, here.tokens.session) is None
    present = account.current(desk.ctx, tokens.session)
    assert present is not None
    assert isinstance(present.verdict, Valid)


@pytest.mark.parametrize(
    "change",
    [
        lambda db: administer.set_password(db, "ada", "another password of mine", actor="root"),
        lambda db: administer.set_active(db, "ada", active=False, actor="root"),
        lambda db: administer.remove_mfa(db, "ada", actor="root"),
    ],
)
def test_an_administrators_change_ends_all_sessions(desk: Desk, change: object) -> None:
    with_mfa(desk, "ada")
    here = desk.log_in("ada")
    assert callable(change)
    change(desk.db)
    assert account.current(desk.ctx, here.tokens.session) is None


def test_what_changes_an_account_wants_a_proof_of_the_last_five_minutes(desk: Desk) -> None:
    with_password(desk, "ada")
    enrol(desk, "ada")
    here = desk.log_in("ada")
    desk.age("mfa_sessions", "proved_at", timedelta(minutes=5, seconds=1))
    acting = desk.current(here).acting
    assert not proof.is_proved(desk.ctx, acting.session)
    for change in (
        lambda: account.change_password(desk.ctx, acting, new="another password of mine"),
        lambda: account.new_recovery_codes(desk.ctx, acting),
        lambda: account.remove_factor(desk.ctx, acting),
    ):
        with pytest.raises(account.NotProvedError):
            change()
    offer = enrolment.begin(desk.ctx, acting.account, acting)
    desk.secret = parse_secret(offer.secret_text)
    code = desk.code()
    refused = enrolment.confirm(desk.ctx, acting, code=code, remembered=False, client=HOME)
    assert isinstance(refused, enrolment.AlreadyEnrolled)


def test_a_proof_takes_password_and_code_and_counts_like_a_log_in(desk: Desk) -> None:
    with_mfa(desk, "ada")
    here = desk.log_in("ada")
    desk.age("mfa_sessions", "proved_at", HOUR)
    acting = desk.current(here).acting

    def prove(password: str, code: str) -> object:
        return proof.prove(desk.ctx, acting, password=password, code=code, client=HOME)

    assert prove("wrong", desk.code()) == WrongCredentials()
    assert prove(PASSWORD, wrong(desk)) == WrongCode()
    done = prove(PASSWORD, desk.code())
    assert isinstance(done, proof.Proved)
    assert account.current(desk.ctx, here.tokens.session) is None
    present = account.current(desk.ctx, done.tokens.session)
    assert present is not None
    assert proof.is_proved(desk.ctx, present.session)


def test_what_the_policy_wants_can_not_be_removed(desk: Desk) -> None:
    with_mfa(desk, "ada")
    acting = desk.current(desk.log_in("ada")).acting
    desk.policy(mfa=MfaRules(mandatory=True))
    with pytest.raises(account.NoFactorError, match="wants you to have MFA"):
        account.remove_factor(desk.ctx, acting)


def test_the_account_page_knows_the_state_of_mfa(desk: Desk) -> None:
    with_password(desk, "ada")
    enrol(desk, "ada")
    acting = desk.current(desk.log_in("ada")).acting
    state = account.state(desk.ctx, acting)
    assert (state.enrolled, state.readable, state.codes_left, state.required) == (True, True, 10, False)
    desk.held = HeldKeys([OTHER])
    assert account.state(desk.ctx, acting).readable is False


# Set-up links and notices


def test_a_set_up_link_sets_a_password_once_and_does_not_stand_in_for_a_code(desk: Desk) -> None:
    desk.enrolled("ada")
    token = setup_link.issue(desk.db, "ada", actor="root").token
    assert setup_link.look(desk.ctx, token)
    with pytest.raises(Exception, match="fewer than 12"):
        setup_link.use(desk.ctx, token, password="short", client=HOME)
    answer = setup_link.use(desk.ctx, token, password=PASSWORD, client=HOME)
    assert isinstance(answer, Continue)
    assert answer.step is Step.CODE
    assert setup_link.use(desk.ctx, token, password=PASSWORD, client=HOME) == Expired()
    assert setup_link.look(desk.ctx, token) is None
    assert desk.half("ada")


def test_a_set_up_link_ends_with_the_next_one_with_a_day_and_with_a_new_password(desk: Desk) -> None:
    desk.people.add("ada")
    first = setup_link.issue(desk.db, "ada", actor="root").token
    second = setup_link.issue(desk.db, "ada", actor="root").token
    assert setup_link.look(desk.ctx, first) is None
    assert setup_link.look(desk.ctx, second)
    desk.age("mfa_setup_links", "expires_at", timedelta(days=1))
    assert setup_link.look(desk.ctx, second) is None
    third = setup_link.issue(desk.db, "ada", actor="root").token
    administer.set_password(desk.db, "ada", PASSWORD, actor="root")
    assert setup_link.look(desk.ctx, third) is None


def test_the_next_log_in_tells_what_happened(desk: Desk) -> None:
    with_password(desk, "ada")
    assert desk.log_in("ada").notices == ()
    codes = enrol(desk, "ada").codes
    desk.start("ada", "wrong")
    desk.start("ada", "wrong")
    done = recover(desk, desk.half("ada"), codes[0])
    assert isinstance(done, LoggedIn)
    told = {notice.kind: notice.count for notice in done.notices}
    assert told == {
        NoticeKind.FACTOR_ADDED: 1,
        NoticeKind.FAILED_LOGINS: 2,
    }
    # Whoever used the code knows of it; its owner hears of it the next time.
    told = {notice.kind: notice.count for notice in desk.log_in("ada").notices}
    assert told == {NoticeKind.RECOVERY_CODE_USED: 1}
    assert desk.log_in("ada").notices == ()


def test_a_removal_is_told_of_to_who_must_enrol_again(desk: Desk) -> None:
    with_mfa(desk, "ada")
    desk.log_in("ada")
    administer.remove_mfa(desk.db, "ada", actor="root")
    desk.policy(mfa=MfaRules(mandatory=True))
    half = desk.half("ada", Step.ENROL)
    offer = enrolment.begin(desk.ctx, desk_half(desk, half).account, Half(token=half))
    desk.secret = parse_secret(offer.secret_text)
    done = enrolment.confirm(desk.ctx, Half(token=half), code=desk.code(), remembered=False, client=HOME)
    assert isinstance(done, Enrolled)
    assert [notice.kind for notice in done.notices] == [NoticeKind.FACTOR_REMOVED]
    desk.later(timedelta(seconds=60))
    assert [notice.kind for notice in desk.log_in("ada").notices] == [NoticeKind.FACTOR_ADDED]


def test_keys_are_not_needed_for_a_password_alone(desk: Desk) -> None:
    with_password(desk, "ada")
    desk.held = HeldKeys([])
    assert isinstance(desk.log_in("ada"), LoggedIn)
    assert NEW.id not in desk.held


# Changes of an account while somebody logs in


def test_a_half_login_ends_with_the_password_that_it_began_with(desk: Desk) -> None:
    with_mfa(desk, "anna")
    half = desk.half("anna")
    administer.set_password(desk.db, "anna", "another good password", actor="root")
    assert desk.give_code(half, desk.code()) == Expired()
    begun = desk.start("anna", "another good password")
    assert isinstance(begun, Continue)
    link = setup_link.issue(desk.db, "anna", actor="root")
    setup_link.use(desk.ctx, link.token, password="yet another password", client=HOME)
    assert desk.give_code(begun.half_token, desk.code()) == Expired()


class _Meanwhile(Hashing):
    """Hashing, and what somebody else does before it is done."""

    def __init__(self, change: Callable[[], object]) -> None:
        super().__init__(at_once=1)
        self._change = change

    def run(self, work: Callable[[], Result]) -> Result:
        result = super().run(work)
        self._change()
        return result


def test_a_password_that_is_replaced_while_it_is_verified_opens_nothing(desk: Desk) -> None:
    with_password(desk, "anna")
    ctx = replace(desk.ctx, hashing=_Meanwhile(lambda: _set_hash(desk, "another")))
    answer = log_in.start(ctx, username="anna", password=PASSWORD, target="", client=HOME)
    assert answer == WrongCredentials()
    assert _count(desk, schema.sessions) == _count(desk, schema.half_logins) == 0


def test_hashing_a_password_anew_does_not_undo_another_one(desk: Desk) -> None:
    desk.people.add("anna", password_hash=DJANGO)
    ctx = replace(desk.ctx, hashing=_Meanwhile(lambda: _set_hash(desk, "another")))
    assert log_in.start(ctx, username="anna", password=WORDS, target="", client=HOME) == WrongCredentials()
    assert desk.people.get("anna").password_hash == "another"


def _set_hash(desk: Desk, value: str) -> None:
    with desk.db.write() as connection:
        connection.execute(update(schema.users).values(password_hash=value))


def _count(desk: Desk, table: Table) -> int:
    with desk.db.read() as connection:
        return connection.execute(select(func.count()).select_from(table)).scalar_one()


@pytest.mark.parametrize("change", ["disabled", "password"])
def test_a_log_in_waits_for_a_change_of_its_user_and_does_not_survive_it(
    postgres_db: Database, change: str
) -> None:
    desk = Desk(postgres_db)
    with_mfa(desk, "anna")
    half = desk.half("anna")
    with ThreadPoolExecutor(1) as pool:
        with desk.db.write() as connection:
            user = users.get(connection, "anna", lock=True)
            logging_in = pool.submit(desk.give_code, half, desk.code())
            until(lambda: _somebody_waits(desk.db), "the log-in waits for the user's row")
            if change == "disabled":
                users.set_active(connection, user.id, active=False)
            else:
                half_logins.end_all(connection, user.id)
            sessions.end_all(connection, user.id)
        assert logging_in.result() == Expired()
    assert _count(desk, schema.sessions) == 0


def _somebody_waits(db: Database) -> bool:
    with db.read() as connection:
        question = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
        return bool(connection.execute(text(question)).scalar_one())


def test_a_session_that_was_ended_changes_nothing_any_more(desk: Desk) -> None:
    with_mfa(desk, "anna")
    acting = desk.current(desk.log_in("anna")).acting
    with desk.db.write() as connection:
        sessions.end_all(connection, acting.account.id)
    before = desk.people.get("anna").password_hash
    for change in (
        lambda: account.change_password(desk.ctx, acting, new="another good password"),
        lambda: account.remove_factor(desk.ctx, acting),
        lambda: account.new_recovery_codes(desk.ctx, acting),
    ):
        with pytest.raises(account.NotProvedError):
            change()
    assert desk.people.get("anna").password_hash == before
    assert _count(desk, schema.factors) == 1


def test_a_session_that_ended_sets_up_nothing(desk: Desk) -> None:
    with_password(desk, "ada")
    here = desk.log_in("ada")
    acting = desk.current(here).acting
    desk.secret = parse_secret(enrolment.begin(desk.ctx, acting.account, acting).secret_text)
    account.log_out(desk.ctx, here.tokens.session, HOME)
    done = enrolment.confirm(desk.ctx, acting, code=desk.code(), remembered=False, client=HOME)
    assert done == Expired()
    assert not account.state(desk.ctx, acting).enrolled
