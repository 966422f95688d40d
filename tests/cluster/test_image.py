"""The image, as a cluster runs it: not root, with nothing that it could change."""

from __future__ import annotations

import json
import re
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest

from practicus_mfa import __version__
from practicus_mfa.storage import versions
from practicus_mfa.storage.engine import connect
from tests.support.cluster.pods import Finished, run_pod

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.support.cluster.with_node import NodeCluster

ROOT: Final = Path(__file__).parents[2]
PYTHON: Final = "/opt/practicus-mfa/bin/python"


@pytest.fixture
def run(node_cluster: NodeCluster, node_namespace: str) -> Callable[..., Finished]:
    def in_a_pod(*arguments: str, **more: object) -> Finished:
        return run_pod(node_cluster.plane, node_namespace, node_cluster.image, arguments, **more)  # type: ignore[arg-type]

    return in_a_pod


@pytest.fixture
def python(run: Callable[..., Finished]) -> Callable[..., str]:
    def in_a_pod(program: str, **more: object) -> str:
        finished = run("-c", program, command=[PYTHON], **more)
        assert finished.code == 0, finished.output
        return finished.output

    return in_a_pod


def test_the_image_is_the_command_line(run: Callable[..., Finished]) -> None:
    assert run("--version") == Finished(0, f"practicus-mfa {__version__}\n")


def test_help_is_there_without_anything_else(run: Callable[..., Finished]) -> None:
    finished = run("--help")

    assert finished.code == 0
    assert finished.output.startswith("Usage: practicus-mfa [OPTIONS] COMMAND [ARGS]...")


def test_it_runs_as_a_user_of_its_own_that_can_change_nothing(python: Callable[..., str]) -> None:
    who = "import os, pwd; print(os.getuid(), os.getgid(), os.getgroups(), pwd.getpwuid(os.getuid()).pw_name)"
    write = "try: open('/opt/practicus-mfa/new', 'w')\nexcept OSError as error: print(error.strerror)"

    assert python(f"{who}\n{write}") == "10001 10001 [10001] practicus-mfa\nRead-only file system\n"


def test_it_holds_what_is_locked_and_the_product(python: Callable[..., str]) -> None:
    found = json.loads(
        python(
            "import json, importlib.metadata as m;"
            "print(json.dumps({d.metadata['Name'].lower().replace('_', '-'): d.version"
            " for d in m.distributions()}))"
        )
    )

    locked = (ROOT / "requirements" / "run.txt").read_text("utf-8")
    assert found == {
        **dict(re.findall(r"^([a-z0-9.-]+)(?:\[\w+\])?==(\S+)", locked, re.MULTILINE)),
        "practicus-mfa": __version__,
    }


def test_what_is_installed_fits_together(run: Callable[..., Finished]) -> None:
    check = "python3 -m venv /tmp/tools && /tmp/tools/bin/pip --no-cache-dir --python $0 check"

    finished = run("-c", check, PYTHON, command=["sh"])

    assert finished == Finished(0, "No broken requirements found.\n")


def test_nothing_is_compiled_at_the_start(python: Callable[..., str]) -> None:
    program = (
        "import os, sys\n"
        "import practicus_mfa.cli.migrate, practicus_mfa.storage.engine, psycopg, sqlalchemy, kopf, yaml\n"
        "cached = [c for m in list(sys.modules.values()) if (c := getattr(m, '__cached__', None))]\n"
        "print(len(cached) > 500, [c for c in cached if not os.path.exists(c)])"
    )

    assert python(program) == "True []\n"


def test_it_holds_no_tools_to_build_with_and_no_leftovers(python: Callable[..., str]) -> None:
    program = (
        "import pathlib, shutil, sys\n"
        "print([name for name in ('gcc', 'cc', 'ld', 'make', 'git') if shutil.which(name)])\n"
        "root, product = pathlib.Path('/'), pathlib.Path(sys.prefix)\n"
        "print(*root.glob('root/.cache'), *root.glob('build'), *root.glob('etc/pip.conf'))\n"
        "print(*product.glob('lib/*/site-packages/pip*'))"
    )

    assert python(program) == "[]\n\n\n"


def test_a_pod_sets_up_a_database_on_this_machine(
    run: Callable[..., Finished], node_cluster: NodeCluster, node_namespace: str, pods_postgres_url: str
) -> None:
    node_cluster.plane.apply(
        json.dumps(
            {
                "apiVersion": "v1",
                "kind": "Secret",
                "metadata": {"name": "database", "namespace": node_namespace},
                "stringData": {"url": pods_postgres_url},
            }
        )
    )

    finished = run(
        "db", "upgrade", "--database-url-file", "/etc/database/url", secrets_at={"/etc/database": "database"}
    )

    assert finished.code == 0, finished.output
    with closing(connect(pods_postgres_url)) as database:
        assert versions.current(database) == versions.head()


def test_a_pod_reaches_the_api_server_by_its_service(python: Callable[..., str]) -> None:
    program = (
        "import os, ssl, urllib.request\n"
        "authority = '/var/run/secrets/kubernetes.io/serviceaccount/ca.crt'\n"
        "url = 'https://{KUBERNETES_SERVICE_HOST}:{KUBERNETES_SERVICE_PORT}/readyz'.format_map(os.environ)\n"
        "context = ssl.create_default_context(cafile=authority)\n"
        "print(urllib.request.urlopen(url, timeout=10, context=context).read().decode())"
    )

    assert python(program, token=True) == "ok\n"
