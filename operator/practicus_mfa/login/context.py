"""What every use case of the login service is given: users, what opens factors, what is in force."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from practicus_mfa.clock import Clock
from practicus_mfa.core.login.account import Account
from practicus_mfa.core.login.config import LoginConfig
from practicus_mfa.core.login.rules import LoginRules
from practicus_mfa.crypto.keys import HeldKeys
from practicus_mfa.login.hashing import Hashing
from practicus_mfa.storage.engine import Database
from practicus_mfa.storage.sessions import StoredSession


@dataclass(frozen=True, slots=True, kw_only=True)
class LoginContext:
    """The surroundings of a use case.

    Attributes:
        db: The database.
        keys: Returns the keys that this replica may open and write with; raises
            :class:`~practicus_mfa.errors.NotReadyError` while it holds no lease.
        rules: Returns the policy in force.
        clock: The time that codes are compared with. What is stored is dated by the database.
        hashing: Where passwords are hashed.
        config: How the service is reached, and what it is called.
    """

    db: Database
    keys: Callable[[], HeldKeys]
    rules: Callable[[], LoginRules]
    clock: Clock
    hashing: Hashing
    config: LoginConfig


@dataclass(frozen=True, slots=True, kw_only=True)
class Client:
    """Who asks, as far as it can be told.

    Attributes:
        address: The address, '' where it is not known.
        address_real: Whether it may be taken for the client's own (and not for a proxy's).
        device: The token of the known-device cookie.
        user_agent: What the browser says it is.
    """

    address: str = ""
    address_real: bool = False
    device: str | None = field(default=None, repr=False)
    user_agent: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Acting:
    """A logged-in user who does something, in a session that was judged.

    Attributes:
        session: The session.
        account: Whose it is.
        address: Where the request came from.
        device: The token of the known-device cookie.
    """

    session: StoredSession
    account: Account
    address: str = ""
    device: str | None = field(default=None, repr=False)
