"""The list of users as a file: the same users in the same order, written while they are read."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Final

from starlette.responses import StreamingResponse

from practicus_mfa.storage import audit, user_list
from practicus_mfa.storage.user_list import KeyHint, ListedUser, Wanted
from practicus_mfa.web.security import is_led_here
from practicus_mfa.web.views.admin.list_place import read_place
from practicus_mfa.web.visit import Visit

if TYPE_CHECKING:
    from starlette.responses import Response

COLUMNS: Final = (
    "username",
    "email",
    "name",
    "is_active",
    "is_staff",
    "is_superuser",
    "mfa",
    "mfa_fernet_active",
    "last_login",
)
"""The same in every language: programs read it too."""

_WIDE: Final = "\uff1d\uff0b\uff0d\uff20"
"""The full-width forms of =, +, - and @, which some spreadsheets read as these."""

_FORMULA: Final = frozenset(f"=+-@\t\r\n{_WIDE}")
"""What a cell must not begin with: spreadsheets would calculate it (OWASP, "CSV Injection")."""

_KEYS: Final = {
    KeyHint.NONE: "",
    KeyHint.ACTIVE: "true",
    KeyHint.ROLLING: "false",
    KeyHint.UNDECRYPTABLE: "undecryptable",
}


def show_csv(visit: Visit) -> Response:
    """Send the users that the list's address asks for; who was led here by others is shown the list."""
    place = read_place(visit.request.query_params)
    if is_led_here(visit.request):
        return visit.go(place.in_list)
    # Who takes everybody's names and addresses along is on record.
    with visit.ctx.db.write() as connection:
        detail = {"address": visit.client.address, "filter": _asked(place.wanted)}
        audit.append(connection, visit.acting.account.username, "users.export", detail=detail)
    users = user_list.every(visit.ctx.db, place.wanted, sort=place.sort, descending=place.descending)
    return StreamingResponse(
        written(users),
        media_type="text/csv; charset=utf-8",
        headers={"Content-Disposition": 'attachment; filename="users.csv"'},
    )


def _asked(wanted: Wanted) -> dict[str, bool | str]:
    return {name: value for name, value in wanted.to_json().items() if value}


def written(users: Iterable[ListedUser], *, at_once: int = 200) -> Iterator[str]:
    """Yield a CSV file (RFC 4180) of *users*, *at_once* lines at a time."""
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(COLUMNS)
    for number, one in enumerate(users, 1):
        writer.writerow([harmless(cell) for cell in _cells(one)])
        if number % at_once == 0:
            yield text.getvalue()
            text.seek(0)
            text.truncate()
    yield text.getvalue()


def _cells(one: ListedUser) -> Sequence[str]:
    user = one.user
    flags = (user.is_active, user.is_staff, user.is_superuser, one.mfa)
    return (
        user.username,
        user.email,
        user.name,
        *(str(flag).lower() for flag in flags),
        _KEYS[one.key],
        one.last_login_at.isoformat() if one.last_login_at else "",
    )


_LATER_FORMULA: Final = re.compile(rf"""([;|\t\r\n])(?=[\s"']*[=+@{_WIDE}-])""")
"""The same behind what separates cells where a comma is a decimal point, as in Turkish spreadsheets."""


def harmless(cell: str) -> str:
    """Return *cell* so that no spreadsheet takes it, or a part of it, for a formula."""
    plain = _LATER_FORMULA.sub(r"\1'", cell)
    return f"'{plain}" if cell[:1] in _FORMULA else plain
