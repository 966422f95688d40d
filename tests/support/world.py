"""A small model of the world that the core decides about: true keys of rows, readers, workers, crashes.

It keeps what the core can't see (which key really opens a row) and behaves as the database, the workers and
the keyring's store do. :mod:`tests.support.world_seen` is what of it is seen, and
:mod:`tests.support.world_applied` how a plan changes it, each change with its promises. After every change
no key that a row needs is lost.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from practicus_mfa.core import observed as o
from practicus_mfa.core import plan as p
from practicus_mfa.core.conditions import Condition, conditions
from practicus_mfa.core.decide import Plan, decide
from practicus_mfa.core.keyring import KeyId, Keyring, KeyState
from practicus_mfa.core.policy import Policy, TableSpec
from tests.support import world_applied, world_seen
from tests.support.world_parts import (
    BEYOND_BACKOFF,
    OWN,
    START,
    A,
    Backup,
    OperatorDiedError,
    Rotation,
    Row,
    copied_rotations,
)


@dataclass
class World:
    """Everything there is. Changes happen through its methods only.

    Attributes:
        archive: Keys that were unloaded.
        excused: Keys that rows need since a restore or by hand, and that were unloaded before that.
        applications_key: What the other application writes with.
    """

    active: o.KeyReading = A
    rolling: o.KeyReading = None
    secret_missing: bool = False
    expected: tuple[KeyId | None, KeyId | None] = (None, None)
    policy: Policy = field(default_factory=Policy)
    suspend: bool = False
    allow_reverse: KeyId | None = None
    specs: tuple[TableSpec, ...] = ()
    adopt: bool = False

    keyring: Keyring | None = None
    lost_keyring: Keyring | None = None
    archive: set[KeyId] = field(default_factory=set)
    excused: set[KeyId] = field(default_factory=set)

    down: bool = False
    claim: o.Claim | None = None
    generation: int = 0
    live: set[KeyId] = field(default_factory=set)
    write_key: KeyId | None = None
    former: set[KeyId] = field(default_factory=set)
    retired: set[KeyId] = field(default_factory=set)
    rows: list[Row] = field(default_factory=list)
    rotations: list[Rotation] = field(default_factory=list)
    tables: dict[str, list[KeyId]] = field(default_factory=dict)
    scanned: dict[str, dict[str, int]] = field(default_factory=dict)
    administrators: o.Administrators = field(default_factory=lambda: o.Administrators(1, 1))

    readers: dict[str, frozenset[KeyId]] = field(default_factory=dict)
    readers_follow: bool = True
    applications_key: KeyId | None = None

    running: p.Work | None = None
    work: o.WorkSeen = field(default_factory=o.WorkSeen)
    now: datetime = START
    log: list[p.Action] = field(default_factory=list)
    writes_left: int | None = None

    # --- looking ---------------------------------------------------------------------------------

    def observe(self) -> o.Observed:
        """Return what the operator sees."""
        return world_seen.observe(self)

    def published(self) -> dict[str, Condition]:
        """Return the conditions as they would be published now."""
        seen = self.observe()
        return {condition.type: condition for condition in conditions(seen, decide(seen))}

    def reason(self, kind: str) -> str:
        """Return a condition's status and reason as they would be published now: ``False UnknownKey``."""
        condition = self.published()[kind]
        return f"{condition.status} {condition.reason}"

    def message(self, kind: str) -> str:
        """Return a condition's message as it would be published now."""
        return self.published()[kind].message

    def state_of(self, key: KeyId) -> KeyState | None:
        """Return the state of *key* in the keyring, ``None`` where it is not there."""
        return self.keyring.states.get(key) if self.keyring else None

    @property
    def named(self) -> set[KeyId]:
        """Keys that the Secret holds."""
        if self.secret_missing:
            return set()
        return {key for key in (self.active, self.rolling) if isinstance(key, str)}

    @property
    def readable(self) -> frozenset[KeyId]:
        """Keys that the keyring holds."""
        return self.keyring.ids if self.keyring else frozenset()

    @property
    def rotation(self) -> Rotation | None:
        """The rotation that is under way."""
        return next((rotation for rotation in self.rotations if not rotation.completed), None)

    @property
    def current(self) -> Rotation:
        """The rotation that is under way, where there must be one."""
        rotation = self.rotation
        assert rotation is not None, "no rotation is under way"
        return rotation

    def needed(self) -> set[KeyId]:
        """Keys that a row of any table really needs."""
        own = {row.true_key for row in self.rows if row.true_key is not None}
        return own | {key for keys in self.tables.values() for key in keys}

    # --- passes ----------------------------------------------------------------------------------

    def turn(self, crash_after: int | None = None) -> Plan:
        """Run one pass; the operator dies after *crash_after* writes where that is given."""
        self.now += timedelta(seconds=1)
        plan = decide(self.observe())
        self.writes_left = crash_after
        try:
            for action in plan.actions:
                world_applied.apply(self, action)
                self.log.append(action)
                self.check()
        except OperatorDiedError:
            self.check()
        return plan

    def about_to_write(self) -> None:
        """Be called before each durable write: the place where a crash can come."""
        if self.writes_left is not None:
            if self.writes_left == 0:
                raise OperatorDiedError
            self.writes_left -= 1

    def settle(self, passes: int = 200) -> Plan:
        """Run passes and workers until nothing changes any more; return the last plan."""
        quiet = 0
        for _ in range(passes):
            plan = self.turn()
            if self.running:
                self.work_on()
                quiet = 0
                continue
            acted = any(not isinstance(action, p.NudgeReaders) for action in plan.actions)
            quiet = 0 if acted else quiet + 1
            if self.work.state is o.WorkState.FAILED:
                self.now += BEYOND_BACKOFF
            if quiet > 1 and (plan.at_rest or plan.waits_for):
                return plan
        msg = f"no end: {plan}"
        raise AssertionError(msg)

    def turn_until(self, action: type[p.Action], passes: int = 100) -> Plan:
        """Run passes and workers up to the plan that does *action*, which is not applied yet; return it."""
        for _ in range(passes):
            plan = decide(self.observe())
            if any(isinstance(each, action) for each in plan.actions):
                return plan
            self.turn()
            self.work_on()
        msg = f"no {action.__name__}: {plan}"
        raise AssertionError(msg)

    # --- what others do --------------------------------------------------------------------------

    def refresh_readers(self) -> None:
        """Let every reader load the keyring as it is."""
        if self.keyring:
            self.readers = dict.fromkeys(self.readers, self.keyring.ids)

    def work_on(self, rows: int = 10**9) -> None:
        """Let the workers treat up to *rows* rows of ours; at the end their pass is finished."""
        work = self.running
        if work is None:
            return
        if self.rotation is None or self.rotation.id != work.rotation or self.down:
            self.stop_work(failed=self.down)
            return
        assert self.write_key in self.readable, "workers that can't read the key they write with"
        for relation in work.relations:
            if self._work_through(relation, work.mode, rows):
                self.current.finished[relation, work.mode] = True
        if all(self.current.finished[relation, work.mode] for relation in work.relations):
            self.stop_work()
        self.check()

    def _work_through(self, relation: str, mode: o.Mode, rows: int) -> bool:
        if relation == OWN:
            todo = [row for row in self.rows if mode is o.Mode.VERIFY or row.hint != self.write_key]
            for row in todo[:rows]:
                self._treat(row)
            return len(todo) <= rows
        assert self.write_key
        opened = [key in self.readable for key in self.tables[relation]]
        pairs = zip(self.tables[relation], opened, strict=True)
        self.tables[relation] = [self.write_key if opens else key for key, opens in pairs]
        self.scanned[relation] = dict(Counter(self.write_key if opens else "unknown" for opens in opened))
        return True

    def _treat(self, row: Row) -> None:
        if row.true_key in self.readable:
            self.current.migrated += row.true_key != self.write_key
            row.true_key, row.hint, row.fault = self.write_key, self.write_key, None
        elif row.true_key is None:
            row.hint, row.fault = None, "corrupt"
        elif row.hint is None:
            # A hint that names a key which nobody has says more than a fault: it would stay.
            row.fault = row.fault or "unknown"

    def stop_work(self, *, failed: bool = False) -> None:
        """Let the workers end, well or not."""
        self.running = None
        state = o.WorkState.FAILED if failed else o.WorkState.IDLE
        self.work = o.WorkSeen(state, "work", self.now if failed else None, "killed" if failed else "")

    def enrol(self) -> None:
        """Let a login replica write a new row, through the one writer."""
        if self.write_key is None or self.down:
            return
        writers = self.readers.values() or [self.readable]
        if any(self.write_key in keys for keys in writers):
            assert self.write_key in self.live, "the fence refuses the write key"
            self.rows.append(Row(self.write_key, self.write_key))
            # A replica may still hold a key that was unloaded, and a restored database let it write again.
            self.excused |= {self.write_key} - self.readable

    def put_by_hand(self, row: Row) -> None:
        """Let somebody write a row around the one writer; its key may have been unloaded before."""
        self.rows.append(replace(row))
        if row.true_key is not None and row.true_key not in self.readable:
            self.excused.add(row.true_key)

    def back_up(self) -> Backup:
        """Return a backup of the database."""
        return Backup(
            live=frozenset(self.live),
            former=frozenset(self.former),
            retired=frozenset(self.retired),
            write_key=self.write_key,
            generation=self.generation,
            rows=tuple(replace(row) for row in self.rows),
            rotations=tuple(copied_rotations(self.rotations)),
            tables={name: list(keys) for name, keys in self.tables.items()},
            scanned={name: dict(found) for name, found in self.scanned.items()},
        )

    def restore(self, backup: Backup) -> None:
        """Restore a backup of the database; workers are gone, keys unloaded since then are excused."""
        self.stop_work()
        self.live, self.former = set(backup.live), set(backup.former)
        self.retired, self.write_key = set(backup.retired), backup.write_key
        self.generation = backup.generation
        self.rows = [replace(row) for row in backup.rows]
        self.rotations = copied_rotations(backup.rotations)
        self.tables = {name: list(keys) for name, keys in backup.tables.items()}
        self.scanned = {name: dict(found) for name, found in backup.scanned.items()}
        self.excused |= self.needed() - self.readable

    def lose_the_keyring(self) -> None:
        """Let somebody delete the keyring; its archive stays."""
        self.lost_keyring, self.keyring = self.keyring or self.lost_keyring, None
        self.excused |= self.needed()
        if self.running:
            self.stop_work(failed=True)

    # --- promises --------------------------------------------------------------------------------

    def check(self) -> None:
        """Check what must hold at every moment."""
        lost = self.needed() & self.archive - self.readable - self.named - self.excused
        assert not lost, f"keys {lost} were unloaded while rows need them"
        assert self.write_key is None or self.write_key in self.live
        assert all(row.hint is None or row.hint in self.live for row in self.rows), "the fence was broken"
