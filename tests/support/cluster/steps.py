"""What people do to an installation in a cluster, and what is then seen: the words that cases are told in."""

from __future__ import annotations

from base64 import b64encode
from typing import TYPE_CHECKING

from sqlalchemy import insert, update

from practicus_mfa.clock import utc_now
from practicus_mfa.crypto.tokens import seal
from practicus_mfa.kube.objects import JOBS, POLICIES, SECRETS, Tree
from practicus_mfa.storage import factors as factor_rows
from practicus_mfa.storage import users
from practicus_mfa.storage.schema import factors
from practicus_mfa.storage.users import NewUser
from tests.support.installation import secret_of
from tests.support.waiting import until

if TYPE_CHECKING:
    from collections.abc import Iterable

    from practicus_mfa.crypto.keys import FernetKey
    from tests.support.cluster.operating import ClusterInstallation

NAMES = [f"user-{number}" for number in range(12)]

ONE_WORKER = {"parallelism": 1}
"""A section ``migration``: the cases need no more, and each process takes its time to start."""


ROTATION_SECONDS = 240.0
"""Two rotations after each other, on a machine that is busy with other tests."""


def begin(installation: ClusterInstallation, key: FernetKey, names: Iterable[str] = NAMES) -> None:
    """Have the installation ready under *key*, with users who have MFA."""
    rotate(installation, key)
    await_rotated(installation, key)
    installation.enrol(*names)


def rotate(installation: ClusterInstallation, active: FernetKey, rolling: FernetKey | None = None) -> None:
    """Change the two lines of values.yaml and upgrade."""
    installation.apply(active.text, rolling.text if rolling else "", migration=ONE_WORKER)


# --- people's doings ------------------------------------------------------------------------------------


def secret_store(installation: ClusterInstallation) -> str:
    """Return the name of the Secret with the keys."""
    return f"{installation.name}-secret-store"


def edit_secret(installation: ClusterInstallation, active: str | bytes, rolling: str | bytes = "") -> None:
    """Edit the Secret with the keys alone, as ``kubectl edit`` does."""
    entries = {"activeKey": active, "rollingKey": rolling}
    write_secret(installation, secret_store(installation), entries)


def write_secret(
    installation: ClusterInstallation, name: str, entries: dict[str, str | bytes] | dict[str, str]
) -> None:
    """Make a Secret, or replace all of its entries."""
    encoded = {
        entry: b64encode(value if isinstance(value, bytes) else value.encode()).decode()
        for entry, value in entries.items()
    }
    namespace = installation.namespace
    body: Tree = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": name, "namespace": namespace},
        "data": encoded,
    }
    if installation.cluster.merge(SECRETS, namespace, name, {"data": encoded}) is None:
        installation.cluster.create(SECRETS, namespace, body)


def keep_keys_by_hand(installation: ClusterInstallation) -> None:
    """Have the policy name a Secret that somebody else fills, whose keys' IDs the chart can't know."""
    installation.apply("", secretStore={"existingSecret": secret_store(installation)}, migration=ONE_WORKER)


def edit_policy(installation: ClusterInstallation, **spec: object) -> None:
    """Edit parts of the policy's spec, as ``kubectl edit`` does."""
    changed = installation.cluster.merge(POLICIES, installation.namespace, installation.name, {"spec": spec})
    assert changed is not None


def suspend(installation: ClusterInstallation, suspended: bool) -> None:
    """Set ``migration.suspend``."""
    edit_policy(installation, migration={"suspend": suspended})


def delete_secret(installation: ClusterInstallation, name: str) -> None:
    """Delete a Secret."""
    assert installation.cluster.get(SECRETS, installation.namespace, name) is not None
    installation.cluster.delete(SECRETS, installation.namespace, name)


def delete_policy(installation: ClusterInstallation) -> None:
    """Delete the policy and wait until it is gone."""
    where = (POLICIES, installation.namespace, installation.name)
    installation.cluster.delete(*where)
    until(lambda: installation.cluster.get(*where) is None, "the policy's end")


def change(installation: ClusterInstallation, name: str, **columns: str | None) -> None:
    """Write into a user's factor past the product."""
    with installation.database() as db, db.write() as connection:
        user = users.get(connection, name)
        connection.execute(update(factors).where(factors.c.user_id == user.id).values(**columns))


def leave_rows(installation: ClusterInstallation, key: FernetKey, names: Iterable[str] = NAMES) -> None:
    """Write users with MFA of whose key the database knows nothing, as a partial restore leaves them."""
    with installation.database() as db, db.write() as connection:
        for name in names:
            users.create(connection, NewUser(username=name))
            user = users.get(connection, name)
            sealed = seal(secret_of(name), owner=user.id, key=key, now=int(utc_now().timestamp()))
            connection.execute(insert(factors).values(user_id=user.id, token=sealed))


def token(installation: ClusterInstallation, name: str) -> str:
    """Return a user's token."""
    with installation.database() as db, db.read() as connection:
        (factor,) = factor_rows.of_user(connection, users.get(connection, name).id)
        return factor.token


# --- what is seen ---------------------------------------------------------------------------------------


def await_message(installation: ClusterInstallation, kind: str, begins: str) -> None:
    """Wait until a condition's message begins like that."""

    def there() -> bool:
        found = installation.status().get("conditions", [])
        return any(each["type"] == kind and each["message"].startswith(begins) for each in found)

    try:
        until(there, f"{kind}: {begins}")
    except AssertionError as error:
        raise AssertionError(f"{error}, not {installation.conditions()}") from error


def await_counted(installation: ClusterInstallation, users: int = len(NAMES)) -> None:
    """Wait until the status tells of so many users, all of them with MFA: all are counted less often."""

    def there() -> bool:
        found = installation.status()["users"]
        return bool(found["total"] == found["enrolled"] == users)

    until(there, f"{users} users to be counted")


def await_rotated(installation: ClusterInstallation, key: FernetKey) -> None:
    """Wait until *key* writes, every row is under it and Ready is true of the policy as it stands."""

    def done() -> bool:
        policy = installation.policy()
        status = policy.get("status", {})
        found = {each["type"]: each for each in status.get("conditions", [])}
        ready = found.get("Ready", {"status": ""})
        return bool(
            status.get("activeKeyID") == key.id
            and ready["status"] == "True"
            and ready["observedGeneration"] == policy["metadata"]["generation"]
            and status["rolling"] == 0
        )

    try:
        until(done, f"Ready under {key.id}", seconds=ROTATION_SECONDS)
    except AssertionError as error:
        logs = [path.read_text("utf-8")[-2000:] for path in installation.root.glob("operator-*.log")]
        raise AssertionError(f"{error}\n{installation.status()}\n{logs}") from error


def await_step(installation: ClusterInstallation, step: str) -> None:
    """Wait until the rotation has come to that step."""

    def there() -> bool:
        return bool(installation.status().get("rotation", {}).get("step") == step)

    until(there, f"step {step}", seconds=ROTATION_SECONDS)


def policy_jobs(installation: ClusterInstallation) -> list[str]:
    """Return the names of the policy's own Jobs."""
    labels = {"mfa.practicus.ai/policy": installation.name}
    return [
        job["metadata"]["name"]
        for job in installation.cluster.list(JOBS, installation.namespace, labels=labels)
    ]
