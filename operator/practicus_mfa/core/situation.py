"""What follows from what is seen: derived once a pass, read by every rule and condition."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

from practicus_mfa.core.keyring import KeyId, Keyring, KeyState
from practicus_mfa.core.observed import Counts, DatabaseSeen, Observed, ReaderSeen, RotationSeen
from practicus_mfa.core.policy import TableSpec
from practicus_mfa.core.wanted import Wanted, judge

LEASE_OF_TABLE = "table:"
"""An application that keeps a lease for its table names the instance ``table:<table>``."""


@dataclass(frozen=True)
class Situation:
    """An :class:`Observed` whose database answered, with what follows from it."""

    seen: Observed
    database: DatabaseSeen

    @cached_property
    def wanted(self) -> Wanted:
        """The judged Secret."""
        return judge(self.seen)

    @property
    def keyring(self) -> Keyring | None:
        """The keyring, where there is one."""
        return self.seen.keyring

    @property
    def readable(self) -> frozenset[KeyId]:
        """Keys that the keyring holds."""
        return self.seen.keyring.ids if self.seen.keyring else frozenset()

    @property
    def write_key(self) -> KeyId | None:
        """The key that writes."""
        return self.database.write_key

    @property
    def rotation(self) -> RotationSeen | None:
        """The rotation that is under way."""
        return self.database.rotation

    @property
    def counts(self) -> Counts:
        """Rows of our own table."""
        return self.database.counts

    @cached_property
    def target(self) -> KeyId | None:
        """The key that shall write.

        A promoted rotation is finished first: a newer edit queues behind it. Where the Secret is not valid
        nothing new is taken up; what was already staged stays staged. If the present write key can't be
        read (a database restored from before the keyring's active key wrote, or a new database under an
        old keyring), the keyring's active key is the target, whatever the Secret says.
        """
        rotation = self.rotation
        if rotation and rotation.to_key == self.write_key and not self.write_key_lost:
            return self.write_key
        if self.wanted.valid:
            return self.wanted.active
        staying = rotation.to_key if rotation else self.write_key
        if self.write_key_lost and self.keyring:
            return next(iter(self.keyring.in_state(KeyState.ACTIVE)), staying)
        return staying

    @property
    def write_key_lost(self) -> bool:
        """Nobody can read with the key that writes: neither the keyring has it nor the Secret."""
        return self.write_key not in self.readable | self.wanted.named

    @property
    def queued(self) -> KeyId | None:
        """A newer active key that waits for the present rotation to end."""
        return self.wanted.active if self.wanted.active != self.target else None

    @cached_property
    def under_other_keys(self) -> Mapping[KeyId, int]:
        """Rows by key, those under the write key left out."""
        return {key: rows for key, rows in self.counts.by_key.items() if rows and key != self.write_key}

    @cached_property
    def needed_but_absent(self) -> Mapping[KeyId, int]:
        """Rows whose hint names a key that the keyring does not hold."""
        return {key: rows for key, rows in self.under_other_keys.items() if key not in self.readable}

    @cached_property
    def lagging(self) -> tuple[ReaderSeen, ...]:
        """Readers that can't read with every key that rows are, or soon will be, written under."""
        required = self.required_of_readers
        return tuple(reader for reader in self.database.readers if not required <= reader.key_ids)

    @property
    def required_of_readers(self) -> frozenset[KeyId]:
        """The keys that a reader must hold: all of the keyring but the retired ones."""
        return self.readable - (self.keyring.in_state(KeyState.RETIRED) if self.keyring else frozenset())

    @cached_property
    def rolling_keys(self) -> frozenset[KeyId]:
        """Keys of the keyring that rows may still need: neither writing, nor staged, nor retired."""
        if self.keyring is None:
            return frozenset()
        # Between a promotion and the next generation the former write key is still called active there.
        return self.keyring.in_state(KeyState.ROLLING, KeyState.ACTIVE) - {self.write_key}

    @cached_property
    def removed_early(self) -> frozenset[KeyId]:
        """Keys that may still be needed although values.yaml no longer names them; the keyring has them."""
        if not self.wanted.legible:
            return frozenset()
        in_use = self.rolling_keys | (frozenset({self.write_key}) if self.write_key else frozenset())
        return in_use - self.wanted.named

    @property
    def workable(self) -> int:
        """Rows of our table that a migration would change and can: their key is not absent."""
        return self.counts.awaiting(self.write_key) - sum(self.needed_but_absent.values())

    # --- other applications' tables -------------------------------------------------------------------

    @property
    def tables(self) -> tuple[TableSpec, ...]:
        """The other applications' tables."""
        return self.seen.policy.migration.tables

    @cached_property
    def table_counts(self) -> Mapping[str, Counts]:
        """The last scans of these tables; one that the policy names no more is none of ours."""
        named = {table.table for table in self.tables}
        return {name: counts for name, counts in self.database.tables.items() if name in named}

    def may_migrate(self, table: TableSpec) -> bool:
        """Whether the application that owns *table* can read the target key: by word or by lease."""
        if not self.rolling_keys or table.ready_for_key == self.target:
            return True
        lease = LEASE_OF_TABLE + table.table
        return any(
            reader.instance == lease and self.target in reader.key_ids for reader in self.database.readers
        )

    def may_prove(self, table: TableSpec) -> bool:
        """Whether the application was said to write no more under the key that is rotated away."""
        return not self.rolling_keys or table.done_with_key in self.rolling_keys

    @property
    def open_tables(self) -> tuple[TableSpec, ...]:
        """Tables that wait for a person's word on their application."""
        return tuple(
            table for table in self.tables if not (self.may_migrate(table) and self.may_prove(table))
        )
