"""What one values.yaml renders, and that it is read back as it was meant."""

from __future__ import annotations

from base64 import b64encode
from typing import Any

import pytest

from practicus_mfa.core.keyring import KeyId
from practicus_mfa.core.manifests import SETTINGS_PAGE, Manifests, page_allowed, render, secret_entry
from practicus_mfa.core.parse.faults import InvalidConfiguration
from practicus_mfa.core.parse.spec import policy_from_spec
from practicus_mfa.core.parse.values import read_values
from practicus_mfa.core.policy import DatabaseRef, SecretRef, SettingsPage

ACTIVE = KeyId("aaaaaaaaaaaa")
ROLLING = KeyId("bbbbbbbbbbbb")


def rendered(values: object, *, active: KeyId | None = ACTIVE, rolling: KeyId | None = ROLLING) -> Manifests:
    return render(read_values(values), active=active, rolling=rolling, namespace="here")


def base64(text: str) -> str:
    return b64encode(text.encode()).decode()


def test_the_seed_s_values_render_a_policy_and_a_secret() -> None:
    manifests = rendered({"secretStore": {"activeKey": "new", "rollingKey": "old"}})

    labels = {"app.kubernetes.io/name": "practicus-mfa", "app.kubernetes.io/instance": "practicus-mfa"}
    assert manifests.policy == {
        "apiVersion": "mfa.practicus.ai/v1",
        "kind": "MfaPolicy",
        "metadata": {
            "name": "practicus-mfa",
            "namespace": "here",
            "labels": labels,
            "annotations": {"mfa.practicus.ai/settings-page": "edit"},
        },
        "spec": {
            "mfa": {
                "enabled": True,
                "mandatory": False,
                "mandatoryForSysAdmins": False,
                "gracePeriodDays": 0,
            },
            "rememberMe": {"enabled": True, "days": 30, "disabledForSysAdmins": False},
            "session": {"hours": 12, "idleMinutes": 0},
            "secretStoreRef": {
                "name": "practicus-mfa-secret-store",
                "activeKeyID": "aaaaaaaaaaaa",
                "rollingKeyID": "bbbbbbbbbbbb",
            },
            "migration": {
                "parallelism": 2,
                "shards": 0,
                "batchSize": 2000,
                "suspend": False,
                "tables": [],
            },
        },
    }
    assert manifests.secret_store == {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "practicus-mfa-secret-store", "namespace": "here", "labels": labels},
        "type": "Opaque",
        "data": {"activeKey": base64("new"), "rollingKey": base64("old")},
    }
    assert manifests.database is None


def test_keys_appear_in_secrets_alone() -> None:
    manifests = rendered({"secretStore": {"activeKey": "new-key"}, "database": {"url": "sqlite:///hunter2"}})
    assert "new-key" not in str(manifests.policy)
    assert "hunter2" not in str(manifests.policy)
    assert base64("new-key") not in repr(manifests)
    assert base64("sqlite:///hunter2") not in repr(manifests)


def test_ids_that_are_not_known_are_left_out() -> None:
    spec = policy_from_spec(rendered({}, active=None, rolling=None).policy["spec"])
    assert spec.secret_ref == SecretRef(name="practicus-mfa-secret-store")


def test_an_existing_secret_is_referred_to_and_not_made() -> None:
    manifests = rendered({"secretStore": {"existingSecret": "mine"}}, active=None, rolling=None)
    assert manifests.secret_store is None
    assert policy_from_spec(manifests.policy["spec"]).secret_ref.name == "mine"


def test_a_database_s_url_goes_into_a_secret_of_its_own() -> None:
    manifests = rendered({"database": {"url": "postgresql://u:p@h/d"}})
    ref = policy_from_spec(manifests.policy["spec"]).database_ref
    assert ref == DatabaseRef("practicus-mfa-database", "url")
    assert secret_entry(manifests.database, "url", source="test") == "postgresql://u:p@h/d"


def test_an_existing_secret_of_the_database_is_referred_to_and_not_made() -> None:
    manifests = rendered({"database": {"existingSecret": "db", "existingSecretKey": "uri"}})
    assert manifests.database is None
    assert policy_from_spec(manifests.policy["spec"]).database_ref == DatabaseRef("db", "uri")


def test_the_policy_is_read_back_as_it_was_written() -> None:
    values = read_values(
        {
            "userLogin": {
                "mfa": {"mandatory": True, "gracePeriodDays": 3},
                "rememberMe": {"days": 7},
                "session": {"hours": 2},
            },
            "migration": {
                "allowReverse": ACTIVE,
                "tables": [
                    {
                        "table": 'app."Secrets"',
                        "idColumn": "id",
                        "tokenColumns": ["a", "b"],
                        "where": {"encrypted": True},
                        "readyForKeyID": ACTIVE,
                        "doneWithKeyID": ROLLING,
                    },
                    {"table": "t", "idColumn": "id", "tokenColumns": ["a"]},
                ],
            },
        }
    )
    manifests = render(values, active=ACTIVE, rolling=ROLLING, name="other")
    policy = policy_from_spec(manifests.policy["spec"])

    assert (policy.mfa, policy.remember_me, policy.session) == (
        values.mfa,
        values.remember_me,
        values.session,
    )
    assert policy.migration == values.migration
    assert policy.secret_ref == SecretRef(name="other-secret-store", active=ACTIVE, rolling=ROLLING)


@pytest.mark.parametrize(
    ("secret", "text"),
    [
        ({"data": {"activeKey": base64("abc")}}, "abc"),
        ({"stringData": {"activeKey": "abc"}}, "abc"),
        ({"stringData": {"activeKey": "new"}, "data": {"activeKey": base64("old")}}, "new"),
        ({"data": {"activeKey": ""}}, ""),
        ({"data": None}, ""),
        ({}, ""),
        (None, ""),
    ],
)
def test_an_entry_of_a_secret_is_read(secret: object, text: str) -> None:
    assert secret_entry(secret, "activeKey", source="secret.yaml") == text


NOT_BASE64 = (
    "data.activeKey: not text in base64; encode it with base64, once, or write it below stringData as it is"
)


@pytest.mark.parametrize(
    ("secret", "message"),
    [
        ({"data": {"activeKey": "YWJj%"}}, NOT_BASE64),
        ({"data": {"activeKey": "/w=="}}, NOT_BASE64),
        ({"data": {"activeKey": "gäb"}}, NOT_BASE64),
        (
            {"data": {"activeKey": 1}},
            "data.activeKey: a whole number where text is expected; put it in quotes",
        ),
        (
            "activeKey",
            "the whole: text where a section is expected; write its names below it, indented, one a line",
        ),
    ],
)
def test_a_damaged_secret_is_told_without_its_values(secret: object, message: str) -> None:
    with pytest.raises(InvalidConfiguration) as caught:
        secret_entry(secret, "activeKey", source="secret.yaml")
    assert caught.value.message == f"secret.yaml: {message}"
    assert caught.value.__cause__ is None


@pytest.mark.parametrize("mode", SettingsPage)
def test_what_the_settings_page_may_do_is_read_back_as_it_was_rendered(mode: SettingsPage) -> None:
    policy: Any = rendered({"login": {"settingsPage": str(mode)}}).policy
    assert page_allowed(policy["metadata"]["annotations"]) is mode


def test_an_annotation_that_nobody_understands_allows_nothing() -> None:
    assert page_allowed({}) is SettingsPage.EDIT
    for found in ("", "Edit", "all", True, 7):
        assert page_allowed({SETTINGS_PAGE: found}) is SettingsPage.READ
