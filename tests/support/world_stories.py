"""How the model world usually comes to be: an installation with users, a rotation that stands at a step."""

from __future__ import annotations

from practicus_mfa.core import plan as p
from practicus_mfa.core.keyring import KeyId
from practicus_mfa.core.policy import TableSpec
from tests.support.world import World
from tests.support.world_parts import A

TABLE = "app.secrets"
SPEC = TableSpec(table=TABLE, id_column="id", token_columns=("token",))


def installed(rows: int = 3, *, readers: int = 2) -> World:
    """Return an installation at rest: everything under key A."""
    world = World(active=A)
    world.settle()
    for _ in range(rows):
        world.enrol()
    world.readers = {f"login-{number}": world.readable for number in range(readers)}
    return world


def with_table(tokens: int = 2) -> World:
    """Return an installation at rest whose policy names another application's table, under A as well."""
    world = installed()
    world.specs, world.tables, world.applications_key = (SPEC,), {TABLE: [A] * tokens}, A
    world.settle()
    return world


def edited(world: World, active: KeyId, rolling: KeyId | None = None) -> World:
    """Let the user put these keys into values.yaml."""
    world.active, world.rolling = active, rolling
    return world


def rotated(world: World, to_key: KeyId) -> World:
    """Let a rotation to *to_key* run to its end, as documented, and the old key leave values.yaml."""
    edited(world, to_key, world.write_key).settle()
    edited(world, to_key).settle()
    assert world.readable == {to_key}
    return world


def promoted(world: World, to_key: KeyId) -> World:
    """Let a rotation to *to_key* run until the rows are about to be migrated."""
    edited(world, to_key, world.write_key).turn_until(p.Work)
    assert world.write_key == to_key
    return world


def staged(world: World, to_key: KeyId) -> World:
    """Let *to_key* be staged, with readers that have not loaded it yet."""
    world.readers_follow = False
    edited(world, to_key, world.write_key).settle()
    assert to_key in world.readable
    assert world.write_key != to_key
    return world
