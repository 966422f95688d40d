"""One user's page: what is known, and the buttons for what may be done."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from starlette.exceptions import HTTPException

from practicus_mfa.core.audit_chain import AuditLine
from practicus_mfa.core.login.account import Account
from practicus_mfa.core.login.rights import Action, refusal
from practicus_mfa.login.user_facts import UserFacts, facts_of
from practicus_mfa.storage.user_list import KeyHint
from practicus_mfa.web.views.admin.audit_words import line_texts
from practicus_mfa.web.views.admin.list_place import read_id, read_place
from practicus_mfa.web.views.admin.words import action_names, done_text, role, stop_text
from practicus_mfa.web.views.session_texts import session_texts
from practicus_mfa.web.visit import Visit

if TYPE_CHECKING:
    from starlette.responses import Response


def user_id_of(visit: Visit) -> int:
    """Return the id in the page's address.

    Raises:
        HTTPException: 404: that is none.
    """
    found = read_id(str(visit.request.path_params["id"]))
    if found is None:
        raise HTTPException(404)
    return found


def may(visit: Visit, action: Action, target: Account) -> bool:
    """Whether to offer *action*; whether it is allowed is judged when it is done."""
    return refusal(visit.acting.account, action, target, last_superuser=False) is None


def show_user(visit: Visit) -> Response:
    """Show a user."""
    facts = facts_of(visit.ctx.db, user_id_of(visit))
    if facts is None:
        raise HTTPException(404)
    user, place = facts.account, read_place(visit.request.query_params)
    place = replace(place, user_id=None)
    # Whoever may not act on somebody has no need to know from where that person works.
    shows_more = may(visit, Action.END_SESSIONS, user)
    return visit.page(
        "admin/user.html",
        section="/admin/users",
        error="",
        done=done_text(visit, visit.request.query_params.get("done", "")),
        place=place,
        origin=replace(place, user_id=user.id),
        path=place.of_user(user.id),
        user=user,
        actions=_actions(visit, facts),
        may_edit=may(visit, Action.EDIT, user),
        may_link=may(visit, Action.SETUP_LINK, user),
        stops=[stop_text(visit, kind, seconds) for kind, seconds in facts.stops.items()],
        facts=_facts(visit, facts),
        mfa=_mfa(visit, facts),
        shows_more=shows_more,
        sessions=session_texts(visit, facts.sessions) if shows_more else [],
        devices=facts.devices,
        lines=line_texts(visit, _lines(visit, facts)) if shows_more else [],
    )


def _lines(visit: Visit, facts: UserFacts) -> Sequence[AuditLine]:
    """Return what is told of a user; to staff only with the user's own addresses, and theirs."""
    if visit.acting.account.is_superuser:
        return facts.lines
    known = {facts.account.username, visit.acting.account.username}
    return [line if line.actor in known else _without_address(line) for line in facts.lines]


def _without_address(line: AuditLine) -> AuditLine:
    if not isinstance(line.detail, Mapping):
        return line
    return replace(line, detail={name: value for name, value in line.detail.items() if name != "address"})


def _actions(visit: Visit, facts: UserFacts) -> dict[str, str]:
    """Return what there is to do, by the actions' names in forms."""
    useful = {
        Action.REMOVE_MFA: facts.key is not KeyHint.NONE,
        Action.MIGRATE_KEY: facts.key is KeyHint.ROLLING,
        Action.UNLOCK: bool(facts.stops),
        Action.DISABLE: facts.account.is_active,
        Action.ENABLE: not facts.account.is_active,
        Action.END_SESSIONS: bool(facts.sessions),
    }
    return {
        str(action): name
        for action, name in action_names(visit).items()
        if useful[action] and may(visit, action, facts.account)
    }


def _facts(visit: Visit, facts: UserFacts) -> list[tuple[str, str]]:
    user, moment = facts.account, visit.language.moment
    password = visit.say("set") if facts.has_password else visit.say("none: no password is accepted")
    if user.must_change_password:
        password = visit.say("set by somebody else: another one is chosen at the next log-in")
    found = [
        (visit.say("E-mail"), user.email or visit.say("none")),
        (visit.say("Name"), user.name or visit.say("none")),
        (visit.say("Role"), role(visit, user) or visit.say("none")),
        (visit.say("Groups"), ", ".join(user.groups) or visit.say("none")),
        (visit.say("Password"), password),
        (
            visit.say("Last log-in"),
            moment(facts.last_login_at) if facts.last_login_at else visit.say("never"),
        ),
        (visit.say("Added"), moment(facts.created_at)),
    ]
    if facts.link_until is not None:
        until = visit.say("good until %(when)s") % {"when": moment(facts.link_until)}
        found.append((visit.say("Set-up link"), until))
    return found


def _mfa(visit: Visit, facts: UserFacts) -> dict[str, Any]:
    state, text = {
        KeyHint.NONE: ("off", visit.say("Not set up.")),
        KeyHint.ACTIVE: ("on", visit.say("Set up, and encrypted with the active key.")),
        KeyHint.ROLLING: (
            "warn",
            visit.say(
                "Set up, and not encrypted with the active key yet: a rotation migrates it, or you do."
            ),
        ),
        KeyHint.UNDECRYPTABLE: (
            "warn",
            visit.say(
                "Set up, but no key opens it: this user can log in with a recovery code only. "
                "Put the lost key back into secretStore.rollingKey, or remove the MFA setup."
            ),
        ),
    }[facts.key]
    if facts.key is KeyHint.NONE:
        until = facts.account.enrol_by
        told = [(visit.say("To be set up by"), visit.language.moment(until))] if until else []
        return {"state": state, "text": text, "facts": told}
    keys = ", ".join(facts.key_ids) or visit.say("not known")
    return {
        "state": state,
        "text": text,
        "facts": [
            (visit.say("Key ID"), keys),
            (visit.say("Recovery codes left"), str(facts.codes_left)),
        ],
    }
