"""The administrators' words for what is stored and what can be done, in the visitor's language."""

from __future__ import annotations

from collections.abc import Mapping

from practicus_mfa.core.login.account import Account
from practicus_mfa.core.login.rights import BULK, Action
from practicus_mfa.core.login.throttle import Kind
from practicus_mfa.login.acts.by import Outcome
from practicus_mfa.storage.user_list import KeyHint
from practicus_mfa.storage.users import User
from practicus_mfa.web.visit import Visit


def action_names(visit: Visit) -> Mapping[Action, str]:
    """Return the names of what can be done to many users, in the order of the menu."""
    names = {
        Action.REMOVE_MFA: visit.say("Remove MFA setup"),
        Action.MIGRATE_KEY: visit.say("Migrate MFA fernet key to active"),
        Action.UNLOCK: visit.say("Unlock"),
        Action.DISABLE: visit.say("Disable"),
        Action.ENABLE: visit.say("Enable"),
        Action.END_SESSIONS: visit.say("End sessions"),
    }
    return {action: names[action] for action in BULK}


def action_meaning(visit: Visit, action: Action) -> str:
    """Return what an action means for the users it is done to."""
    meanings = {
        Action.REMOVE_MFA: visit.say(
            "Their authenticator apps and recovery codes stop working, and their sessions end. "
            "Where MFA is mandatory they set it up anew when they log in next; "
            "until then their passwords alone protect them."
        ),
        Action.MIGRATE_KEY: visit.say(
            "Their MFA data is encrypted with the active key. They notice nothing of it, and no session ends."
        ),
        Action.UNLOCK: visit.say(
            "Their wrong passwords and codes are forgotten: they may try again at once. "
            "No password and no app changes."
        ),
        Action.DISABLE: visit.say(
            "They can't log in any more, and their sessions end at once. Nothing of theirs is deleted."
        ),
        Action.ENABLE: visit.say("They may log in again, with the password and the MFA that they had."),
        Action.END_SESSIONS: visit.say("They are logged out everywhere, and may log in again at once."),
    }
    return meanings[action]


def key_text(visit: Visit, hint: KeyHint) -> str:
    """Return what stands in the column "MFA fernet active"."""
    texts = {
        KeyHint.NONE: "-",
        KeyHint.ACTIVE: visit.say("True"),
        KeyHint.ROLLING: visit.say("False"),
        KeyHint.UNDECRYPTABLE: visit.say("undecryptable"),
    }
    return texts[hint]


def role(visit: Visit, user: User | Account) -> str:
    """Return what a user is, '' for one without a role."""
    if user.is_superuser:
        return visit.say("Superuser")
    return visit.say("Staff") if user.is_staff else ""


def stop_text(visit: Visit, kind: Kind, seconds: int | None) -> str:
    """Return what is stopped, and how long."""
    what = {
        Kind.PASSWORD_HERE: visit.say("Passwords are delayed where wrong ones were typed"),
        Kind.PASSWORD_ANYWHERE: visit.say("Passwords are delayed everywhere"),
        Kind.CODE: visit.say("Codes are stopped"),
        Kind.CODE_DEVICE: visit.say("Codes are stopped in a known browser"),
        Kind.RECOVERY: visit.say("Recovery codes are stopped"),
    }[kind]
    if seconds is None:
        return visit.say("%(what)s until somebody unlocks this user.") % {"what": what}
    minutes = -(-seconds // 60)
    return visit.language.ngettext(
        "%(what)s for %(num)d more minute.", "%(what)s for %(num)d more minutes.", minutes
    ) % {"what": what, "num": minutes}


def outcome_text(visit: Visit, outcome: Outcome) -> str:
    """Return what came of an act on one user."""
    texts = {
        Outcome.MFA_REMOVED: visit.say("MFA removed"),
        Outcome.NO_MFA: visit.say("has no MFA"),
        Outcome.MIGRATED: visit.say("migrated to the active key"),
        Outcome.ACTIVE: visit.say("was on the active key already"),
        Outcome.UNDECRYPTABLE: visit.say("undecryptable: no key opens it, nothing was changed"),
        Outcome.CHANGED: visit.say("changed by somebody else meanwhile: left alone"),
        Outcome.UNLOCKED: visit.say("unlocked"),
        Outcome.NOT_STOPPED: visit.say("was not stopped"),
        Outcome.DISABLED: visit.say("disabled"),
        Outcome.DISABLED_BEFORE: visit.say("was disabled already"),
        Outcome.ENABLED: visit.say("enabled"),
        Outcome.ENABLED_BEFORE: visit.say("was enabled already"),
        Outcome.SESSIONS_ENDED: visit.say("sessions ended"),
        Outcome.NO_SESSION: visit.say("had no session to end"),
        Outcome.DEVICES_FORGOTTEN: visit.say("known browsers forgotten"),
        Outcome.NO_DEVICE: visit.say("had no known browser"),
        Outcome.SAVED: visit.say("saved"),
        Outcome.UNCHANGED: visit.say("nothing was changed"),
        Outcome.GONE: visit.say("deleted meanwhile"),
        Outcome.NO_ADMINISTRATOR: visit.say("refused: you are no administrator any more"),
        Outcome.SUPERUSERS_ONLY: visit.say("refused: only superusers do that"),
        Outcome.OWN_ACCOUNT: visit.say("refused: your own account"),
        Outcome.LAST_SUPERUSER: visit.say("refused: the last active superuser"),
    }
    return texts[outcome]


def waiting_text(visit: Visit, waiting: int) -> str:
    """Return what a migration waits for."""
    if not waiting:
        return visit.say("No key writes at the moment. Try again in a minute.")
    return visit.language.ngettext(
        "The new key writes nothing yet: waiting for %(num)d replica. Try again in a minute.",
        "The new key writes nothing yet: waiting for %(num)d replicas. Try again in a minute.",
        waiting,
    ) % {"num": waiting}


def done_text(visit: Visit, done: str) -> str:
    """Return the sentence that an address asks to be shown; '' for none."""
    said = {
        "saved": visit.say("Saved."),
        "unchanged": visit.say("Nothing was changed."),
        "created": visit.say("The user was added."),
        "session": visit.say("The session was ended."),
        "no-session": visit.say("That session had ended already."),
        "devices": visit.say("The known browsers were forgotten."),
        "expired": visit.say(
            "That page had been open for too long, or a log-in came in between. "
            "Nothing was done: choose again."
        ),
    }
    return said.get(done, "")
