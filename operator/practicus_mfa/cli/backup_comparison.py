"""What ``practicus-mfa backup restore`` tells before it does anything, and what it asks."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

import click

from practicus_mfa.cli.output import cell, note, printable, show_tree
from practicus_mfa.errors import UsageError

if TYPE_CHECKING:
    from practicus_mfa.settings import Form
    from practicus_mfa.storage.backup.compare import Comparison, Counted, Raised

_RIGHTS: Final = {"is_active": "active", "is_staff": "staff", "is_superuser": "superuser"}


def show(comparison: Comparison, output: Form) -> None:
    """Print *comparison* as a result."""
    if output == "table":
        click.echo("\n".join(_lines(comparison)))
        return
    tree = {
        "created_at": comparison.manifest.created_at,
        "users": _tree(comparison.users),
        "factors": _tree(comparison.factors),
        "audit": _tree(comparison.audit),
        "rights_raised": comparison.raised,
        "rights_raised_of": [
            {
                "username": one.username,
                "rights": [_RIGHTS[name] for name in one.rights],
                "groups": list(one.groups),
            }
            for one in comparison.raised_users
        ],
        "recovery_codes_gone": comparison.codes_gone,
    }
    show_tree(tree, output)


def tell(comparison: Comparison) -> None:
    """Tell the person *comparison* before anything is done."""
    note("\n".join(_lines(comparison)))


def may_replace(*, users: int) -> bool:
    """Ask whether what is there may be overwritten; ``False`` where there is no terminal to ask at.

    Raises:
        UsageError: The answer was no.
    """
    if not _at_a_terminal():
        return False
    if not click.confirm(f"Restore over the {users:,} {'user' if users == 1 else 'users'}?", err=True):
        raise UsageError(
            "Nothing was restored, and nothing was changed.", remedy="Say yes, or give --replace."
        )
    return True


def may_raise_rights(comparison: Comparison) -> bool:
    """Ask whether users get rights of the backup that they do not have now; no where nobody can be asked."""
    if not comparison.raised or not _at_a_terminal():
        return False
    return click.confirm("Give these users the rights that they have in the backup?", err=True)


def _at_a_terminal() -> bool:
    return sys.stdin.isatty()


def _tree(counted: Counted) -> dict[str, int]:
    return {"both": counted.both, "backup": counted.backup, "database": counted.database}


def _named(one: Raised) -> list[str]:
    return [*(_RIGHTS[name] for name in one.rights), *(f"group {printable(name)}" for name in one.groups)]


def _lines(comparison: Comparison) -> Iterator[str]:
    yield f"The backup of {cell(comparison.manifest.created_at)} beside the database as it is:"
    counts = {
        "users": comparison.users,
        "factors": comparison.factors,
        "lines of the audit": comparison.audit,
    }
    for name, counted in counts.items():
        yield (
            f"  {name}: {counted.both:,} in both, {counted.backup:,} only in the backup, "
            f"{counted.database:,} only in the database"
        )
    if comparison.raised:
        yield "Users who have rights in the backup that they do not have now:"
        for one in comparison.raised_users:
            yield f"  {printable(one.username)}: {', '.join(_named(one))}"
        if more := comparison.raised - len(comparison.raised_users):
            yield f"  and {more:,} more"
    if comparison.codes_gone:
        yield (
            "Recovery codes of the backup that were used or replaced since, and stay so: "
            f"{comparison.codes_gone:,}"
        )
    if comparison.users.both or comparison.users.database:
        yield (
            "A restore removes what only the database has, but no line of the audit, and logs everybody out."
        )
