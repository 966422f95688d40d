"""Laws of deciding, over a model of the world: nothing needed is lost, and everything comes to an end.

Whatever people and machines did before, at the end a person asks for something sound and follows what the
conditions say; then every row is under the key that was asked for, and the plan rests.
"""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
from hypothesis import event, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from practicus_mfa.core import observed as o
from practicus_mfa.core.decide import Plan, decide
from practicus_mfa.core.keyring import KeyId, KeyState
from practicus_mfa.core.plan import Step
from practicus_mfa.core.policy import TableSpec
from tests.support.world import World
from tests.support.world_parts import ALIEN, OTHER, A, B, Backup, C, D, Row

KEYS = st.sampled_from([A, B, C, D])
TABLE = "app.secrets"
SPEC = TableSpec(table=TABLE, id_column="id", token_columns=("token",))
RESTING = {"UnknownKey", "CorruptRows"}
MOST_REMEDIES = 30
"""A person who follows every message needs no more; whoever does is led in a circle."""


class AnyHistory(RuleBasedStateMachine):
    """Edits, crashes, deaths and restores in any order; at the end the user asks for something sound."""

    def __init__(self) -> None:
        super().__init__()
        self.world = World()
        self.backup: Backup | None = None

    @initialize(
        rows=st.integers(0, 3), table=st.booleans(), readers=st.integers(0, 2), installed=st.booleans()
    )
    def begin(self, rows: int, table: bool, readers: int, installed: bool) -> None:
        world = self.world
        if table:
            world.tables, world.specs, world.applications_key = {TABLE: [A, A]}, (SPEC,), A
        if installed:
            world.settle()
            for _ in range(rows):
                world.enrol()
            world.readers = {f"r{number}": world.readable for number in range(readers)}
        else:  # a new operator beside rows and replicas that are there already
            world.active, world.rolling = B, A
            world.rows = [Row(A) for _ in range(rows)]
            world.readers = {f"r{number}": frozenset() for number in range(readers)}

    # --- the user --------------------------------------------------------------------------------

    @rule(active=KEYS, rolling=st.one_of(st.none(), KEYS))
    def edit(self, active: KeyId, rolling: KeyId | None) -> None:
        self.world.active, self.world.rolling = active, rolling

    @rule(active=KEYS)
    def edit_as_documented(self, active: KeyId) -> None:
        world = self.world
        world.active, world.rolling = active, world.write_key if world.write_key != active else None

    @rule(fault=st.sampled_from(["malformed", "empty", "missing", "stale"]))
    def break_secret(self, fault: str) -> None:
        match fault:
            case "missing":
                self.world.secret_missing = True
            case "stale":
                self.world.expected = (D, C)
            case "malformed":
                self.world.active = o.MalformedKey("bad")
            case _:
                self.world.active = None

    @rule()
    def mend_secret(self) -> None:
        self.world.secret_missing, self.world.expected = False, (None, None)

    @rule()
    def suspend_or_not(self) -> None:
        self.world.suspend = not self.world.suspend

    @rule(key=st.one_of(st.none(), KEYS))
    def allow_reverse(self, key: KeyId | None) -> None:
        self.world.allow_reverse = key

    @precondition(lambda self: self.world.specs)
    @rule()
    def give_the_word_for_the_table(self) -> None:
        _give_word(self.world)

    # --- the machines ----------------------------------------------------------------------------

    @rule(crash_after=st.one_of(st.none(), st.integers(0, 3)))
    def turn(self, crash_after: int | None) -> None:
        _told(self.world.turn(crash_after))

    @rule(passes=st.sampled_from([3, 10, 30]))
    def a_quiet_time(self, passes: int) -> None:
        _calm(self.world)
        _run(self.world, passes)

    @rule(key=KEYS)
    def a_rotation_as_documented(self, key: KeyId) -> None:
        world = self.world
        _calm(world)
        world.active, world.allow_reverse = key, key
        world.rolling = world.write_key if world.write_key != key else None
        _run(world, 20)
        if world.specs:
            _give_word(world)
            _run(world, 10)
        world.rolling = None
        _run(world, 5)

    @precondition(lambda self: self.world.running)
    @rule(rows=st.integers(0, 5))
    def workers_go_on(self, rows: int) -> None:
        self.world.work_on(rows)

    @precondition(lambda self: self.world.running)
    @rule(failed=st.booleans())
    def workers_die(self, failed: bool) -> None:
        self.world.stop_work(failed=failed)

    @rule(follow=st.booleans())
    def readers_lag_or_follow(self, follow: bool) -> None:
        self.world.readers_follow = follow
        if follow:
            self.world.refresh_readers()

    @rule()
    def reader_comes(self) -> None:
        # The database registers nobody who can't read what is written now.
        if self.world.write_key in self.world.readable:
            self.world.readers[f"r{len(self.world.readers)}"] = self.world.readable

    @rule()
    def reader_dies(self) -> None:
        if self.world.readers:
            self.world.readers.popitem()

    @rule(down=st.booleans())
    def database_goes_or_comes(self, down: bool) -> None:
        self.world.down = down

    @precondition(lambda self: self.world.claim)
    @rule()
    def second_policy_claims_or_is_overruled(self) -> None:
        world = self.world
        assert world.claim
        if world.claim.same_policy(OTHER):
            world.adopt = True
        else:
            world.claim, world.adopt = replace(OTHER, epoch=world.claim.epoch + 1), False

    # --- rows ------------------------------------------------------------------------------------

    @rule()
    def enrol(self) -> None:
        self.world.enrol()

    @rule(row=st.sampled_from([Row(ALIEN), Row(None), Row(ALIEN, fault="unknown")]))
    def bad_row_by_hand(self, row: Row) -> None:
        self.world.put_by_hand(row)

    @rule(key=KEYS)
    def old_row_by_hand(self, key: KeyId) -> None:
        # Under a staged key nothing was ever written, under one that is not known here neither.
        world = self.world
        if key in world.former | {world.write_key} and world.state_of(key) is not KeyState.STAGED:
            world.put_by_hand(Row(key))

    @precondition(lambda self: self.world.applications_key in self.world.readable and self.world.tables)
    @rule()
    def application_writes(self) -> None:
        assert self.world.applications_key
        self.world.tables[TABLE].append(self.world.applications_key)

    @rule()
    def back_up(self) -> None:
        self.backup = self.world.back_up()

    @precondition(lambda self: self.backup)
    @rule()
    def restore(self) -> None:
        assert self.backup
        self.world.restore(self.backup)

    @precondition(lambda self: self.world.archive & self.world.former - self.world.readable)
    @rule()
    def old_row_and_its_live_key_by_hand(self) -> None:
        # As somebody does who copies a user out of an old backup: the key of that time is gone.
        world = self.world
        key = min(world.archive & world.former - world.readable)
        world.live.add(key)
        world.put_by_hand(Row(key, key))

    @rule()
    def keyring_is_deleted(self) -> None:
        self.world.lose_the_keyring()

    # --- at every moment -------------------------------------------------------------------------

    @invariant()
    def nothing_is_lost(self) -> None:
        self.world.check()

    @invariant()
    def ready_is_true(self) -> None:
        if self.world.published()["Ready"].status == "True":
            _check_ready(self.world)

    @invariant()
    def without_database_nothing_is_done(self) -> None:
        if self.world.down:
            assert decide(self.world.observe()).actions == ()

    # --- the end ---------------------------------------------------------------------------------

    def teardown(self) -> None:
        """A sound request at the end is always fulfilled, whatever came before."""
        world = self.world
        world.secret_missing = world.down = world.suspend = False
        world.expected = (None, None)
        world.readers_follow = world.adopt = True
        world.refresh_readers()
        if world.work.state is o.WorkState.RUNNING:
            world.stop_work()
        goal = D if world.write_key != D else C
        world.active, world.rolling, world.allow_reverse = goal, None, goal
        _follow_the_messages(world, goal)
        world.rolling = None
        plan = world.settle()
        assert world.write_key == goal, plan
        assert plan.at_rest or plan.reason in RESTING, plan
        assert all(row.true_key == row.hint == goal for row in world.rows if row.true_key != ALIEN), plan
        assert all(row.fault == "unknown" for row in world.rows if row.true_key == ALIEN)
        assert all(set(keys) <= {goal} for keys in world.tables.values())
        assert world.live == world.readable == {goal}
        before = world.back_up()
        assert world.turn().actions == ()
        assert world.back_up() == before
        if plan.at_rest:
            assert world.published()["Ready"].status == "True"
            _check_ready(world)


def _calm(world: World) -> None:
    """Take away what disturbs."""
    world.down = world.suspend = world.secret_missing = False
    world.expected, world.readers_follow, world.adopt = (None, None), True, True


def _run(world: World, passes: int) -> None:
    for _ in range(passes):
        _told(world.turn())
        world.work_on()


def _told(plan: Plan) -> None:
    """Let Hypothesis count what histories reach (``--hypothesis-show-statistics``)."""
    for action in plan.actions:
        event(f"does {type(action).__name__}")
    if plan.waits_for:
        event(f"waits for a {plan.waits_for}: {plan.reason}")


def _check_ready(world: World) -> None:
    """Ready is never said while a row needs another key, or none opens it."""
    assert all(row.true_key == world.write_key for row in world.rows)
    assert world.write_key in world.readable
    assert all(world.write_key in keys for keys in world.readers.values())


def _give_word(world: World) -> None:
    """Say truthfully that the application reads the present key, and from now on writes no other."""
    if world.write_key is None:
        return
    past = [key for key in sorted(world.readable) if world.state_of(key) is KeyState.ROLLING]
    world.applications_key = world.write_key
    done = past[0] if past else None
    world.specs = (replace(SPEC, ready_for_key=world.write_key, done_with_key=done),)


def _follow_the_messages(world: World, goal: KeyId) -> None:
    """Do what the conditions ask a person for, until there is nothing more to be done."""
    tried: set[KeyId] = set()
    for _ in range(MOST_REMEDIES):
        plan = world.settle()
        if world.keyring:
            world.active, world.rolling = goal, world.rolling if world.rolling != goal else None
        match plan.reason:
            case "RollingKeyMissing":
                left = {row.true_key for row in world.rows} & world.readable - {world.write_key}
                assert plan.step is not Step.MIGRATE or not left, "rows that could be moved were not"
                _bring_back(world, plan.message)
            case "WaitingForReaders":
                assert TABLE in plan.message, plan
                _give_word(world)
            case "CorruptRows":
                assert all(row.true_key is None for row in world.rows if row.fault == "corrupt")
                world.rows = [row for row in world.rows if row.fault != "corrupt"]
            case "" | "UnknownKey":
                # They try every old values.yaml.
                untried = world.needed() - world.readable - {ALIEN, goal} - tried
                if untried:
                    world.rolling = min(untried)
                    tried.add(world.rolling)
                elif world.write_key == goal:
                    return
            case _:
                raise AssertionError(plan)
    msg = f"the messages lead in a circle: {plan}"
    raise AssertionError(msg)


def _bring_back(world: World, message: str) -> None:
    """Bring back a key that *message* asks for, in the way that it says."""
    missing, _, remedy = message.partition(": ")
    asked = _named_in(missing)
    assert asked, message
    assert not set(asked) & world.readable, "it asks for a key that it has"
    match _named_in(remedy):
        case [active, rolling]:
            world.active, world.rolling = active, rolling
        case [rolling]:
            world.rolling = rolling
        case _ if "restore the keyring" in remedy:
            world.keyring = world.lost_keyring
        case _:
            world.rolling = asked[0]


def _named_in(text: str) -> list[KeyId]:
    return [KeyId(key) for key in re.findall(r"\b[a-f]{12}\b", text)]


# Twice the profile's: what is rare here is what matters, and a history takes a tenth of a second.
AnyHistory.TestCase.settings = settings(max_examples=2 * settings().max_examples, stateful_step_count=40)
TestAnyHistory = AnyHistory.TestCase


def test_the_model_notices_a_lost_key() -> None:
    world = World()
    world.settle()
    world.enrol()
    world.archive = {A}
    world.keyring = None
    world.active = B
    with pytest.raises(AssertionError, match="unloaded while rows need them"):
        world.check()
