"""A key rotation that is suspended after its promotion: the new key writes, no row is new."""

from __future__ import annotations

from typing import TYPE_CHECKING

from practicus_mfa.crypto.keys import generate_key, parse_key
from practicus_mfa.crypto.tokens import seal_canary
from practicus_mfa.storage import keys
from practicus_mfa.storage.readers import unexpired
from practicus_mfa.storage.rotations import Milestone, mark, start_rotation
from tests.support.waiting import until

if TYPE_CHECKING:
    from practicus_mfa.storage.engine import Database
    from tests.support.login_site import Site


def hold_up_a_rotation(site: Site, db: Database) -> None:
    """Begin a rotation, promote it, and leave it there. Afterwards the site's values can't be changed."""
    site.rolling, site.key = site.key, generate_key().text
    former, key = parse_key(site.rolling), parse_key(site.key)
    ended = site.installation.up_once(site.key, site.rolling, migration={"suspend": True}, **site.sections)
    assert "Suspended" in ended.err, ended.err

    def known() -> bool:
        with db.read() as connection:
            there = list(unexpired(connection))
        # One that is slow is without a lease for a moment.
        return bool(there) and all(key.id in reader.key_ids for reader in there)

    until(known, "the replica to have the new key")
    with db.write() as connection:
        # The platform promotes under its claim, with the same statements; suspended, it does not.
        keys.add_live_keys(connection, {key.id: seal_canary(key)})
        rotation = start_rotation(connection, key.id)
        keys._change_write_key(connection, former.id, key.id)
        mark(connection, rotation, Milestone.PROMOTED)
