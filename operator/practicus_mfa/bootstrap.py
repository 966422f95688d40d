"""The one place that wires the parts: which database, which keyring, which workers, for which command."""

from __future__ import annotations

import asyncio
import logging
import socket
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

from practicus_mfa.clock import utc_now
from practicus_mfa.datafolder import DataFolder
from practicus_mfa.documents import read_document
from practicus_mfa.errors import UsageError
from practicus_mfa.reconciler.embedded.database_url import database_url
from practicus_mfa.reconciler.embedded.inputs import Inputs
from practicus_mfa.reconciler.embedded.keyring_files import KeyringFiles
from practicus_mfa.reconciler.embedded.login_port import LoginPort
from practicus_mfa.reconciler.embedded.login_process import LoginProcess
from practicus_mfa.reconciler.embedded.objects import install, read_request
from practicus_mfa.reconciler.embedded.platform import Display, Embedded, locked
from practicus_mfa.reconciler.embedded.processes import LocalProcesses
from practicus_mfa.reconciler.loop import Pass, Reconciler
from practicus_mfa.storage.engine import Database, connect

if TYPE_CHECKING:
    from practicus_mfa.kube.client import Cluster
    from practicus_mfa.reconciler.cluster.policy_access import PolicyAccess

log = logging.getLogger(__name__)


def run_embedded(
    folder: DataFolder,
    values: Path,
    *,
    once: bool,
    display: Display,
    stopping: Callable[[], bool],
    login_port: LoginPort | None = None,
) -> Pass | None:
    """Run the embedded platform on *folder* until it is told to stop; return its last pass.

    Args:
        folder: The data folder, made where it is not there.
        values: The values.yaml to install and to follow.
        once: End when all is Ready, or nothing but a person helps.
        display: Where a person looks.
        stopping: Asked often: whether to end.
        login_port: The login service's port; ``None``: there is none.

    Raises:
        UsageError: *values* is not valid, or another platform runs on the folder.
        UnreachableError: The database can't be reached at the start.
    """
    with locked(folder):
        inputs = Inputs(folder, values)
        install(folder, values)
        login = None
        if login_port is not None:
            login = LoginProcess(folder, values, login_port, note=display.note)
            login.configure()
        while True:
            with closing(connect(database_url(folder), create=True)) as db:
                platform = Embedded(
                    folder=folder,
                    values_file=values,
                    inputs=inputs,
                    db=db,
                    display=display,
                    stopping=stopping,
                    login=login,
                )
                result = platform.run(once=once)
            if not platform.moved:
                return result


def look_at(folder: DataFolder, db: Database) -> Pass:
    """Return what a pass over *folder* would see and decide now; nothing is changed.

    Raises:
        UsageError: The folder holds no policy, or one that is not valid.
    """
    request = read_request(folder)
    workers = LocalProcesses(folder, request.policy.migration.parallelism, utc_now)
    return Reconciler(db=db, keyrings=KeyringFiles(folder), workers=workers).look(request)


def look_at_policy(access: PolicyAccess, db: Database) -> Pass:
    """Return what a pass over a policy of a cluster would see and decide now; nothing is changed.

    Raises:
        UsageError: The policy, or something that it refers to, is not valid or may not be read.
        UnreachableError: The API server can't be reached.
    """
    # Only who looks at a cluster needs what speaks to one.
    from practicus_mfa.kube.job_template import JobTemplate
    from practicus_mfa.reconciler.cluster.jobs import JobWorkers
    from practicus_mfa.reconciler.cluster.keyring_secrets import KeyringSecrets

    policy, request = access.request()
    workers = JobWorkers(
        cluster=access.cluster,
        policy=policy,
        spec=request.policy,
        # No Job is made here.
        template=JobTemplate(image=""),
        clock=utc_now,
    )
    keyrings = KeyringSecrets(access.cluster, access.namespace, access.name)
    return Reconciler(db=db, keyrings=keyrings, workers=workers).look(request)


def run_login(
    config_file: Path, *, database_url: str, keyring: Path, pod: str | None, listener: int | None = None
) -> None:
    """Run a replica of the login service until the process is told to end.

    Args:
        config_file: Its configuration.
        database_url: Its database. A secret.
        keyring: The keyring's file, or the folder that it is mounted in.
        pod: The pod that it runs in; ``None`` outside of a cluster.
        listener: The descriptor of the socket that ``up`` holds, which started this process: it is told on
            standard output once it is served there, and standard input closes when it ends. ``None``: there
            is no such process.

    Raises:
        UsageError: The configuration or the URL is not valid, or an address can't be listened on.
    """
    # What serves requests is of use to this command alone.
    from practicus_mfa.login.leases import instance_name
    from practicus_mfa.reconciler.cluster.endpoints import Endpoints
    from practicus_mfa.rotation.treatment import treatment
    from practicus_mfa.web.config import read_config
    from practicus_mfa.web.replica import Replica
    from practicus_mfa.web.serve import HttpServer, Starter

    config = read_config(read_document(config_file), source=str(config_file))
    replica = Replica(
        config, lambda: connect(database_url), keyring, instance=instance_name(pod), treatment=treatment
    )

    def ready() -> bool:
        return replica.health.readiness().ready

    async def run() -> None:
        server = HttpServer(
            replica.app,
            config.listen if listener is None else socket.socket(fileno=listener),
            config.tls,
            starter=None if listener is None else Starter(sys.stdin, sys.stdout),
        )
        endpoints = None
        if config.metrics is not None:
            registry = replica.metrics.registry
            endpoints = Endpoints(*config.metrics, registry, healthy=lambda: True, ready=ready)
        try:
            await replica.run(server)
        finally:
            if endpoints is not None:
                endpoints.close()

    asyncio.run(run())


def run_operator(
    config_file: Path, *, kubeconfig: Path | None, context: str | None, host: str, namespace: str
) -> None:
    """Run the operator until the process is told to end.

    Args:
        config_file: The operator's configuration.
        kubeconfig: How to reach the cluster; ``None`` for what is usual.
        context: A context of the kubeconfig; ``None`` for its current one.
        host: What the Lease calls this process.
        namespace: Where this process runs; '' outside of a cluster.

    Raises:
        UsageError: The configuration or the kubeconfig is not valid.
    """
    # These bring kopf and the API server's client, which no other command needs.
    from practicus_mfa.kube.connect import connect as connect_cluster
    from practicus_mfa.reconciler.cluster.config import read_config
    from practicus_mfa.reconciler.cluster.operator import Operator

    config = read_config(read_document(config_file), source=str(config_file))
    cluster, default = connect_cluster(kubeconfig=kubeconfig, context=context)
    if config.definition is not None:
        _bring_up_to_date(cluster, config.definition, config.definition_owner)
    Operator(cluster, config, host=host, namespace=namespace or default).run()


def _bring_up_to_date(cluster: Cluster, file: Path, owner: str) -> None:
    """Bring the definition of MfaPolicy up to date; without the right to, the operator goes on as it is."""
    from practicus_mfa.kube.definition import bring_up_to_date

    try:
        applied = bring_up_to_date(cluster, read_document(file), owner=owner)
    except UsageError as error:
        log.warning("the definition of MfaPolicy was not brought up to date: %s", error)
        return
    log.info(
        "the definition of MfaPolicy is up to date" if applied else "the definition of MfaPolicy is newer"
    )
