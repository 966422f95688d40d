"""How to get to the cluster: a kubeconfig, or in a pod the service account.

In this order: the file that a flag names, ``KUBECONFIG``, the service account of the pod, ``~/.kube/config``;
a context can be named for a kubeconfig only. Nothing is asked of the cluster here: whether it answers shows
the first call.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Final

from practicus_mfa.errors import UsageError
from practicus_mfa.faults import shown
from practicus_mfa.kube.client import Cluster
from practicus_mfa.kube.kubeconfig import choose

if TYPE_CHECKING:
    from kubernetes.client import Configuration

_SERVICE_ACCOUNT: Final = Path("/var/run/secrets/kubernetes.io/serviceaccount")
"""https://kubernetes.io/docs/tasks/run-application/access-api-from-pod/"""

_HOME: Final = "~/.kube/config"


def connect(
    *,
    kubeconfig: Path | None = None,
    context: str | None = None,
    environ: Mapping[str, str] = os.environ,
    service_account: Path = _SERVICE_ACCOUNT,
) -> tuple[Cluster, str]:
    """Return the cluster, and the namespace that is meant where none is named.

    Args:
        kubeconfig: The file that a flag names.
        context: The context of the kubeconfig; its current one by default.
        environ: Where ``KUBECONFIG`` and the address of the pod's API server are looked for.
        service_account: The folder in which a pod finds its token.

    Raises:
        UsageError: There is no kubeconfig, or none that can be used.
    """
    named = str(kubeconfig) if kubeconfig is not None else environ.get("KUBECONFIG", "")
    if not named and context is None and in_pod(environ, service_account):
        return _of_pod(service_account, environ)
    return _of_kubeconfig(named or _HOME, context)


def is_configured(environ: Mapping[str, str] = os.environ, service_account: Path = _SERVICE_ACCOUNT) -> bool:
    """Return whether anything says how to get to a cluster, though no flag does; nothing is read."""
    named = bool(environ.get("KUBECONFIG"))
    return named or in_pod(environ, service_account) or Path(_HOME).expanduser().exists()


def in_pod(environ: Mapping[str, str] = os.environ, service_account: Path = _SERVICE_ACCOUNT) -> bool:
    """Return whether this is a pod of a cluster, with the token of its service account."""
    return "KUBERNETES_SERVICE_HOST" in environ and (service_account / "token").exists()


def _of_pod(folder: Path, environ: Mapping[str, str]) -> tuple[Cluster, str]:
    from kubernetes.config.incluster_config import InClusterConfigLoader

    configuration = _configuration()
    # The loader reads the token anew each minute; the kubelet replaces it long before it ends.
    loader = InClusterConfigLoader(  # type: ignore[no-untyped-call]
        token_filename=str(folder / "token"), cert_filename=str(folder / "ca.crt"), environ=environ
    )
    try:
        loader.load_and_set(configuration)  # type: ignore[no-untyped-call]
        namespace = (folder / "namespace").read_text(encoding="utf-8").strip()
    except Exception as error:
        raise UsageError(
            f"The service account of this pod, in {folder}, can't be used.",
            remedy="Let the pod mount its service account's token (automountServiceAccountToken); "
            "see the cause with --debug.",
        ) from error
    return _cluster(configuration), namespace or "default"


def _of_kubeconfig(paths: str, context: str | None) -> tuple[Cluster, str]:
    files = [Path(path).expanduser() for path in paths.split(os.pathsep) if path]
    chosen = choose(files, context)
    # Half a second, which a mistyped context need not wait for.
    from kubernetes.config import load_kube_config

    configuration = _configuration()
    try:
        load_kube_config(  # type: ignore[no-untyped-call]
            config_file=os.pathsep.join(map(str, files)),
            context=chosen.name,
            client_configuration=configuration,
            # The file is its owner's: nothing is written back to it.
            persist_config=False,
        )
    except Exception as error:  # noqa: BLE001  (the library raises what it meets, from KeyError to OSError)
        # What the library says may quote the file, tokens included: it is not chained.
        raise UsageError(
            f"{paths}: the credentials of the context {shown(chosen.name)} can't be used "
            f"({type(error).__name__}).",
            remedy=f"Correct the user {shown(chosen.user)} and the cluster {shown(chosen.cluster)} there: "
            "certificates, keys and token files must exist.",
        ) from None
    if chosen.plugin and not configuration.api_key and not configuration.cert_file:
        # The library logs what went wrong, and goes on without.
        raise UsageError(
            f"{paths}: the plug-in {shown(chosen.plugin)} gave no credentials for {shown(chosen.user)}.",
            remedy="Log in with the program that wrote the kubeconfig; the plug-in must be installed.",
        )
    return _cluster(configuration), chosen.namespace


def _configuration() -> Configuration:
    """Return a configuration of our own: the library's default one is shared by the whole process."""
    from kubernetes.client import Configuration

    configuration = Configuration()
    # A watch is silent for most of its life: the kernel notices that the other end is gone.
    configuration.keep_alive = True
    return configuration


def _cluster(configuration: Configuration) -> Cluster:
    from kubernetes.client import ApiClient

    return Cluster(ApiClient(configuration))
