"""Choosing a password: what is wrong with one, in the visitor's language."""

from __future__ import annotations

from practicus_mfa.crypto.password_policy import (
    FEWEST_CHARACTERS,
    MOST_BYTES,
    PasswordRefusedError,
    check_password,
)
from practicus_mfa.web.visit import Visit


def password_problem(visit: Visit, new: str, repeated: str) -> str:
    """Return what is wrong with a new password, '' for nothing."""
    if new != repeated:
        return visit.say("The two passwords are not the same. Type them again.")
    if len(new) < FEWEST_CHARACTERS:
        return visit.say(
            "The password has fewer than 12 characters. A few unrelated words are easy to keep in mind."
        )
    if len(new.encode("utf-8", "surrogatepass")) > MOST_BYTES:
        return visit.say("The password is too long. Choose a shorter one.")
    try:
        check_password(new)
    except PasswordRefusedError:
        return visit.say("Many people have that password. Choose one that nobody else has.")
    return ""
