"""What is planned and not done: the jobs that a worker finds in the database when it starts.

A worker is told nothing but its share. The rotation, its passes and the policy's tables stand in the
database, so a Job's pod, a local process and a person's ``practicus-mfa migrate`` do the same.
"""

from __future__ import annotations

from practicus_mfa.core.observed import Mode, RotationSeen
from practicus_mfa.core.parse.spec import policy_from_spec
from practicus_mfa.core.policy import MigrationRules
from practicus_mfa.core.sharding import Share
from practicus_mfa.rotation.worker import Job
from practicus_mfa.storage.engine import Database
from practicus_mfa.storage.policy_row import read_policy
from practicus_mfa.storage.rotations import under_way


def rules_in_force(db: Database) -> MigrationRules:
    """Return how rows are re-encrypted, as the platform put it into the database."""
    with db.read() as connection:
        in_force = read_policy(connection)
    spec = {"migration": in_force.effective.get("migration", {})} if in_force else {}
    return policy_from_spec(spec, source="the policy in the database").migration


def pending_jobs(db: Database, share: Share) -> tuple[Job, ...]:
    """Return this worker's jobs, migrating before verifying; none where nothing is planned.

    Raises:
        UnreachableError: The database can't be used at the moment.
    """
    with db.read() as connection:
        rotation = under_way(connection)
    if rotation is None:
        return ()
    rules = rules_in_force(db)
    jobs = (_job(rotation, mode, rules, share) for mode in Mode)
    return tuple(job for job in jobs if job.relations)


def _job(rotation: RotationSeen, mode: Mode, rules: MigrationRules, share: Share) -> Job:
    return Job(
        rotation_id=rotation.id,
        to_key=rotation.to_key,
        mode=mode,
        relations=tuple(seen.relation for seen in rotation.passes if seen.mode is mode and not seen.finished),
        tables=rules.tables,
        share=share,
        page_rows=rules.batch_size,
    )
