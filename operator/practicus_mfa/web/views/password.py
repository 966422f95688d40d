"""Choosing a password: what is wrong with one, in the visitor's language."""

from __future__ import annotations

from practicus_mfa.crypto.password_policy import PasswordRefusedError, Refusal, check_password
from practicus_mfa.web.visit import Visit


def password_problem(visit: Visit, new: str, repeated: str) -> str:
    """Return what is wrong with a new password, '' for nothing."""
    if new != repeated:
        return visit.say("The two passwords are not the same. Type them again.")
    try:
        check_password(new)
    except PasswordRefusedError as error:
        return _why(visit, error.reason)
    return ""


def _why(visit: Visit, reason: Refusal) -> str:
    match reason:
        case Refusal.TOO_SHORT:
            return visit.say(
                "The password has fewer than 12 characters. A few unrelated words are easy to keep in mind."
            )
        case Refusal.TOO_LONG:
            return visit.say("The password is too long. Choose a shorter one.")
        case Refusal.COMMON | Refusal.NOT_TEXT:
            # Forms are read as text, so that what is none does not get here.
            return visit.say("Many people have that password. Choose one that nobody else has.")
