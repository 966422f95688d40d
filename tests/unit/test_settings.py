"""Settings: the environment wins over the file, every fault is told."""

from __future__ import annotations

from pathlib import Path

import pytest

from practicus_mfa.faults import InvalidConfiguration
from practicus_mfa.settings import Settings, read_settings


def test_nothing_said_is_nothing_set() -> None:
    assert read_settings({}) == Settings()
    assert read_settings({"PRACTICUS_MFA_DATA_DIR": ""}, {"keyring": None}) == Settings()


def test_both_are_read_and_the_environment_wins() -> None:
    settings = read_settings(
        {"PRACTICUS_MFA_OUTPUT": "yaml", "PRACTICUS_MFA_KEYRING": "~/k"},
        {"output": "json", "keyring": "f", "dataDir": "d"},
    )
    assert settings == Settings(output="yaml", keyring=Path.home() / "k", data_dir=Path("d"))


def test_a_place_in_the_environment_wins_over_every_place_of_the_file() -> None:
    settings = read_settings(
        {"PRACTICUS_MFA_DATABASE_URL": "sqlite:///x"}, {"dataDir": "d", "output": "json"}
    )
    assert settings == Settings(database_url="sqlite:///x", output="json")


def test_a_url_is_not_shown() -> None:
    assert "hunter2" not in repr(read_settings({"PRACTICUS_MFA_DATABASE_URL": "postgresql://u:hunter2@h/d"}))


def test_variables_that_a_cluster_sets_are_let_be() -> None:
    environ = {"PRACTICUS_MFA_LOGIN_SERVICE_HOST": "10.0.0.1", "PRACTICUS_MFA_PORT": "tcp://10.0.0.1:80"}
    assert read_settings(environ) == Settings()


def test_every_fault_is_told_at_once() -> None:
    with pytest.raises(InvalidConfiguration) as caught:
        read_settings(
            {"PRACTICUS_MFA_OUTPUT": "xml"},
            {
                "databaseUrl": "postgresql://u:hunter2@h/d",
                "keyring": 5,
                "dataDir": ["d"],
                "out": 1,
                "output": {},
            },
            source="mfa.yaml",
        )
    assert caught.value.message.splitlines() == [
        "mfa.yaml: 6 faults",
        "  databaseUrl: unknown; did you mean databaseUrlFile?",
        "  out: unknown; did you mean output?",
        "  keyring: can't be used; write a file's name",
        "  dataDir: can't be used; write a folder's name",
        "  output: can't be used; write one of table, json, yaml",
        "  PRACTICUS_MFA_OUTPUT: can't be used; write one of table, json, yaml",
    ]


def test_a_fault_of_the_environment_is_not_laid_on_the_file() -> None:
    with pytest.raises(InvalidConfiguration) as caught:
        read_settings({"PRACTICUS_MFA_OUTPUT": "xml"}, {"output": "json"}, source="mfa.yaml")
    assert caught.value.source == "the environment"


def test_a_file_is_a_section() -> None:
    with pytest.raises(InvalidConfiguration) as caught:
        read_settings({}, ["a"], source="mfa.yaml")
    assert caught.value.message == "mfa.yaml: the whole: not a section; write names with values, one a line"
