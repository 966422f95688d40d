"""Who may do what to whom: each actor by each target by each act."""

from __future__ import annotations

import itertools

import pytest

from practicus_mfa.core.login.account import Account
from practicus_mfa.core.login.rights import (
    BULK,
    LOCKS_OUT,
    Action,
    Refusal,
    may_administer,
    may_set_policy,
    refusal,
    refusal_to_create,
)

ME, SOMEBODY = 1, 2

ACTORS = {
    "nobody": Account(id=ME, username="me"),
    "disabled staff": Account(id=ME, username="me", is_staff=True, is_active=False),
    "disabled superuser": Account(id=ME, username="me", is_superuser=True, is_active=False),
    "staff": Account(id=ME, username="me", is_staff=True),
    "superuser": Account(id=ME, username="me", is_superuser=True),
    "both": Account(id=ME, username="me", is_staff=True, is_superuser=True),
}
ADMINISTRATORS = {"staff", "superuser", "both"}
SUPERUSERS = {"superuser", "both"}

TARGETS = {
    "plain": Account(id=SOMEBODY, username="kim"),
    "disabled": Account(id=SOMEBODY, username="kim", is_active=False),
    "staff": Account(id=SOMEBODY, username="kim", is_staff=True),
    "superuser": Account(id=SOMEBODY, username="kim", is_superuser=True),
    "last superuser": Account(id=SOMEBODY, username="kim", is_superuser=True),
    "self": None,
    "self, the last superuser": None,
}
PLAIN = {"plain", "disabled"}


def expected(actor: str, target: str, action: Action) -> Refusal | None:
    """The rules again, told from the seed's side: who is let through, and what stands in the way."""
    if actor not in ADMINISTRATORS:
        return Refusal.NO_ADMINISTRATOR
    if actor == "staff":
        everyday = {
            Action.REMOVE_MFA,
            Action.MIGRATE_KEY,
            Action.UNLOCK,
            Action.SETUP_LINK,
            Action.DISABLE,
            Action.ENABLE,
            Action.END_SESSIONS,
            Action.EDIT,
        }
        return None if target in PLAIN and action in everyday else Refusal.SUPERUSERS_ONLY
    if action in {Action.DISABLE, Action.SET_ROLES}:
        if "last superuser" in target:
            return Refusal.LAST_SUPERUSER
        if target == "self":
            return Refusal.OWN_ACCOUNT
    return None


@pytest.mark.parametrize(("actor", "target", "action"), [*itertools.product(ACTORS, TARGETS, Action)])
def test_the_matrix(actor: str, target: str, action: Action) -> None:
    who = ACTORS[actor]
    whom = TARGETS[target] or who
    last = "last superuser" in target
    assert refusal(who, action, whom, last_superuser=last) is expected(actor, target, action)


@pytest.mark.parametrize("actor", ACTORS)
@pytest.mark.parametrize("special", [False, True])
def test_who_creates_whom(actor: str, special: bool) -> None:
    allowed = refusal_to_create(ACTORS[actor], special=special)
    if actor not in ADMINISTRATORS:
        assert allowed is Refusal.NO_ADMINISTRATOR
    elif special and actor == "staff":
        assert allowed is Refusal.SUPERUSERS_ONLY
    else:
        assert allowed is None


@pytest.mark.parametrize("actor", ACTORS)
def test_who_gets_to_which_pages(actor: str) -> None:
    assert may_administer(ACTORS[actor]) == (actor in ADMINISTRATORS)
    assert may_set_policy(ACTORS[actor]) == (actor in SUPERUSERS)


def test_what_is_one_person_s_is_not_done_to_many() -> None:
    assert set(Action) - set(BULK) == {
        Action.SETUP_LINK,
        Action.EDIT,
        Action.SET_ROLES,
        Action.SET_GROUPS,
    }


def test_what_could_leave_nobody_is_known() -> None:
    assert {Action.DISABLE, Action.SET_ROLES} == LOCKS_OUT
