"""What is told above the list: how many users have MFA, under which key, and what a rotation waits for."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Connection, func, select

from practicus_mfa.core.keyring import KeyId
from practicus_mfa.storage import counts, readers, rotations
from practicus_mfa.storage.schema import users
from practicus_mfa.storage.user_list.hints import counted_key


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """How far the rotation under way is with users' MFA.

    Attributes:
        to_key: The key that it goes to.
        promoted: That key writes; before, nothing can be brought under it.
        done: What is under it.
        total: The same, and what can be brought under it.
    """

    to_key: KeyId
    promoted: bool
    done: int
    total: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """How many there are of what; a user with several factors, which an import may bring, counts so often.

    Attributes:
        total: Users.
        enrolled: MFA, readable or not.
        active: MFA under the key that counts.
        rolling: MFA under another one, or not tried yet.
        undecryptable: MFA that no known key opens.
        rotation: The rotation under way, ``None`` where there is none.
    """

    total: int
    enrolled: int
    active: int
    rolling: int
    undecryptable: int
    rotation: Progress | None


def summary(connection: Connection) -> Summary:
    """Return the numbers as the transaction sees them; users are counted, MFA is counted already."""
    total = connection.execute(select(func.count()).select_from(users)).scalar_one()
    rows = counts.read_counts(connection)
    target = counted_key(connection)
    tried = sum(rows.by_key.values())
    active = rows.by_key.get(target, 0) if target is not None else 0
    rolling = tried - active + rows.untried
    undecryptable = rows.unknown + rows.corrupt
    rotation = rotations.under_way(connection)
    progress = None
    if rotation is not None:
        progress = Progress(
            to_key=rotation.to_key,
            promoted=rotation.promoted_at is not None,
            done=active,
            total=active + rolling,
        )
    return Summary(
        total=total,
        enrolled=active + rolling + undecryptable,
        active=active,
        rolling=rolling,
        undecryptable=undecryptable,
        rotation=progress,
    )


def waiting_readers(connection: Connection) -> int:
    """Return how many replicas can't read with the new key yet, 0 where none is waited for.

    Until a rotation's key is promoted it writes nothing, so no MFA can be brought under it; what it waits for
    is that all who hold a lease read with it.
    """
    rotation = rotations.under_way(connection)
    if rotation is None or rotation.promoted_at is not None:
        return 0
    return sum(rotation.to_key not in reader.key_ids for reader in readers.unexpired(connection))
