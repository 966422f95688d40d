"""Laws of deciding, over a model of the world: nothing needed is lost, and everything comes to an end."""

from __future__ import annotations

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from practicus_mfa.core import observed as o
from practicus_mfa.core import plan as p
from practicus_mfa.core.policy import TableSpec
from tests.support.world import ALIEN, OWN, A, B, C, D, Row, World

KEYS = st.sampled_from([A, B, C, D])
TABLE = "app.secrets"


class AnyHistory(RuleBasedStateMachine):
    """Edits, crashes, deaths and restores in any order; at the end the user asks for something sound."""

    def __init__(self) -> None:
        super().__init__()
        self.world = World()
        self.backup: dict[str, object] | None = None
        self.keyring_was_lost = False

    @initialize(rows=st.integers(0, 4), table=st.booleans(), readers=st.integers(0, 2))
    def install(self, rows: int, table: bool, readers: int) -> None:  # noqa: FBT001
        world = self.world
        world.settle()
        for _ in range(rows):
            world.enrol()
        assert world.keyring
        world.readers = {f"r{number}": world.keyring.ids for number in range(readers)}
        if table:
            world.tables = {TABLE: [A, A]}
            world.specs = (TableSpec(table=TABLE, id_column="id", token_columns=("token",)),)

    # --- the user --------------------------------------------------------------------------------

    @rule(active=KEYS, rolling=st.one_of(st.none(), KEYS))
    def edit(self, active: o.KeyReading, rolling: o.KeyReading) -> None:
        self.world.active, self.world.rolling = active, rolling

    @rule(fault=st.sampled_from(["malformed", "empty", "missing"]))
    def break_secret(self, fault: str) -> None:
        if fault == "missing":
            self.world.secret_missing = True
        else:
            self.world.active = o.MalformedKey("bad") if fault == "malformed" else None

    @rule()
    def mend_secret(self) -> None:
        self.world.secret_missing = False

    @rule()
    def suspend_or_not(self) -> None:
        self.world.suspend = not self.world.suspend

    @rule(key=st.one_of(st.none(), KEYS))
    def allow_reverse(self, key: o.KeyReading) -> None:
        self.world.allow_reverse = key  # type: ignore[assignment]

    # --- the machines ----------------------------------------------------------------------------

    @rule(crash_after=st.one_of(st.none(), st.integers(0, 3)))
    def turn(self, crash_after: int | None) -> None:
        self.world.turn(crash_after)

    @precondition(lambda self: self.world.running)
    @rule(rows=st.integers(0, 5))
    def workers_go_on(self, rows: int) -> None:
        self.world.work_on(rows)

    @precondition(lambda self: self.world.running)
    @rule(failed=st.booleans())
    def workers_die(self, failed: bool) -> None:  # noqa: FBT001
        self.world.stop_work(failed=failed)

    @rule(follow=st.booleans())
    def readers_lag_or_follow(self, follow: bool) -> None:  # noqa: FBT001
        self.world.readers_follow = follow
        if follow:
            self.world.refresh_readers()

    @rule()
    def reader_dies(self) -> None:
        if self.world.readers:
            self.world.readers.popitem()

    @rule(down=st.booleans())
    def database_goes_or_comes(self, down: bool) -> None:  # noqa: FBT001
        self.world.down = down

    # --- rows ------------------------------------------------------------------------------------

    @rule()
    def enrol(self) -> None:
        self.world.enrol()

    @rule(row=st.sampled_from([Row(ALIEN), Row(None), Row(ALIEN, fault="unknown")]))
    def bad_row_by_hand(self, row: Row) -> None:
        self.world.rows.append(Row(row.true_key, row.hint, row.fault))

    @precondition(lambda self: self.world.keyring)
    @rule(data=st.data())
    def restored_row_by_hand(self, data: st.DataObject) -> None:
        assert self.world.keyring
        key = data.draw(st.sampled_from(sorted(self.world.keyring.ids)))
        # Under a staged key nothing was ever written, and a retired one was proved to be needed no more.
        if self.world.keyring.states[key] not in ("staged", "retired"):
            self.world.rows.append(Row(key))

    @rule()
    def back_up(self) -> None:
        self.backup = self.world.snapshot()

    @invariant()
    def promises_hold(self) -> None:
        self.world.check()

    # --- the end ---------------------------------------------------------------------------------

    def teardown(self) -> None:
        """A sound request at the end is always fulfilled, whatever came before."""
        world = self.world
        world.secret_missing = world.down = world.suspend = False
        world.readers_follow = True
        world.refresh_readers()
        if world.work.state is o.WorkState.RUNNING:
            world.stop_work()
        goal = D if D != world.write_key else C
        world.active, world.rolling, world.allow_reverse = goal, None, goal
        promoted = world.settle()
        if world.specs and not promoted.at_rest:
            self._give_words(goal)
        plan = world.settle()
        assert world.write_key == goal, plan
        readable = [row for row in world.rows if row.true_key not in (None, ALIEN)]
        assert all(row.true_key == row.hint == goal for row in readable)
        assert all(row.fault for row in world.rows if row.true_key in (None, ALIEN))
        assert plan.at_rest or plan.reason in {"UnknownKey", "CorruptRows"}, plan
        assert world.live == {goal}
        assert world.keyring
        assert world.keyring.ids == {goal}
        assert all(set(keys) == {goal} for keys in world.tables.values())

    def _give_words(self, goal: o.KeyReading) -> None:
        """The table's owner says twice what it takes: an old rotation may have to end first."""
        world = self.world
        for _ in range(4):
            s = world.keyring.states if world.keyring else {}
            for old in [key for key, state in s.items() if state == "rolling"] or [None]:
                world.specs = (
                    TableSpec(
                        table=TABLE,
                        id_column="id",
                        token_columns=("token",),
                        ready_for_key=world.write_key,
                        done_with_key=old,
                    ),
                )
                world.settle()
        del goal


AnyHistory.TestCase.settings = settings(deadline=None, stateful_step_count=40)
TestAnyHistory = AnyHistory.TestCase


def test_the_model_notices_a_lost_key() -> None:
    """The laws above are worth something: the model refuses a plan that loses a needed key."""
    world = World()
    world.settle()
    world.enrol()
    world.archive = {A}
    world.keyring = None
    world.active = B
    try:
        world.check()
    except AssertionError as caught:
        assert "unloaded while a row needs it" in str(caught)
    else:
        raise AssertionError
    assert OWN == "mfa_factors"
    assert p.Step.IDLE == "Idle"
