"""What the settings page calls things: values, risks, refusals."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import NamedTuple

from practicus_mfa.core.login.lock_out import Risk
from practicus_mfa.core.parse.rules import MOST_DAYS
from practicus_mfa.core.settings_page import Value
from practicus_mfa.core.settings_requests import LOOSER, NOT_ALLOWED, NOTHING, READ_ONLY, TOO_OLD
from practicus_mfa.web.views.admin.settings_form import LEAST_DAYS
from practicus_mfa.web.visit import Visit


class Words(NamedTuple):
    """A value's name and what it does."""

    label: str
    hint: str


def words(visit: Visit) -> Mapping[str, Words]:
    """Return the words of each value, by its path."""
    say = visit.say
    return {
        "mfa.enabled": Words(
            say("MFA is switched on"),
            say("Switched off, nobody is asked for a code; nothing that people set up is lost."),
        ),
        "mfa.mandatory": Words(
            say("Every user must have MFA"),
            say("Who has none is led to set it up before anything else."),
        ),
        "mfa.mandatoryForSysAdmins": Words(
            say("Administrators must have MFA"), say("Staff and superusers, also where others need none.")
        ),
        "mfa.gracePeriodDays": Words(
            say("Days that setting up MFA may be put off"),
            say("From the first log-in at which it is wanted. 0: at once."),
        ),
        "rememberMe.enabled": Words(say("Users may stay logged in"), say("They choose so when they log in.")),
        "rememberMe.days": Words(
            say("Days that they stay logged in"), say("Then password and code are asked again. At least 1.")
        ),
        "rememberMe.disabledForSysAdmins": Words(
            say("Administrators may not stay logged in"),
            say("Staff and superusers log in anew when the browser was closed."),
        ),
    }


def value_text(visit: Visit, value: Value) -> str:
    """Return *value* in words."""
    if isinstance(value, bool):
        return visit.say("yes") if value else visit.say("no")
    return visit.language.number(value)


def days_text(visit: Visit, faulty: Collection[str]) -> str:
    """Say which numbers of days there can be, for each field that holds another one."""
    number, said = visit.language.number, words(visit)
    return " ".join(
        visit.say("%(field)s: write a whole number from %(least)s to %(most)s.")
        % {"field": said[path].label, "least": number(least), "most": number(MOST_DAYS)}
        for path, least in LEAST_DAYS.items()
        if path in faulty
    )


def risk_text(visit: Visit, risk: Risk) -> str:
    """Say what a change may bring."""
    match risk:
        case Risk.NOBODY_ENROLLED:
            return visit.say(
                "No active administrator has MFA yet. Whoever knows the password of one can set an app up "
                "in that administrator's place. Set up your own first."
            )
        case Risk.UNREADABLE:
            return visit.say(
                "No key that this service holds opens the MFA of any administrator. Administrators will be "
                "asked for codes that can't be checked, and get in with recovery codes alone."
            )


def reason_text(visit: Visit, reason: str) -> str:
    """Return why a request was refused; what the operator says of faults stays as it is."""
    if reason.startswith(LOOSER):
        named, known = reason.removeprefix(LOOSER).removesuffix(".").split(", "), words(visit)
        fields = ", ".join(known[path].label if path in known else path for path in named)
        return visit.say(
            "This page may only make the rules stricter than values.yaml has them: %(fields)s."
        ) % {"fields": fields}
    said = {
        TOO_OLD: visit.say("The operator came to it after more than 60 seconds. Ask for it again."),
        NOT_ALLOWED: visit.say("Whoever asked is no active superuser any more."),
        READ_ONLY: visit.say("This page may change nothing here: the rules are changed in values.yaml."),
        NOTHING: visit.say("Nothing was changed."),
    }
    return said.get(reason, reason)
