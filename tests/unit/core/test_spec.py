"""An MfaPolicy's spec: overrides win value by value, references are read, faults name their place."""

from __future__ import annotations

import pytest

from practicus_mfa.core.keyring import KeyId
from practicus_mfa.core.parse.faults import InvalidConfiguration
from practicus_mfa.core.parse.spec import effective, enforced, policy_from_spec
from practicus_mfa.core.policy import (
    DatabaseRef,
    MfaRules,
    MigrationRules,
    Policy,
    RememberMeRules,
    SecretRef,
    SessionRules,
)


def faults(spec: object) -> list[str]:
    with pytest.raises(InvalidConfiguration) as caught:
        policy_from_spec(spec)
    assert caught.value.source == "the MfaPolicy"
    return [fault.line for fault in caught.value.faults]


@pytest.mark.parametrize("spec", [None, {}, {"mfa": None, "overrides": None, "databaseRef": {}}])
def test_an_empty_spec_is_all_defaults(spec: object) -> None:
    assert policy_from_spec(spec) == Policy()


def test_every_value_is_read() -> None:
    policy = policy_from_spec(
        {
            "mfa": {"enabled": True, "mandatory": True, "mandatoryForSysAdmins": True, "gracePeriodDays": 3},
            "rememberMe": {"enabled": True, "days": 7, "disabledForSysAdmins": True},
            "session": {"hours": 1, "idleMinutes": 5},
            "secretStoreRef": {
                "name": "keys",
                "activeKeyID": "0123456789ab",
                "rollingKeyID": "ba9876543210",
            },
            "databaseRef": {"name": "db", "key": "uri"},
            "migration": {"suspend": True},
        }
    )
    assert policy == Policy(
        mfa=MfaRules(mandatory=True, mandatory_for_sys_admins=True, grace_period_days=3),
        remember_me=RememberMeRules(days=7, disabled_for_sys_admins=True),
        session=SessionRules(hours=1, idle_minutes=5),
        secret_ref=SecretRef(name="keys", active=KeyId("0123456789ab"), rolling=KeyId("ba9876543210")),
        database_ref=DatabaseRef("db", "uri"),
        migration=MigrationRules(suspend=True),
        values_mfa=MfaRules(mandatory=True, mandatory_for_sys_admins=True, grace_period_days=3),
        values_remember_me=RememberMeRules(days=7, disabled_for_sys_admins=True),
    )


def test_the_database_s_entry_is_called_url_unless_told_otherwise() -> None:
    assert policy_from_spec({"databaseRef": {"name": "db"}}).database_ref == DatabaseRef("db", "url")


def test_overrides_win_value_by_value() -> None:
    policy = policy_from_spec(
        {
            "mfa": {"mandatory": False, "gracePeriodDays": 3},
            "rememberMe": {"days": 30},
            "overrides": {
                "mfa": {"mandatory": True, "enabled": None},
                "rememberMe": {"days": 7},
            },
        }
    )
    assert policy.mfa == MfaRules(mandatory=True, grace_period_days=3)
    assert policy.remember_me == RememberMeRules(days=7)
    assert policy.overridden == {"mfa.mandatory", "rememberMe.days"}


def test_each_value_names_its_source() -> None:
    policy = policy_from_spec({"overrides": {"mfa": {"mandatory": False}, "rememberMe": {"days": 7}}})

    assert effective(policy) == {
        "mfa": {
            "enabled": {"value": True, "source": "values"},
            # It says the same as values.yaml, and it is still the override that decides.
            "mandatory": {"value": False, "source": "override"},
            "mandatoryForSysAdmins": {"value": False, "source": "values"},
            "gracePeriodDays": {"value": 0, "source": "values"},
        },
        "rememberMe": {
            "enabled": {"value": True, "source": "values"},
            "days": {"value": 7, "source": "override"},
            "disabledForSysAdmins": {"value": False, "source": "values"},
        },
    }


def test_the_rules_in_force_are_plain_values() -> None:
    policy = policy_from_spec({"overrides": {"mfa": {"mandatory": True}}, "session": {"idleMinutes": 15}})

    assert enforced(policy) == {
        "mfa": {"enabled": True, "mandatory": True, "mandatoryForSysAdmins": False, "gracePeriodDays": 0},
        "rememberMe": {"enabled": True, "days": 30, "disabledForSysAdmins": False},
        "session": {"hours": 12, "idleMinutes": 15},
    }


NO_OBJECT = (
    "not the name of a Kubernetes object; "
    "it has lower-case letters, digits, '-' and '.', and begins and ends with one of the first two"
)
NO_TEXT = "a whole number where a key ID is expected; put it in quotes"
SMALL = "0 is too small; the least is 1; to switch it off, write spec"


@pytest.mark.parametrize(
    ("spec", "lines"),
    [
        ({"mfa": {"mandatry": True}}, ["spec.mfa.mandatry: unknown; did you mean mandatory?"]),
        (
            {"overrides": {"mfa": {"mandatry": True}, "session": {}}},
            [
                "spec.overrides.session: unknown; known here: mfa, rememberMe",
                "spec.overrides.mfa.mandatry: unknown; did you mean mandatory?",
            ],
        ),
        ({"rememberMe": {"days": 0}}, [f"spec.rememberMe.days: {SMALL}.rememberMe.enabled: false"]),
        (
            {"overrides": {"rememberMe": {"days": 0}}},
            [f"spec.overrides.rememberMe.days: {SMALL}.overrides.rememberMe.enabled: false"],
        ),
        (
            {"rememberMe": {"enabled": False, "days": 0}, "overrides": {"rememberMe": {"enabled": True}}},
            [f"spec.rememberMe.days: {SMALL}.rememberMe.enabled: false"],
        ),
        (
            {"secretStoreRef": {"name": "a/b", "activeKeyID": 123456789012}},
            [
                f"spec.secretStoreRef.name: {NO_OBJECT}",
                f"spec.secretStoreRef.activeKeyID: {NO_TEXT}",
            ],
        ),
        (
            {"databaseRef": {"key": "uri"}},
            ["spec.databaseRef.name: missing; write it, for example name: practicus-mfa-database"],
        ),
        (
            [],
            ["spec: a list where a section is expected; write its names below it, indented, one a line"],
        ),
    ],
)
def test_faults_name_their_place(spec: object, lines: list[str]) -> None:
    assert sorted(faults(spec)) == sorted(lines)


@pytest.mark.parametrize(
    "overrides", [{"rememberMe": {"days": 7}}, {"rememberMe": {"enabled": False}}], ids=["days", "enabled"]
)
def test_an_override_may_cure_a_value(overrides: object) -> None:
    policy_from_spec({"rememberMe": {"days": 0}, "overrides": overrides})
