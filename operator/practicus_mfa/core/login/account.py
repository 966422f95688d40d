"""A user as rules see one: what is judged, nothing that proves who somebody is."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """What rules may ask of a user.

    Attributes:
        id: The user's number in the database.
        username: As it was written, in NFKC form.
        email: May be empty.
        name: May be empty.
        groups: Names, sorted.
        is_active: May log in at all.
        is_staff: Acts on users who are no administrators.
        is_superuser: Acts on everybody.
        enrolled: Has a factor with a token, whether or not a key opens it: what can't be read is no reason
            to ask for less.
        must_change_password: Somebody else chose the password: another one is chosen before anything else.
        enrol_by: When the grace of ``gracePeriodDays`` ends; stored once, ``None`` until it begins.
    """

    id: int
    username: str
    email: str = ""
    name: str = ""
    groups: tuple[str, ...] = ()
    is_active: bool = True
    is_staff: bool = False
    is_superuser: bool = False
    enrolled: bool = False
    must_change_password: bool = False
    enrol_by: datetime | None = None

    @property
    def is_administrator(self) -> bool:
        """Whether ``mandatoryForSysAdmins`` and ``disabledForSysAdmins`` are about this account."""
        return self.is_staff or self.is_superuser


class Person(Protocol):
    """Whoever is known by id and name: a user as stored, or as the rules see one."""

    @property
    def id(self) -> int:
        """The row's id."""

    @property
    def username(self) -> str:
        """The name as it is shown."""
