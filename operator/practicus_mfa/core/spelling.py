"""The rules as an MfaPolicy spells them: the way back from frozen values to a tree for YAML or JSON."""

from __future__ import annotations

from practicus_mfa.core.policy import MfaRules, MigrationRules, RememberMeRules, SessionRules, TableSpec

Tree = dict[str, object]
"""A section: names with values that YAML and JSON have a type for."""


def mfa_spelled(rules: MfaRules) -> Tree:
    """Return ``mfa``."""
    return {
        "enabled": rules.enabled,
        "mandatory": rules.mandatory,
        "mandatoryForSysAdmins": rules.mandatory_for_sys_admins,
        "gracePeriodDays": rules.grace_period_days,
    }


def remember_me_spelled(rules: RememberMeRules) -> Tree:
    """Return ``rememberMe``."""
    return {
        "enabled": rules.enabled,
        "days": rules.days,
        "disabledForSysAdmins": rules.disabled_for_sys_admins,
    }


def session_spelled(rules: SessionRules) -> Tree:
    """Return ``session``."""
    return {"hours": rules.hours, "idleMinutes": rules.idle_minutes}


def migration_spelled(rules: MigrationRules) -> Tree:
    """Return ``migration``; a key ID that is not given is left out."""
    spelled: Tree = {
        "parallelism": rules.parallelism,
        "shards": rules.shards,
        "batchSize": rules.batch_size,
        "suspend": rules.suspend,
    }
    if rules.allow_reverse is not None:
        spelled["allowReverse"] = str(rules.allow_reverse)
    spelled["tables"] = [_table_spelled(table) for table in rules.tables]
    return spelled


def _table_spelled(table: TableSpec) -> Tree:
    spelled: Tree = {
        "table": table.table,
        "idColumn": table.id_column,
        "tokenColumns": list(table.token_columns),
    }
    if table.where:
        spelled["where"] = dict(table.where)
    if table.ready_for_key is not None:
        spelled["readyForKeyID"] = str(table.ready_for_key)
    if table.done_with_key is not None:
        spelled["doneWithKeyID"] = str(table.done_with_key)
    return spelled
