"""How a plan changes the model world: as the database and the keyring's store would, each with its promises.

What the real database refuses (a promotion over a reader that lags, a second rotation, another's claim) is
an error here: a plan must not ask for it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, assert_never

from practicus_mfa.core import observed as o
from practicus_mfa.core import plan as p
from practicus_mfa.core.keyring import KeyId, Keyring, KeyState
from tests.support.world_parts import IDENTITY, Rotation

if TYPE_CHECKING:
    from tests.support.world import World


def apply(world: World, action: p.Action) -> None:
    """Bring *action* about."""
    assert not world.down, "a plan without a database"
    match action:
        case p.TakeClaim(claim):
            world.about_to_write()
            _take(world, claim)
        case p.NudgeReaders():
            if world.readers_follow:
                world.refresh_readers()
        case p.StopWork():
            world.stop_work()
        case _:
            _change(world, action)


def _take(world: World, claim: o.Claim) -> None:
    present = world.claim
    assert present is None or world.adopt or present.same_policy(claim), "another policy's database was taken"
    assert claim.epoch > (present.epoch if present else 0)
    world.claim = claim


Change = (
    p.WriteKeyring
    | p.RecordGeneration
    | p.SetFirstWriteKey
    | p.ReviveKey
    | p.StartRotation
    | p.RetargetRotation
    | p.Promote
    | p.Work
    | p.RetireKeys
    | p.CompleteRotation
)
"""What only the holder of the claim may do."""


def _change(world: World, action: Change) -> None:
    assert world.claim, "nothing is changed before the claim is taken"
    assert world.claim.same_policy(IDENTITY), "another policy's database was changed"
    world.about_to_write()
    match action:
        case p.WriteKeyring(keyring):
            _write_keyring(world, keyring)
        case p.SetFirstWriteKey(key):
            _first_write_key(world, key)
        case p.Promote(number, to_key):
            _promote(world, number, to_key)
        case p.Work():
            _work(world, action)
        case p.RetireKeys(number, keys):
            _retire(world, number, keys)
        case _:
            _record(world, action)


def _record(
    world: World,
    action: p.RecordGeneration | p.ReviveKey | p.StartRotation | p.RetargetRotation | p.CompleteRotation,
) -> None:
    match action:
        case p.RecordGeneration(generation):
            world.generation = generation
        case p.ReviveKey(key):
            world.retired.discard(key)
        case p.StartRotation(to_key):
            assert world.rotation is None, "a second rotation"
            world.rotations.append(Rotation(len(world.rotations) + 1, to_key, world.write_key))
        case p.RetargetRotation(number, to_key):
            assert world.current.id == number
            assert not world.current.promoted, "the database refuses a new target after promotion"
            world.current.to_key = to_key
        case p.CompleteRotation(number, retired):
            assert world.current.id == number
            world.retired |= retired
            world.current.completed = True
        case _:
            assert_never(action)


def _write_keyring(world: World, keyring: Keyring) -> None:
    present = world.readable
    assert keyring.ids <= present | world.named, "a key from nowhere"
    newest = max(world.generation, world.keyring.generation if world.keyring else 0)
    assert keyring.generation > newest, "a generation that was there before"
    leaving = present - keyring.ids
    # Nothing was ever written here under a key that was only staged: rows under it are somebody else's.
    world.excused |= {key for key in leaving if world.state_of(key) is KeyState.STAGED}
    assert not leaving & world.needed() - world.excused, "a key leaves although rows need it"
    assert not leaving & world.named, "a key leaves although values.yaml names it"
    assert not leaving & world.live, "a key leaves although rows may be written under it"
    world.generation = keyring.generation
    world.about_to_write()
    world.archive |= leaving
    world.keyring = keyring
    world.excused -= keyring.ids


def _first_write_key(world: World, key: KeyId) -> None:
    assert world.write_key is None
    assert key in world.readable
    # The database looks at the leases itself, and refuses where one lags.
    if all(key in keys for keys in world.readers.values()):
        world.live.add(key)
        world.write_key = key


def _promote(world: World, number: int, to_key: KeyId) -> None:
    assert world.current.id == number
    assert world.current.to_key == to_key
    assert all(to_key in keys for keys in world.readers.values()), "promoted over a reader"
    assert to_key in world.readable, "promoted to a key that nobody can read"
    if world.write_key:
        world.former.add(world.write_key)
    world.live.add(to_key)
    world.retired.discard(to_key)
    world.write_key = to_key
    world.current.promoted = True


def _work(world: World, work: p.Work) -> None:
    assert world.running is None, "workers beside workers"
    rotation = world.current
    assert rotation.id == work.rotation
    assert rotation.to_key == world.write_key, "work before promotion"
    assert work.attempt > rotation.attempt
    assert work.relations
    rotation.attempt = work.attempt
    for relation in work.relations:
        if relation in work.again:
            rotation.finished[relation, work.mode] = False
        rotation.finished.setdefault((relation, work.mode), False)
    world.running = work
    world.work = o.WorkSeen(o.WorkState.RUNNING, "work")


def _retire(world: World, number: int, keys: frozenset[KeyId]) -> None:
    assert world.current.id == number
    assert world.write_key not in keys, "the write key can't be retired"
    if not any(row.hint in keys for row in world.rows):
        world.live -= keys
        world.current.retired = True
