"""Planning a pass: each table is looked up, cut, and its parts recorded with the rotation, once.

What was cut stays cut: workers that come later, after a crash or with another number of helpers, find the
same parts and how far each one is.
"""

from __future__ import annotations

from practicus_mfa.core.observed import Claim
from practicus_mfa.core.plan import Work
from practicus_mfa.core.policy import MigrationRules
from practicus_mfa.core.sharding import shard_count
from practicus_mfa.errors import UsageError
from practicus_mfa.storage.boundaries import count_rows, cut
from practicus_mfa.storage.claims import guarded_write
from practicus_mfa.storage.engine import Database
from practicus_mfa.storage.relations.resolve import resolve_all
from practicus_mfa.storage.rotations import next_attempt
from practicus_mfa.storage.shards import Range, plan_pass, read_shards, restart_pass

WHOLE: Range = (None, None)


def plan_work(db: Database, claim: Claim, work: Work, rules: MigrationRules) -> int:
    """Record the attempt and the parts of every pass of *work*; return how many parts are not done.

    A pass that is cut already keeps its parts; one that no longer holds begins anew. A table that is not as
    the policy says is one part: its worker meets the same fault, and says so, without holding up the others.

    Args:
        db: The database.
        claim: On whose behalf.
        work: The mode and the relations.
        rules: How many parts, and the other applications' tables.

    Raises:
        SupersededError: Somebody else acts for the database, or the rotation is over.
    """
    with db.read() as connection:
        present = {shard.relation for shard in read_shards(connection, work.rotation, work.mode)}
    cuts = {name: _cuts(db, name, rules) for name in work.relations if name not in present}
    with guarded_write(db, claim) as connection:
        next_attempt(connection, work.rotation, work.attempt)
        for relation in work.again & present:
            restart_pass(connection, work.rotation, work.mode, relation)
        for relation, ranges in cuts.items():
            plan_pass(connection, work.rotation, work.mode, relation, ranges)
        shards = read_shards(connection, work.rotation, work.mode)
    return sum(not shard.done for shard in shards if shard.relation in work.relations)


def _cuts(db: Database, name: str, rules: MigrationRules) -> tuple[Range, ...]:
    try:
        with db.read() as connection:
            (relation,) = resolve_all(connection, [name], rules.tables)
            rows = count_rows(connection, relation)
            return cut(
                connection, relation, rows=rows, parts=shard_count(rows, rules, one_writer=db.is_sqlite)
            )
    except UsageError:
        return (WHOLE,)
