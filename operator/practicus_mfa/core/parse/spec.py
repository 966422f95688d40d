"""An MfaPolicy's spec: what the operator and the embedded platform work by, found valid.

``overrides`` comes from the settings page and wins, value by value, over ``mfa`` and ``rememberMe``, which
come from values.yaml. :func:`effective` says which of the two decided each value.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from practicus_mfa.core.parse.faults import InvalidConfiguration
from practicus_mfa.core.parse.reader import Section
from practicus_mfa.core.parse.rules import (
    check_days,
    mfa_rules,
    migration_rules,
    object_name,
    remember_me_rules,
    secret_key,
    session_rules,
)
from practicus_mfa.core.policy import (
    DatabaseRef,
    MfaRules,
    Policy,
    RememberMeRules,
    SecretRef,
)
from practicus_mfa.core.spelling import (
    mfa_spelled,
    migration_spelled,
    remember_me_spelled,
    session_spelled,
)
from practicus_mfa.faults import Fault

FROM_VALUES: Final = "values"
FROM_OVERRIDE: Final = "override"


def policy_from_spec(spec: object, *, source: str = "the MfaPolicy") -> Policy:
    """Return *spec* (a tree of JSON values), found valid.

    Args:
        spec: The spec of an MfaPolicy; an empty one is all defaults.
        source: How messages call it.

    Raises:
        InvalidConfiguration: With every fault.
    """
    faults: list[Fault] = []
    with Section(spec, "spec", faults) as top:
        values_mfa = mfa_rules(top.section("mfa"), MfaRules())
        remember = top.section("rememberMe")
        values_remember_me = remember_me_rules(remember, RememberMeRules())
        with top.section("overrides") as overrides:
            over_mfa, over_remember = overrides.section("mfa"), overrides.section("rememberMe")
            mfa = mfa_rules(over_mfa, values_mfa)
            remember_me = remember_me_rules(over_remember, values_remember_me)
            check_days(remember_me, over_remember if over_remember.given("days") else remember)
        overridden = [
            *(f"mfa.{name}" for name in mfa_spelled(mfa) if over_mfa.given(name)),
            *(f"rememberMe.{name}" for name in remember_me_spelled(remember_me) if over_remember.given(name)),
        ]
        policy = Policy(
            mfa=mfa,
            remember_me=remember_me,
            session=session_rules(top.section("session")),
            secret_ref=_secret_ref(top.section("secretStoreRef")),
            database_ref=_database_ref(top.section("databaseRef")),
            migration=migration_rules(top.section("migration")),
            overridden=frozenset(overridden),
            values_mfa=values_mfa,
            values_remember_me=values_remember_me,
        )
    if faults:
        raise InvalidConfiguration(faults, source=source)
    return policy


def _secret_ref(section: Section) -> SecretRef:
    with section as ref:
        return SecretRef(
            name=object_name(ref, "name", SecretRef().name),
            active=ref.key_id("activeKeyID"),
            rolling=ref.key_id("rollingKeyID"),
        )


def _database_ref(section: Section) -> DatabaseRef | None:
    with section as ref:
        name, key = object_name(ref, "name"), secret_key(ref, "key", "url")
        if ref.given("key") and not ref.given("name"):
            ref.fault("name", "missing", "write it, for example name: practicus-mfa-database")
        return DatabaseRef(name, key) if name else None


def effective(policy: Policy) -> dict[str, dict[str, dict[str, object]]]:
    """Return each value of ``mfa`` and ``rememberMe`` in force as ``{"value": …, "source": …}``.

    The source is ``values`` or ``override``: what ``status.effective`` of an MfaPolicy says.
    """
    sections = {"mfa": mfa_spelled(policy.mfa), "rememberMe": remember_me_spelled(policy.remember_me)}
    return {
        section: {
            name: {
                "value": value,
                "source": FROM_OVERRIDE if f"{section}.{name}" in policy.overridden else FROM_VALUES,
            }
            for name, value in rules.items()
        }
        for section, rules in sections.items()
    }


def published(policy: Policy) -> dict[str, object]:
    """Return what the database is told of *policy*.

    Log-in services and workers go by it; the settings page also shows where each value comes from.
    """
    return {
        **enforced(policy),
        "migration": migration_spelled(policy.migration),
        "overridden": sorted(policy.overridden),
        "values": {
            "mfa": mfa_spelled(policy.values_mfa),
            "rememberMe": remember_me_spelled(policy.values_remember_me),
        },
    }


def enforced(policy: Policy) -> dict[str, Mapping[str, object]]:
    """Return the rules in force as plain values: what a log-in service goes by."""
    return {
        "mfa": mfa_spelled(policy.mfa),
        "rememberMe": remember_me_spelled(policy.remember_me),
        "session": session_spelled(policy.session),
    }
