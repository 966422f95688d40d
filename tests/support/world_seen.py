"""What of the model world is seen: the snapshot that a pass decides from."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING

from practicus_mfa.core import observed as o
from practicus_mfa.core.keyring import KeyId
from practicus_mfa.core.policy import MigrationRules, SecretRef
from tests.support.world_parts import IDENTITY, START, Rotation

if TYPE_CHECKING:
    from tests.support.world import World

HISTORY = 5


def observe(world: World) -> o.Observed:
    """Return what the operator sees."""
    migration = MigrationRules(suspend=world.suspend, allow_reverse=world.allow_reverse, tables=world.specs)
    ref = SecretRef(name="secret-store", active=world.expected[0], rolling=world.expected[1])
    return o.Observed(
        now=world.now,
        generation=1,
        policy=replace(world.policy, migration=migration, secret_ref=ref),
        identity=IDENTITY,
        secret=o.SecretMissing(ref.name)
        if world.secret_missing
        else o.SecretSeen(world.active, world.rolling),
        keyring=world.keyring,
        database=o.DatabaseUnreachable("no answer") if world.down else _database(world),
        work=world.work,
        trial=_trial(world),
        adopt=world.adopt,
    )


def _trial(world: World) -> dict[KeyId, int]:
    """A sample is tried only while no key writes and readers are there."""
    if world.write_key is not None or not world.readers:
        return {}
    return dict(
        Counter(row.true_key for row in world.rows if row.true_key and row.true_key in world.readable)
    )


def _database(world: World) -> o.DatabaseSeen:
    seen = [_rotation(world, rotation) for rotation in world.rotations]
    return o.DatabaseSeen(
        claim=world.claim,
        keyring_generation=world.generation,
        live_keys=frozenset(world.live),
        write_key=world.write_key,
        former_keys=frozenset(key for key in world.former if key != world.write_key),
        retired_keys=frozenset(world.retired),
        counts=_counts(world),
        tables={name: _scanned(world, found) for name, found in world.scanned.items()},
        users=len(world.rows),
        administrators=world.administrators,
        rotation=next((rotation for rotation in seen if rotation.completed_at is None), None),
        history=tuple(rotation for rotation in reversed(seen) if rotation.completed_at)[:HISTORY],
        readers=tuple(o.ReaderSeen(name, keys) for name, keys in sorted(world.readers.items())),
    )


def _counts(world: World) -> o.Counts:
    return o.Counts(
        by_key=dict(Counter(row.hint for row in world.rows if row.hint)),
        untried=sum(row.hint is None and row.fault is None for row in world.rows),
        unknown=sum(row.fault == "unknown" for row in world.rows),
        corrupt=sum(row.fault == "corrupt" for row in world.rows),
        counted_at=world.now,
    )


def _scanned(world: World, found: dict[str, int]) -> o.Counts:
    by_key = {KeyId(key): rows for key, rows in found.items() if key != "unknown"}
    return o.Counts(
        by_key=by_key, untried=0, unknown=found.get("unknown", 0), corrupt=0, counted_at=world.now
    )


def _rotation(world: World, rotation: Rotation) -> o.RotationSeen:
    passes = tuple(
        o.PassSeen(
            relation=relation,
            mode=mode,
            shards=1,
            done=int(done),
            migrated=rotation.migrated if (number == 0) else 0,
            current=0,
            unknown=0,
            corrupt=0,
        )
        for number, ((relation, mode), done) in enumerate(sorted(rotation.finished.items()))
    )
    return o.RotationSeen(
        id=rotation.id,
        to_key=rotation.to_key,
        from_key=rotation.from_key,
        started_at=START,
        promoted_at=START if rotation.promoted else None,
        retired_at=START if rotation.retired else None,
        completed_at=START if rotation.completed else None,
        attempt=rotation.attempt,
        passes=passes,
    )
