"""Where in the list of users somebody is: filter, search, sort and page, as addresses and forms carry them.

Every page that one gets to from the list takes the place along, so that "Back" leads to the very same rows.
What an address says is taken where it is understood and left out where it is not: an old or mangled address
still shows a list.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final
from urllib.parse import urlencode

from practicus_mfa.storage.user_list import Sort, Wanted

LIST: Final = "/admin/users"

LONGEST_SEARCH: Final = 200
LONGEST_CURSOR: Final = 1_000


class Filter(StrEnum):
    """Which users are listed; the values stand in addresses."""

    ALL = ""
    ROLLING = "rolling"
    WITHOUT_MFA = "without-mfa"
    UNDECRYPTABLE = "undecryptable"
    ADMINISTRATORS = "administrators"
    DISABLED = "disabled"
    STOPPED = "stopped"


_FILTERS: Final = frozenset(Filter)
_SORTS: Final = frozenset(Sort)


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A place in the list.

    Attributes:
        filter: Which users.
        search: What was searched for.
        sort: What the list is sorted by.
        descending: The other way round.
        cursor: Where the page begins; '' for the first one.
        user_id: The user whose page one came from, ``None``: from the list itself.
    """

    filter: Filter = Filter.ALL
    search: str = ""
    sort: Sort = Sort.USERNAME
    descending: bool = False
    cursor: str = ""
    user_id: int | None = None

    @property
    def wanted(self) -> Wanted:
        """Which users these are."""
        return Wanted(
            on_rolling_key=self.filter is Filter.ROLLING,
            without_mfa=self.filter is Filter.WITHOUT_MFA,
            undecryptable=self.filter is Filter.UNDECRYPTABLE,
            administrators=self.filter is Filter.ADMINISTRATORS,
            inactive=self.filter is Filter.DISABLED,
            stopped=self.filter is Filter.STOPPED,
            search=self.search,
        )

    @property
    def wanted_administrators(self) -> Wanted:
        """The administrators among them."""
        return replace(self.wanted, administrators=True)

    @property
    def fields(self) -> dict[str, str]:
        """What tells of this place in an address or a form; nothing for the list's beginning."""
        given = {
            "show": self.filter.value,
            "search": self.search,
            "sort": "" if self.sort is Sort.USERNAME else self.sort.value,
            "descending": "1" if self.descending else "",
            "at": self.cursor,
            "user": "" if self.user_id is None else str(self.user_id),
        }
        return {name: value for name, value in given.items() if value}

    def on(self, path: str) -> str:
        """Return the address of *path* that takes this place along."""
        return f"{path}?{urlencode(self.fields)}" if self.fields else path

    @property
    def in_list(self) -> str:
        """The address of this place in the list."""
        return replace(self, user_id=None).on(LIST)

    @property
    def back(self) -> str:
        """The address that one came from: the list, or a user's page."""
        if self.user_id is None:
            return self.in_list
        return replace(self, user_id=None).on(f"{LIST}/{self.user_id}")

    def of_user(self, user_id: int) -> str:
        """Return the address of a user's page."""
        return replace(self, user_id=None).on(f"{LIST}/{user_id}")

    def at(self, cursor: str | None) -> str | None:
        """Return the address of another page of the list; ``None`` where there is none."""
        return None if cursor is None else replace(self, cursor=cursor).in_list

    def sorted_by(self, sort: Sort) -> str:
        """Return the address of the list sorted by *sort*; by the present one: the other way round."""
        turned = sort is self.sort and not self.descending
        return replace(self, sort=sort, descending=turned, cursor="").in_list


def read_place(given: Mapping[str, str]) -> Place:
    """Return the place that an address or a form tells of."""
    return Place(
        filter=Filter(shown) if (shown := given.get("show", "")) in _FILTERS else Filter.ALL,
        search=_searched(given.get("search", "")),
        sort=Sort(by) if (by := given.get("sort", "")) in _SORTS else Sort.USERNAME,
        descending=given.get("descending", "") == "1",
        cursor=given.get("at", "")[:LONGEST_CURSOR],
        user_id=read_id(given.get("user", "")),
    )


def _searched(text: str) -> str:
    # No name has characters that nobody can see, and PostgreSQL takes no NUL.
    plain = "".join(each for each in " ".join(text.split()) if each.isprintable())
    return plain[:LONGEST_SEARCH].strip()


def read_id(text: str) -> int | None:
    """Return a row's id as an address or a form has it, ``None`` where that is none."""
    return int(text) if text.isascii() and text.isdigit() and len(text) < 19 else None
