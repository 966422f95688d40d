"""The pod that `helm test` starts: what it asks, and as whom."""

from __future__ import annotations

import socket
import subprocess
import sys
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import TYPE_CHECKING, Final

import pytest

from tests.support.chart import CHART, SEED, Helm, HelmError, Tree, of_kind
from tests.support.waiting import LIMIT_SECONDS

if TYPE_CHECKING:
    from collections.abc import Iterator

LOGIN: Final = {"login": {"host": "login.example.com"}, "database": {"existingSecret": "db"}}
EMBEDDED: Final = {"database": {"embedded": {"enabled": True}}}
PROGRAM: Final = CHART / "files" / "reach_login.py"
VARIABLE: Final = "MFA_LOGIN_SERVICE_HOST"


def pod(helm: Helm, *values: Tree, release: str = "practicus-mfa") -> Tree:
    return of_kind(helm.render(SEED, *values, release=release), "Pod")


def container(tree: Tree) -> Tree:
    (found,) = tree["spec"]["containers"]
    assert isinstance(found, dict)
    return found


@pytest.mark.parametrize("values", [LOGIN, EMBEDDED, {}], ids=["login", "embedded", "no login"])
def test_helm_alone_starts_it_and_it_is_harmless(helm: Helm, values: Tree) -> None:
    tree = pod(helm, values)
    assert tree["metadata"]["annotations"] == {
        "helm.sh/hook": "test",
        "helm.sh/hook-delete-policy": "before-hook-creation",
    }
    # Pod Security Standards, "Restricted"; and an end is an end.
    assert tree["spec"]["restartPolicy"] == "Never"
    assert tree["spec"]["automountServiceAccountToken"] is False
    assert tree["spec"]["securityContext"]["runAsNonRoot"] is True
    assert tree["spec"]["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert container(tree)["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }


@pytest.mark.parametrize("values", [LOGIN, EMBEDDED], ids=["login", "embedded"])
def test_it_asks_the_login_service_and_holds_no_secret(helm3: Helm, values: Tree) -> None:
    objects = helm3.render(SEED, values, release="a-team")
    tree = of_kind(objects, "Pod")
    assert tree["spec"]["serviceAccountName"] == "a-team-login"
    assert container(tree)["command"] == ["python3", "-c"]
    program, variable = container(tree)["args"]
    assert program.strip() == PROGRAM.read_text("utf-8").strip()
    # The kubelet's name for the address of a Service: https://kubernetes.io/docs/concepts/services-networking/service
    assert variable == "A_TEAM_LOGIN_SERVICE_HOST"
    assert of_kind(objects, "Service")["metadata"]["name"] == "a-team-login"
    assert tree["spec"]["volumes"] == [{"name": "tmp", "emptyDir": {"sizeLimit": "64Mi"}}]
    # Or Kubernetes would put a value there, and no longer the program that is tested here.
    assert "$(" not in program


def test_without_a_login_service_it_looks_at_the_database(helm3: Helm) -> None:
    tree = pod(helm3, {"database": {"existingSecret": "db", "existingSecretKey": "uri"}})
    assert container(tree)["args"] == [
        "db",
        "check",
        "--database-url-file",
        "/run/practicus-mfa/database/url",
    ]
    (mount,) = (mount for mount in container(tree)["volumeMounts"] if mount["name"] == "database")
    assert mount == {"name": "database", "mountPath": "/run/practicus-mfa/database", "readOnly": True}
    (volume,) = (volume for volume in tree["spec"]["volumes"] if volume["name"] == "database")
    assert volume["secret"] == {
        "secretName": "db",
        "items": [{"key": "uri", "path": "url"}],
        "defaultMode": 0o440,
    }
    # Not the login service's account, which is not there.
    assert "serviceAccountName" not in tree["spec"]


def test_it_goes_where_the_other_pods_go(helm3: Helm) -> None:
    values = {
        "nodeSelector": {"disk": "fast"},
        "imagePullSecrets": [{"name": "pull"}],
        "podLabels": {"team": "login", "app.kubernetes.io/component": "mine"},
        "podAnnotations": {"note": "x"},
        "image": {"digest": "sha256:00ff", "pullPolicy": "Always"},
    }
    tree = pod(helm3, LOGIN, values)
    assert tree["spec"]["nodeSelector"] == {"disk": "fast"}
    assert tree["spec"]["imagePullSecrets"] == [{"name": "pull"}]
    assert tree["metadata"]["labels"]["team"] == "login"
    # What network policies choose it by is not the user's.
    assert tree["metadata"]["labels"]["app.kubernetes.io/component"] == "test"
    assert tree["metadata"]["annotations"]["note"] == "x"
    assert container(tree)["image"] == "practicus/practicus-mfa@sha256:00ff"
    assert container(tree)["imagePullPolicy"] == "Always"


def test_an_operator_of_namespaces_lends_it_the_account_of_jobs(helm3: Helm) -> None:
    tree = pod(helm3, {"operator": {"watchNamespaces": ["login"]}})
    assert tree["spec"]["serviceAccountName"] == "practicus-mfa-migration"


def test_the_chart_says_which_kubernetes_it_needs(helm: Helm) -> None:
    with pytest.raises(HelmError, match=r"requires kubeVersion: >=1\.30\.0-0 .* v1\.29\.9"):
        helm.run("template", "mfa", str(CHART), "--kube-version", "1.29.9", values=(SEED,))
    # As managed clusters call theirs.
    for version in ("1.30.0", "v1.30.0-gke.100", "v1.36.3-eks-1"):
        assert helm.run("template", "mfa", str(CHART), "--kube-version", version, values=(SEED,))


# --- the program --------------------------------------------------------------------------------------------


@contextmanager
def service(status: int, text: str, *, after: int = 0) -> Iterator[int]:
    """Answer as told on a port of the loopback, and 503 to the first *after* requests."""
    asked: list[str] = []

    class Answers(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            good = self.path == "/readyz" and len(asked) > after
            self.send_response(status if good else 503)
            self.end_headers()
            self.wfile.write((text if good else "not ready\n").encode())

        def log_message(self, *arguments: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Answers) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield server.server_port
        server.shutdown()


def run(port: int, *, patience: int = 60, address: str = "127.0.0.1") -> tuple[int, str]:
    """Run the program with another port and less patience."""
    program = PROGRAM.read_text("utf-8")
    for before, now in (("8080", str(port)), ("PATIENCE_SECONDS = 60", f"PATIENCE_SECONDS = {patience}")):
        assert before in program
        program = program.replace(before, now)
    done = subprocess.run(
        [sys.executable, "-c", program.replace("PAUSE_SECONDS = 1", "PAUSE_SECONDS = 0.05"), VARIABLE],
        env={VARIABLE: address, "http_proxy": "http://127.0.0.1:9"},
        capture_output=True,
        text=True,
        check=False,
        timeout=LIMIT_SECONDS,
    )
    assert done.stderr == ""
    return done.returncode, done.stdout


def test_a_service_that_is_ready_passes_with_what_it_said() -> None:
    with service(200, "ready\n- a note\n") as port:
        assert run(port) == (0, f"http://127.0.0.1:{port}/readyz\nready\n- a note\n")


def test_a_service_that_is_not_ready_yet_is_asked_again() -> None:
    with service(200, "ready\n", after=3) as port:
        assert run(port)[0] == 0


def test_a_service_that_never_is_fails_with_its_reason() -> None:
    with service(503, "not ready\n- no lease is held\n") as port:
        assert run(port, patience=0) == (
            1,
            f"http://127.0.0.1:{port}/readyz\nnot ready\n- no lease is held\n",
        )


def test_nobody_there_fails_with_a_sentence() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
        code, told = run(port, patience=0)
    assert code == 1
    assert told.startswith(f"http://127.0.0.1:{port}/readyz\nno answer: ")
    assert run(1, address="") == (
        1,
        f"{VARIABLE} is not set: this namespace had no such Service when the pod was made.\n",
    )
