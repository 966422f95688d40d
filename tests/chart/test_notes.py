"""What Helm says at the end of an installation."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from practicus_mfa.cli.users import users
from tests.chart.test_login import LEAST, NAME, login
from tests.support.chart import CHART, NAMESPACE, SEED, Helm, Tree, of_kind

EXEC = f"kubectl -n {NAMESPACE} exec deploy/{NAME} -- practicus-mfa "


@pytest.fixture(scope="module")
def chart(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the chart that renders its notes as an object: Helm shows them at an installation alone."""
    copy = tmp_path_factory.mktemp("notes") / CHART.name
    shutil.copytree(CHART, copy)
    templates = copy / "templates"
    notes = (templates / "NOTES.txt").read_text("utf-8")
    (templates / "_notes.tpl").write_text(f'{{{{- define "notes" -}}}}{notes}{{{{- end }}}}', "utf-8")
    (templates / "notes.yaml").write_text(
        'kind: Notes\nmetadata: {name: notes}\ntext: {{ include "notes" . | toJson }}\n', "utf-8"
    )
    return copy


def notes(helm: Helm, chart: Path, *values: object) -> str:
    return str(of_kind(helm.render(*values, chart=chart), "Notes")["text"])


def test_the_policy_is_what_says_how_things_are(helm: Helm, chart: Path) -> None:
    told = notes(helm, chart, SEED)
    assert f"kubectl -n {NAMESPACE} wait --for=condition=Ready mfap/practicus-mfa" in told
    assert told.rstrip().endswith("There is no login service: login.host is empty.")


def test_who_has_named_no_database_is_told(helm3: Helm, chart: Path) -> None:
    warning = "No database is named, so it can't become Ready"
    assert warning in notes(helm3, chart, SEED)
    for database in (
        {"url": "postgresql://u:p@h/d"},
        {"existingSecret": "db"},
        {"embedded": {"enabled": True}},
    ):
        assert warning not in notes(helm3, chart, SEED, {"database": database})


def test_the_command_for_the_first_administrator_is_one_that_the_program_has(helm: Helm, chart: Path) -> None:
    told = notes(helm, chart, *login({"host": "Login.example.com:443"}))
    (line,) = [line.strip() for line in told.splitlines() if EXEC in line]
    assert line.endswith(" --origin https://login.example.com")
    assert "People log in at https://login.example.com/ then." in told
    group, command, _, *flags = line.removeprefix(EXEC).split()
    assert group == users.name
    known = {option for parameter in users.commands[command].params for option in parameter.opts}
    assert {flag for flag in flags if flag.startswith("--")} == {"--superuser", "--setup-link", "--origin"}
    assert {flag for flag in flags if flag.startswith("--")} <= known


@pytest.mark.parametrize(
    ("host", "origin", "port"),
    [
        ("127.0.0.1:8123", "http://127.0.0.1:8123", "8123"),
        ("localhost", "http://localhost", "80"),
        ("localhost:80", "http://localhost", "80"),
    ],
)
def test_who_tries_it_out_is_told_how_to_get_there(
    helm3: Helm, chart: Path, host: str, origin: str, port: str
) -> None:
    told = notes(helm3, chart, *login({"host": host}))
    assert f"--superuser --setup-link --origin {origin}\n" in told
    assert f"kubectl -n {NAMESPACE} port-forward deploy/{NAME} {port}:8080" in told


@pytest.mark.parametrize(("proxies", "warned"), [([], True), (["10.0.0.0/8"], False)])
def test_proxies_that_nobody_named_are_told(
    helm3: Helm, chart: Path, proxies: list[str], *, warned: bool
) -> None:
    told = notes(helm3, chart, *login({"trustedProxies": proxies}))
    assert ("login.trustedProxies is empty" in told) is warned


@pytest.mark.parametrize(
    ("values", "told"),
    [
        ({"crds": {"enabled": False}}, "crds.enabled is false"),
        ({"operator": {"watchNamespaces": [NAMESPACE]}}, "no right beyond operator.watchNamespaces"),
        ({"login": {"enabled": False}}, "There is no login service: login.enabled is false."),
    ],
)
def test_what_is_left_to_a_person_is_told(helm3: Helm, chart: Path, values: Tree, told: str) -> None:
    assert told in notes(helm3, chart, LEAST, values)


def test_no_note_stands_where_nothing_is_to_be_said(helm3: Helm, chart: Path) -> None:
    assert "definition of MfaPolicy" not in notes(helm3, chart, LEAST)
