"""``practicus-mfa users list``: the list of users, with what the hints say of their MFA."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import islice
from typing import TYPE_CHECKING, Final, Literal

import click

from practicus_mfa.cli.context import target_options
from practicus_mfa.cli.invocation import invocation
from practicus_mfa.cli.output import Column, note, show_rows
from practicus_mfa.cli.target import Target
from practicus_mfa.settings import FORMS, Form

if TYPE_CHECKING:
    from practicus_mfa.storage.user_list import ListedUser

IN_A_TABLE: Final = 100
"""Users that a table shows where no number is given."""

SORTS: Final = ("username", "email", "name", "last-login")
"""What users can be sorted by: the database's module says so too, which is imported when it is needed."""

_COLUMNS: Final = (
    Column("USER", "username"),
    Column("E-MAIL", "email"),
    Column("NAME", "name"),
    Column("ACTIVE", "active"),
    Column("STAFF", "staff"),
    Column("SUPERUSER", "superuser"),
    Column("MFA", "mfa"),
    Column("MFA FERNET ACTIVE", "mfa_fernet_active"),
)


@click.command("list", short_help="List users.")
@target_options
@click.option("--on-rolling-key", is_flag=True, help="MFA that is not under the active key yet.")
@click.option("--without-mfa", is_flag=True, help="No MFA.")
@click.option("--administrators", is_flag=True, help="Staff and superusers.")
@click.option("--inactive", is_flag=True, help="May not log in.")
@click.option("--undecryptable", is_flag=True, help="MFA that no known key opens.")
@click.option("--stopped", is_flag=True, help="Codes are stopped after too many wrong ones.")
@click.option(
    "--search",
    default="",
    metavar="WORDS",
    help="Each word is the beginning of a word of the user name, e-mail address or name.",
)
@click.option(
    "--sort",
    type=click.Choice(SORTS),
    default=SORTS[0],
    show_default=True,
    help="What to sort by; who never logged in comes last.",
)
@click.option("--descending", is_flag=True, help="From the end of that order.")
@click.option("--after", metavar="NAME", help="Begin after this user.")
@click.option(
    "--limit",
    type=click.IntRange(min=0),
    help=f"So many at most, 0 for all.  [default: {IN_A_TABLE} in a table, else all]",
)
@click.option(
    "-o",
    "--output",
    type=click.Choice([*FORMS, "name"]),
    default=lambda: invocation().settings.output or "table",
    show_default="table",
    help="How to print the result; name: user names, one a line.",
)
def list_(
    target: Target,
    /,
    search: str,
    sort: str,
    descending: bool,
    after: str | None,
    limit: int | None,
    output: Form | Literal["name"],
    **conditions: bool,
) -> None:
    """List users in the order of their names, or in another one; conditions are met together."""
    from practicus_mfa.storage.user_list import Sort, Wanted, every

    wanted = Wanted(search=search, **conditions)
    order = Sort(sort.replace("-", "_"))
    found = every(target.database, wanted, sort=order, descending=descending, after=after)
    most = (IN_A_TABLE if output == "table" else 0) if limit is None else limit
    shown = _Shown(islice(found, most) if most else found)
    if output == "name":
        for listed in shown:
            click.echo(listed.user.username)
    else:
        rows = (_row(listed, for_people=output == "table") for listed in shown)
        show_rows(rows, _COLUMNS, output, empty="There is no such user.")
    if most and output == "table" and next(found, None) is not None:
        note(f"There are more: --after '{shown.last}', or --limit 0 for all.")


class _Shown:
    """Passes listed users on, and keeps the last one's name."""

    def __init__(self, listed: Iterator[ListedUser]) -> None:
        self._listed = listed
        self.last = ""

    def __iter__(self) -> Iterator[ListedUser]:
        for one in self._listed:
            self.last = one.user.username
            yield one


def _row(listed: ListedUser, *, for_people: bool) -> Mapping[str, object]:
    from practicus_mfa.storage.user_list import KeyHint

    user, key = listed.user, listed.key
    undecryptable = key is KeyHint.UNDECRYPTABLE
    under_active = key is KeyHint.ACTIVE if listed.mfa else None
    return {
        "username": user.username,
        "email": user.email,
        "name": user.name,
        "active": user.is_active,
        "staff": user.is_staff,
        "superuser": user.is_superuser,
        "last_login": listed.last_login_at,
        "stopped": listed.stopped,
        "mfa": listed.mfa,
        # A program is given one type and a field of its own; a person reads one word.
        "mfa_fernet_active": str(key) if for_people and undecryptable else under_active,
        "undecryptable": undecryptable,
    }
