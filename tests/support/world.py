"""A small model of the world that the core decides about: true keys of rows, readers, workers, crashes.

It keeps what the core can't see (which key really opens a row) and checks after every change that the
promises hold: no key that a row needs is ever lost, and nothing is written under a key that a reader
can't read.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

from practicus_mfa.core import observed as o
from practicus_mfa.core import plan as p
from practicus_mfa.core.conditions import conditions
from practicus_mfa.core.decide import Plan, decide
from practicus_mfa.core.keyring import KeyId, Keyring
from practicus_mfa.core.policy import MigrationRules, Policy, SecretRef, TableSpec

A, B, C, D = (KeyId(letter * 12) for letter in "abcd")
ALIEN = KeyId("f" * 12)
OWN = o.OWN_TABLE
START = datetime(2026, 1, 1, tzinfo=UTC)
IDENTITY = o.Claim(cluster="c", namespace="n", policy="p", owner="me", epoch=0)


class Crash(Exception):  # noqa: N818 - a signal of the model, not an error
    """The operator died here."""


@dataclass
class Row:
    """A row with a token: which key really opens it (``None``: it is damaged), and what is noted of it."""

    true_key: KeyId | None
    hint: KeyId | None = None
    fault: str | None = None


@dataclass
class Rotation:
    """A rotation's row and its passes."""

    id: int
    to_key: KeyId
    from_key: KeyId | None
    promoted: bool = False
    completed: bool = False
    attempt: int = 0
    finished: dict[tuple[str, o.Mode], bool] = field(default_factory=dict)
    migrated: int = 0


@dataclass
class World:
    """Everything there is. Changes happen through its methods only."""

    active: o.KeyReading = A
    rolling: o.KeyReading = None
    secret_missing: bool = False
    keyring: Keyring | None = None
    generation: int = 0
    claim: o.Claim | None = None
    live: set[KeyId] = field(default_factory=set)
    write_key: KeyId | None = None
    former: set[KeyId] = field(default_factory=set)
    retired: set[KeyId] = field(default_factory=set)
    rows: list[Row] = field(default_factory=list)
    tables: dict[str, list[KeyId]] = field(default_factory=dict)
    scanned: dict[str, dict[str, int]] = field(default_factory=dict)
    specs: tuple[TableSpec, ...] = ()
    rotations: list[Rotation] = field(default_factory=list)
    readers: dict[str, frozenset[KeyId]] = field(default_factory=dict)
    readers_follow: bool = True
    running: p.Work | None = None
    work: o.WorkSeen = o.WorkSeen()
    down: bool = False
    suspend: bool = False
    allow_reverse: KeyId | None = None
    expected: tuple[KeyId | None, KeyId | None] = (None, None)
    administrators: o.Administrators = o.Administrators(1, 1)
    policy: Policy = Policy()
    now: datetime = START
    archive: set[KeyId] = field(default_factory=set)
    adopt: bool = False
    log: list[p.Action] = field(default_factory=list)

    # --- looking ---------------------------------------------------------------------------------

    def observe(self) -> o.Observed:
        """Return what the operator sees."""
        secret = (
            o.SecretMissing("s")
            if self.secret_missing
            else o.SecretSeen(self.active, self.rolling)
        )
        migration = MigrationRules(
            suspend=self.suspend, allow_reverse=self.allow_reverse, tables=self.specs
        )
        ref = SecretRef(active=self.expected[0], rolling=self.expected[1])
        return o.Observed(
            now=self.now,
            generation=1,
            policy=replace(self.policy, migration=migration, secret_ref=ref),
            identity=IDENTITY,
            secret=secret,
            keyring=self.keyring,
            database=o.DatabaseUnreachable("no answer") if self.down else self._database(),
            work=self.work,
            trial=self._trial(),
            adopt=self.adopt,
        )

    def _trial(self) -> dict[KeyId, int]:
        if self.keyring is None or self.write_key is not None:
            return {}
        return dict(Counter(row.true_key for row in self.rows if row.true_key in self.keyring.ids))  # type: ignore[arg-type]

    def _counts(self) -> o.Counts:
        return o.Counts(
            by_key=dict(Counter(row.hint for row in self.rows if row.hint)),
            untried=sum(row.hint is None and row.fault is None for row in self.rows),
            unknown=sum(row.fault == "unknown" for row in self.rows),
            corrupt=sum(row.fault == "corrupt" for row in self.rows),
            counted_at=self.now,
        )

    def _database(self) -> o.DatabaseSeen:
        seen = [self._rotation(rotation) for rotation in self.rotations]
        return o.DatabaseSeen(
            claim=self.claim,
            keyring_generation=self.generation,
            live_keys=frozenset(self.live),
            write_key=self.write_key,
            former_keys=frozenset(self.former - {self.write_key}),  # type: ignore[arg-type]
            retired_keys=frozenset(self.retired),
            counts=self._counts(),
            tables={
                name: o.Counts({KeyId(k): n for k, n in found.items() if k != "unknown"}, 0, found.get("unknown", 0), 0, self.now)
                for name, found in self.scanned.items()
            },
            users=len(self.rows),
            administrators=self.administrators,
            rotation=next((r for r in seen if r.completed_at is None), None),
            history=tuple(r for r in reversed(seen) if r.completed_at is not None)[:5],
            readers=tuple(o.ReaderSeen(name, keys) for name, keys in sorted(self.readers.items())),
        )

    def _rotation(self, r: Rotation) -> o.RotationSeen:
        return o.RotationSeen(
            id=r.id,
            to_key=r.to_key,
            from_key=r.from_key,
            started_at=START,
            promoted_at=START if r.promoted else None,
            completed_at=START if r.completed else None,
            attempt=r.attempt,
            passes=tuple(
                o.PassSeen(relation=relation, mode=mode, shards=1, done=int(done), migrated=r.migrated,
                           current=0, unknown=0, corrupt=0)
                for (relation, mode), done in sorted(r.finished.items())
            ),
        )

    def conditions(self) -> dict[str, tuple[str, str]]:
        """Return each condition's status and reason as they would be published now."""
        seen = self.observe()
        return {c.type: (str(c.status), str(c.reason)) for c in conditions(seen, decide(seen))}

    def message(self, kind: str) -> str:
        """Return a condition's message as it would be published now."""
        seen = self.observe()
        return next(c.message for c in conditions(seen, decide(seen)) if c.type == kind)

    # --- acting ----------------------------------------------------------------------------------

    def turn(self, crash_after: int | None = None) -> Plan:
        """Run one pass; the operator dies after *crash_after* writes where that is given."""
        self.now += timedelta(seconds=1)
        plan = decide(self.observe())
        self._left = crash_after
        try:
            for action in plan.actions:
                self.log.append(action)
                self._apply(action)
                self.check()
        except Crash:
            self.check()
        return plan

    def _write(self) -> None:
        """Be called before each durable write: the place where a crash can come."""
        if self._left is not None:
            if self._left == 0:
                raise Crash
            self._left -= 1

    @property
    def current(self) -> Rotation:
        """The rotation that is under way."""
        return next(rotation for rotation in self.rotations if not rotation.completed)

    def _apply(self, action: p.Action) -> None:  # noqa: C901 - one arm an action
        assert not self.down
        match action:
            case p.TakeClaim(claim):
                self._write()
                self.claim = claim
            case p.WriteKeyring(keyring):
                present = self.keyring.ids if self.keyring else frozenset()
                assert keyring.ids <= present | self._named(), "a key from nowhere"
                assert keyring.generation > max(self.generation, self.keyring.generation if self.keyring else 0)
                self._write()
                self.generation = keyring.generation
                self._write()
                self.archive |= present - keyring.ids
                self.keyring = keyring
            case p.RecordGeneration(generation):
                self._write()
                self.generation = generation
            case p.SetFirstWriteKey(key):
                self._write()
                assert self.write_key is None
                self.live.add(key)
                self.write_key = key
            case p.ReviveKey(key):
                self._write()
                self.retired.discard(key)
            case p.StartRotation(to_key):
                self._write()
                assert all(rotation.completed for rotation in self.rotations)
                self.rotations.append(Rotation(len(self.rotations) + 1, to_key, self.write_key))
            case p.RetargetRotation(_, to_key):
                self._write()
                assert not self.current.promoted
                self.current.to_key = to_key
            case p.NudgeReaders():
                if self.readers_follow:
                    self.refresh_readers()
            case p.Promote(number, to_key):
                self._write()
                assert self.current.id == number and self.current.to_key == to_key
                assert all(to_key in keys for keys in self.readers.values()), "promoted over a reader"
                assert self.keyring and to_key in self.keyring.ids
                if self.write_key:
                    self.former.add(self.write_key)
                self.former.add(to_key)
                self.live.add(to_key)
                self.retired.discard(to_key)
                self.write_key = to_key
                self.current.promoted = True
            case p.Work():
                self._write()
                assert self.running is None
                self.current.attempt = action.attempt
                for relation in action.relations:
                    if relation in action.again:
                        self.current.finished[relation, action.mode] = False
                    self.current.finished.setdefault((relation, action.mode), False)
                self.running = action
                self.work = o.WorkSeen(o.WorkState.RUNNING, "work")
            case p.StopWork():
                self.stop_work()
            case p.RetireKeys(_, keys):
                self._write()
                if not any(row.hint in keys for row in self.rows):
                    self.live -= keys
            case p.CompleteRotation(_, retired):
                self._write()
                self.retired |= retired
                self.current.completed = True

    def _named(self) -> set[KeyId]:
        if self.secret_missing:
            return set()
        return {key for key in (self.active, self.rolling) if isinstance(key, str)}

    # --- what others do --------------------------------------------------------------------------

    def refresh_readers(self) -> None:
        """Let every reader load the keyring as it is."""
        if self.keyring:
            self.readers = dict.fromkeys(self.readers, self.keyring.ids)

    def work_on(self, rows: int = 10**9) -> None:
        """Let the workers treat up to *rows* rows; at the end their pass is finished."""
        work = self.running
        if work is None or self.keyring is None:
            return
        for relation in work.relations:
            if relation == OWN:
                todo = [row for row in self.rows if work.mode is o.Mode.VERIFY or row.hint != self.write_key]
                for row in todo[:rows]:
                    self._treat(row)
                finished = len(todo) <= rows
            else:
                found = self.tables[relation]
                self.tables[relation] = [self.write_key if k in self.keyring.ids else k for k in found]  # type: ignore[misc]
                finished = True
                if work.mode is o.Mode.VERIFY:
                    self.scanned[relation] = dict(
                        Counter(k if k in self.keyring.ids else "unknown" for k in self.tables[relation])
                    )
            if finished:
                self.current.finished[relation, work.mode] = True
        if all(self.current.finished[relation, work.mode] for relation in work.relations):
            self.stop_work()
        self.check()

    def _treat(self, row: Row) -> None:
        assert self.keyring
        if row.true_key in self.keyring.ids:
            self.current.migrated += row.true_key != self.write_key
            row.true_key, row.hint, row.fault = self.write_key, self.write_key, None
        else:
            corrupt = row.true_key is None or (row.hint is not None and row.hint in self.keyring.ids)
            row.hint, row.fault = None, "corrupt" if corrupt else "unknown"

    def stop_work(self, *, failed: bool = False) -> None:
        """Let the workers end, well or not."""
        self.running = None
        state = o.WorkState.FAILED if failed else o.WorkState.IDLE
        self.work = o.WorkSeen(state, "work", self.now if failed else None, "killed" if failed else "")

    def enrol(self) -> None:
        """Let a login replica write a new row, through the one writer."""
        if self.write_key is None or self.down:
            return
        able = not self.readers or any(self.write_key in keys for keys in self.readers.values())
        if able:
            self.rows.append(Row(self.write_key, self.write_key))

    def snapshot(self) -> dict[str, object]:
        """Return a backup of the database."""
        names = ("live", "former", "retired")
        return {
            **{name: set(getattr(self, name)) for name in names},
            "write_key": self.write_key,
            "generation": self.generation,
            "claim": self.claim,
            "rows": [replace(row) for row in self.rows],
            "rotations": [replace(r, finished=dict(r.finished)) for r in self.rotations],
        }

    def restore(self, backup: dict[str, object]) -> None:
        """Restore a backup of the database; workers are gone."""
        self.stop_work()
        for name, value in backup.items():
            setattr(self, name, value)
        self.rows = [replace(row) for row in self.rows]

    # --- promises --------------------------------------------------------------------------------

    def check(self) -> None:
        """Check what must hold at every moment."""
        reachable = (self.keyring.ids if self.keyring else frozenset()) | self._named()
        for row in self.rows:
            assert row.true_key not in self.archive - reachable or row.true_key is None, (
                f"key {row.true_key} was unloaded while a row needs it"
            )
        for relation, keys in self.tables.items():
            assert not set(keys) & (self.archive - reachable), f"{relation} needs an unloaded key"
        assert self.write_key is None or self.write_key in self.live

    # --- to the end ------------------------------------------------------------------------------

    def settle(self, turns: int = 200) -> Plan:
        """Run passes and workers until nothing changes any more; return the last plan."""
        quiet = 0
        for _ in range(turns):
            plan = self.turn()
            if self.running:
                self.work_on()
                quiet = 0
                continue
            acted = [a for a in plan.actions if not isinstance(a, p.NudgeReaders)]
            quiet = 0 if acted else quiet + 1
            if self.work.state is o.WorkState.FAILED:
                self.now += timedelta(minutes=6)
            if quiet > 1 and (plan.at_rest or plan.waits_for):
                return plan
        msg = f"no end: {plan}"
        raise AssertionError(msg)
