"""The image, as a cluster runs it: not root, with nothing that it could change."""

from __future__ import annotations

import json
import re
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

from practicus_mfa import __version__
from practicus_mfa.storage import versions
from practicus_mfa.storage.engine import connect
from tests.support.cluster import images
from tests.support.cluster.built_again import BuiltAgain, built_again, product_layer
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


@pytest.fixture(scope="module")
def again(node_cluster: NodeCluster) -> BuiltAgain:
    return built_again()


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
    locked = (ROOT / "requirements" / "run.txt").read_text("utf-8")
    assert _installed(python) == {
        **dict(re.findall(r"^([a-z0-9.-]+)(?:\[\w+\])?==(\S+)", locked, re.MULTILINE)),
        "practicus-mfa": __version__,
    }


def test_of_what_packages_list_nothing_is_missing(python: Callable[..., str]) -> None:
    program = (
        "import importlib.metadata as m\n"
        "files = [file for d in m.distributions() for file in d.files]\n"
        "print(len(files) > 1000, [str(file) for file in files if not file.locate().exists()])"
    )

    assert python(program) == "True []\n"


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


def test_no_compiled_module_says_when_it_was_made(python: Callable[..., str]) -> None:
    # PEP 552: the second word is 1 where the source's hash follows, unchecked, and 0 where its time does.
    program = (
        "import pathlib, sys\n"
        "compiled = list(pathlib.Path(sys.prefix).rglob('*.pyc'))\n"
        "timed = [str(file) for file in compiled if file.read_bytes()[4:8] != b'\\1\\0\\0\\0']\n"
        "print(len(compiled) > 1000, timed)"
    )

    assert python(program) == "True []\n"


def test_the_pages_languages_have_their_dates_and_numbers(python: Callable[..., str]) -> None:
    program = (
        "from datetime import datetime, UTC\n"
        "from practicus_mfa.web.translations import languages\n"
        "at = datetime(2026, 11, 25, 9, 5, tzinfo=UTC)\n"
        "for code, language in languages().items():\n"
        "    print(code, language.number(1234), *language.moment(at).split())"
    )

    assert python(program) == "en 1,234 25 Nov 2026 09:05 UTC\ntr 1.234 25 Kas 2026 09:05 UTC\n"


def test_a_second_build_elsewhere_gives_the_same_files(again: BuiltAgain) -> None:
    first = product_layer(images.project())

    assert len(first) > 500
    assert [path for path in {**first, **again.product} if first.get(path) != again.product.get(path)] == []


def test_the_list_of_its_parts_is_valid(again: BuiltAgain) -> None:
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(again.bill_of_materials) is None


def test_the_list_names_the_packages_of_python_and_no_others(
    again: BuiltAgain, python: Callable[..., str]
) -> None:
    assert _listed(again, "pkg:pypi/") == _installed(python)


def test_the_list_names_debians_packages_and_python(again: BuiltAgain, run: Callable[..., Finished]) -> None:
    debian = run("--show", "--showformat=${Package} ${Version}\\n", command=["dpkg-query"])
    python = run("--version", command=["python3"])

    assert _listed(again, "pkg:deb/debian/") == dict(line.split() for line in debian.output.splitlines())
    assert _listed(again, "pkg:generic/") == {"python": python.output.split()[1]}


def test_the_list_names_what_was_compiled_into_a_package(again: BuiltAgain) -> None:
    within = {
        found["name"]: {inner["name"] for inner in found.get("components", [])}
        for found in json.loads(again.bill_of_materials)["components"]
    }

    assert {"openssl", "pyo3"} <= within["cryptography"]
    assert {"hyper", "tokio"} <= within["granian"]
    assert within["practicus-mfa"] == set()


def test_it_holds_no_tools_to_build_with_and_no_leftovers(python: Callable[..., str]) -> None:
    program = (
        "import pathlib, shutil, sys\n"
        "print([name for name in ('gcc', 'cc', 'ld', 'make', 'git') if shutil.which(name)])\n"
        "root, product = pathlib.Path('/'), pathlib.Path(sys.prefix)\n"
        "print(*root.glob('root/.cache'), *root.glob('build'), *root.glob('etc/pip.conf'))\n"
        "print(*product.glob('lib/*/site-packages/pip*'))"
    )

    assert python(program) == "[]\n\n\n"


@pytest.mark.parametrize("user", [None, 1_000_660_000], ids=["its user", "a user that it does not know"])
def test_a_pod_sets_up_a_database_on_this_machine(
    run: Callable[..., Finished],
    node_cluster: NodeCluster,
    node_namespace: str,
    pods_postgres_url: str,
    user: int | None,
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
        "db",
        "upgrade",
        "--database-url-file",
        "/etc/database/url",
        secrets_at={"/etc/database": "database"},
        user=user,
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
        "print(urllib.request.urlopen(url, timeout=60, context=context).read().decode())"
    )

    assert python(program, token=True) == "ok\n"


def _installed(python: Callable[..., str]) -> dict[str, str]:
    """Return the versions of Python's packages in the image."""
    program = (
        "import json, importlib.metadata as m;"
        "print(json.dumps({d.metadata['Name'].lower().replace('_', '-'): d.version"
        " for d in m.distributions()}))"
    )
    found: dict[str, str] = json.loads(python(program))
    return found


def _listed(again: BuiltAgain, kind: str) -> dict[str, str]:
    """Return the versions of one kind of packages in the list."""
    return {
        found["name"].lower().replace("_", "-"): found["version"]
        for found in json.loads(again.bill_of_materials)["components"]
        if found["purl"].startswith(kind)
    }
