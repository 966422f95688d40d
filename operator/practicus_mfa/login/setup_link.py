"""Set-up links: how somebody without a password gets one.

They are for the first administrator, an invited user, or who forgot the password; no e-mail is needed, a
person hands the link over. It is good once and for a day. Looking at it uses nothing up (mail programs
look at links), setting the password does. It stands in for the old password alone: who has MFA is asked for
a code.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from practicus_mfa.core.login.account import Person
from practicus_mfa.crypto.opaque import new_token, token_hash
from practicus_mfa.crypto.password_policy import check_password
from practicus_mfa.crypto.passwords import hash_password
from practicus_mfa.login import new_password, throttling
from practicus_mfa.login.acts.by import Author
from practicus_mfa.login.context import Client, LoginContext
from practicus_mfa.login.session_start import Continue, Expired, LoggedIn, after_password
from practicus_mfa.storage import accounts, audit, setup_links, users
from practicus_mfa.storage.engine import Database, database_now
from practicus_mfa.storage.setup_links import SetupLink
from practicus_mfa.storage.transaction import Transaction

GOOD_FOR: Final = timedelta(hours=24)


@dataclass(frozen=True, slots=True, kw_only=True)
class Issued:
    """A new link's token, which is shown once, whose it is, and until when it is good."""

    token: str = field(repr=False)
    username: str
    expires_at: datetime

    @property
    def path(self) -> str:
        """Where the login service answers it."""
        return f"/setup/{self.token}"


def issue(db: Database, username: str, *, actor: str) -> Issued:
    """Make a link for a user; an earlier one is good no more.

    Raises:
        NoSuchUserError: There is no such user.
    """
    with db.write() as connection:
        user = users.get(connection, username, lock=True)
        return issue_to(connection, Author(username=actor), user)


def issue_to(connection: Transaction, author: Author, user: Person) -> Issued:
    """Make a link for a user, whose row is locked; an earlier one is good no more."""
    token = new_token()
    expires_at = database_now(connection) + GOOD_FOR
    setup_links.create(
        connection, user.id, token_hash(token), created_by=author.username, expires_at=expires_at
    )
    audit.append(
        connection, author.username, "user.setup-link", subject=user.username, detail=author.detail()
    )
    return Issued(token=token, username=user.username, expires_at=expires_at)


def look(ctx: LoginContext, token: str) -> SetupLink | None:
    """Return what a link is for; ``None`` where it is not good (any more)."""
    with ctx.db.read() as connection:
        return setup_links.find(connection, token_hash(token))


def use(ctx: LoginContext, token: str, *, password: str, client: Client) -> Continue | LoggedIn | Expired:
    """Set the password that a link permits to set, once, and go on as after a right password.

    Raises:
        PasswordRefusedError: It is too short, too long or common; the link stays good.
        BusyError: Too many log-ins are under way.
    """
    link = look(ctx, token)
    if link is None:
        # Asked before the hash is made: guessing links must not cost the service anything.
        return Expired()
    checked = check_password(password)
    hashed = ctx.hashing.run(lambda: hash_password(checked))
    with ctx.db.write() as connection:
        # The user first, as everybody does: else two would wait for each other.
        account = accounts.locked_account(connection, link.user_id)
        used = setup_links.use(connection, token_hash(token))
        if used is None or account is None or not account.is_active:
            return Expired()
        new_password.put_in_force(connection, account.id, hashed)
        throttling.end_password_stop(connection, account.username)
        name, detail = account.username, {"address": client.address, "link": True}
        audit.append(connection, name, "user.set-password", subject=name, detail=detail)
        return after_password(connection, ctx, account, target="", client=client)
