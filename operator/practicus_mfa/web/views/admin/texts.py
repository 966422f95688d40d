"""What is wrong with a typed name or address, by the field that it was typed into."""

from __future__ import annotations

from practicus_mfa.core.usernames import (
    COMMAND_LINE,
    MAX_TEXT,
    MAX_USERNAME,
    is_reserved,
    parse_email,
    parse_text,
    parse_username,
)
from practicus_mfa.web.visit import Visit


def text_problems(visit: Visit, *, email: str, name: str) -> dict[str, str]:
    """Return what is wrong with an e-mail address and a person's name, by field."""
    problems = {}
    try:
        parse_text("name", name)
    except ValueError:
        problems["name"] = visit.say("The name is too long, or has an invisible or control character.")
    try:
        parse_email(email)
    except ValueError:
        text = visit.say(
            "An e-mail address has one @ with something on both sides, no space and no invisible character, "
            "and at most %(num)d characters."
        )
        problems["email"] = text % {"num": MAX_TEXT}
    return problems


def new_username_problem(visit: Visit, username: str) -> dict[str, str]:
    """Return what is wrong with the name of a user who is to be added, by field."""
    if is_reserved(username):
        text = visit.say("User names do not begin with %(prefix)s: in the audit that is the command line.")
        return {"username": text % {"prefix": COMMAND_LINE}}
    return username_problem(visit, username)


def username_problem(visit: Visit, username: str) -> dict[str, str]:
    """Return what is wrong with a user name, by field."""
    try:
        parse_username(username)
    except ValueError:
        text = visit.say("A user name has 1 to %(num)d characters, no comma, and no invisible character.")
        return {"username": text % {"num": MAX_USERNAME}}
    return {}
