"""Which action for which users: what the form around the list says, and the one of the confirmation page."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from practicus_mfa.core.login.rights import BULK, Action
from practicus_mfa.storage import user_facts, user_list
from practicus_mfa.storage.transaction import Transaction
from practicus_mfa.web.views.admin.list_place import Place, read_id, read_place

SHOWN: Final = 10
"""Users whom the confirmation page names."""

_TICK: Final = "u"
"""What the names of the rows' boxes begin with."""

_BARS: Final = ("top", "bottom")


@dataclass(frozen=True, slots=True, kw_only=True)
class Chosen:
    """What was chosen.

    Attributes:
        action: What to do; ``None``: nothing was chosen.
        ids: To which users; ``None``: to all whom the list shows on all its pages.
        place: Where in the list.
    """

    action: Action | None
    ids: tuple[int, ...] | None
    place: Place

    @property
    def fields(self) -> dict[str, str]:
        """What the confirmation page's form holds."""
        whom = {"all": "1"} if self.ids is None else {"ids": ",".join(map(str, self.ids))}
        return {**self.place.fields, "action": str(self.action or ""), **whom}


def read_list_form(form: Mapping[str, str]) -> Chosen:
    """Return what the form around the list says, by the menu whose button was pressed."""
    bar = form.get("go", "") if form.get("go", "") in _BARS else _BARS[0]
    which = form.get(f"which-{bar}", "ticked")
    if which == "all":
        ids = None
    elif which == "page":
        ids = _ids(form.get("page", ""))
    else:
        ids = _ids(",".join(name.removeprefix(_TICK) for name in form if name.startswith(_TICK)))
    return Chosen(action=_action(form.get(f"action-{bar}", "")), ids=ids, place=read_place(form))


def read_confirmed_form(form: Mapping[str, str]) -> Chosen:
    """Return what the confirmation page's form says."""
    ids = None if form.get("all") == "1" else _ids(form.get("ids", ""))
    return Chosen(action=_action(form.get("action", "")), ids=ids, place=read_place(form))


def _action(text: str) -> Action | None:
    return next((action for action in BULK if action.value == text), None)


def _ids(text: str) -> tuple[int, ...]:
    found = (read_id(part) for part in text.split(","))
    return tuple(sorted({one for one in found if one is not None}))


@dataclass(frozen=True, slots=True, kw_only=True)
class Whom:
    """Whom it is about, as things are now.

    Attributes:
        total: How many.
        names: The first of them.
        administrators: How many are administrators.
        own: Who asks is among them.
    """

    total: int
    names: tuple[str, ...]
    administrators: int
    own: bool


def whom(connection: Transaction, chosen: Chosen, own_id: int) -> Whom:
    """Return whom *chosen* is about; *own_id* is who asks."""
    if chosen.ids is not None:
        found = user_facts.named(connection, chosen.ids)
        return Whom(
            total=len(found),
            names=tuple(one.username for one in found[:SHOWN]),
            administrators=sum(one.is_administrator for one in found),
            own=any(one.id == own_id for one in found),
        )
    wanted = chosen.place.wanted
    first = user_list.page(connection, wanted, size=SHOWN)
    return Whom(
        total=user_list.count(connection, wanted),
        names=tuple(one.user.username for one in first.users),
        administrators=user_list.count(connection, chosen.place.wanted_administrators),
        own=own_id in user_list.ids_page(connection, wanted, own_id - 1, 1),
    )
