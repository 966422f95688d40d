"""The addresses of the administrators' pages about users and groups."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from starlette.convertors import StringConvertor, register_url_convertor

from practicus_mfa.web.gates import Gate, Page
from practicus_mfa.web.views.admin import (
    bulk,
    group,
    groups,
    run,
    user,
    user_acts,
    user_edit,
    user_new,
    users,
    users_csv,
)
from practicus_mfa.web.views.admin.list_place import LIST


class _Row(StringConvertor):
    """A row's number in an address. Starlette's own makes a number of any digits, and fails at thousands."""

    regex = "[0-9]{1,18}"


register_url_convertor("row", _Row())

_FIELDS: Final = 20
"""More than any of these forms has beside a row's boxes."""

_OF_LIST: Final = users.SIZE + _FIELDS
_OF_USER: Final = user_edit.MOST_GROUPS + _FIELDS

_USERS: Final = LIST
_USER: Final = f"{LIST}/{{id:row}}"
_EXPIRED: Final = f"{LIST}?done=expired"
_GROUP: Final = f"{groups.GROUPS}/{{name}}"

PAGES_OF_USERS: Final[Sequence[Page]] = (
    Page(path="/admin", gate=Gate.ADMIN, show=users.show_administration),
    Page(path=_USERS, gate=Gate.ADMIN, show=users.show_users),
    Page(path=f"{_USERS}.csv", gate=Gate.ADMIN, show=users_csv.show_csv),
    Page(path=f"{_USERS}/new", gate=Gate.ADMIN, show=user_new.show_new, act=user_new.do_new),
    Page(path=f"{_USERS}/action", gate=Gate.ADMIN, act=bulk.do_action, again=_EXPIRED, most_fields=_OF_LIST),
    Page(path=f"{_USERS}/run", gate=Gate.ADMIN, act=bulk.do_run, again=_EXPIRED),
    Page(path=f"{_USERS}/runs/{{run}}", gate=Gate.ADMIN, show=run.show_run),
    Page(path=_USER, gate=Gate.ADMIN, show=user.show_user),
    Page(
        path=f"{_USER}/edit",
        gate=Gate.ADMIN,
        show=user_edit.show_edit,
        act=user_edit.do_edit,
        most_fields=_OF_USER,
    ),
    Page(
        path=f"{_USER}/setup-link",
        gate=Gate.ADMIN,
        show=user_acts.show_setup_link,
        act=user_acts.do_setup_link,
    ),
    Page(path=f"{_USER}/sessions", gate=Gate.ADMIN, act=user_acts.do_sessions, again=_EXPIRED),
    Page(path=f"{_USER}/devices", gate=Gate.ADMIN, act=user_acts.do_devices, again=_EXPIRED),
    Page(path=groups.GROUPS, gate=Gate.SUPERUSER, show=groups.show_groups, act=groups.do_groups),
    Page(path=_GROUP, gate=Gate.SUPERUSER, show=group.show_group, act=group.do_group),
    Page(path=f"{_GROUP}/delete", gate=Gate.SUPERUSER, show=groups.show_deletion, act=groups.do_deletion),
)
