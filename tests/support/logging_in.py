"""A log-in service without its web part: use cases over a database, with a policy and a clock to set."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final

from sqlalchemy import select, update

from practicus_mfa.core.login.config import LoginConfig
from practicus_mfa.core.login.rules import LoginRules, Step
from practicus_mfa.core.policy import MfaRules, RememberMeRules, SessionRules
from practicus_mfa.crypto.keys import HeldKeys
from practicus_mfa.crypto.totp import code_at
from practicus_mfa.login import account, log_in, second_factor
from practicus_mfa.login.bulk import Runner
from practicus_mfa.login.context import Client, LoginContext
from practicus_mfa.login.hashing import Hashing
from practicus_mfa.login.session_start import Continue, LoggedIn
from practicus_mfa.rotation.treatment import treatment
from practicus_mfa.storage import schema
from practicus_mfa.storage.users import User
from tests.support.people import NEW, PASSWORD, SECRET, People, let_write, noon

if TYPE_CHECKING:
    from practicus_mfa.storage.engine import Database

HOME: Final = Client(address="198.51.100.7", address_real=True, user_agent="Firefox")
"""Somebody at home."""


@dataclass
class Desk:
    """Where people log in.

    Attributes:
        db: The database; a key writes.
        rules: The policy in force; replace it at will.
        now: The replica's clock.
        held: The keys that the replica holds.
        cookie_domain: As configured.
        secret: What codes are made from.
    """

    db: Database
    rules: LoginRules = field(default_factory=LoginRules)
    now: datetime = field(default_factory=noon)
    held: HeldKeys = field(default_factory=lambda: HeldKeys([NEW]))
    cookie_domain: str = ""
    secret: bytes = SECRET

    def __post_init__(self) -> None:
        let_write(self.db, NEW)
        self.people = People(self.db)

    @property
    def ctx(self) -> LoginContext:
        config = LoginConfig(host="login.example.com", cookie_domain=self.cookie_domain)
        return LoginContext(
            db=self.db,
            keys=lambda: self.held,
            rules=lambda: self.rules,
            clock=lambda: self.now,
            hashing=Hashing(at_once=2, waiting=64),
            config=config,
        )

    @property
    def runner(self) -> Runner:
        """What does things to many users."""
        return Runner(db=self.db, name="desk", keys=lambda: self.held, treatment=treatment)

    def policy(
        self,
        mfa: MfaRules | None = None,
        remember_me: RememberMeRules | None = None,
        session: SessionRules | None = None,
    ) -> None:
        """Put another policy in force; what is not given stays."""
        self.rules = LoginRules(
            mfa=mfa or self.rules.mfa,
            remember_me=remember_me or self.rules.remember_me,
            session=session or self.rules.session,
        )

    def later(self, span: timedelta) -> None:
        """Let time pass for the replica's clock, which codes are made by."""
        self.now += span

    def code(self, *, steps: int = 0) -> str:
        """Return the code of now, or of some steps away."""
        return code_at(self.secret, int(self.now.timestamp()) // 30 + steps)

    def start(
        self, name: str, password: str = PASSWORD, *, client: Client = HOME, target: str = ""
    ) -> object:
        """Give name and password."""
        return log_in.start(self.ctx, username=name, password=password, target=target, client=client)

    def half(self, name: str, step: Step = Step.CODE, *, client: Client = HOME, target: str = "") -> str:
        """Give a right password; return the half-login that leads to *step*."""
        answer = self.start(name, client=client, target=target)
        assert isinstance(answer, Continue), answer
        assert answer.step is step
        return answer.half_token

    def give_code(self, half: str, code: str, *, remembered: bool = False, client: Client = HOME) -> object:
        """Give a code."""
        return second_factor.give_code(self.ctx, half, code=code, remembered=remembered, client=client)

    def log_in(self, name: str, *, client: Client = HOME, remembered: bool = False) -> LoggedIn:
        """Log in all the way, with the code of now where one is wanted; then the clock moves on a step."""
        answer = self.start(name, client=client)
        if isinstance(answer, Continue):
            if answer.step is Step.CODE:
                answer = self.give_code(answer.half_token, self.code(), remembered=remembered, client=client)
                self.later(timedelta(seconds=30))
            else:
                assert answer.step is Step.REMEMBER
                answer = log_in.remember(self.ctx, answer.half_token, remembered=remembered, client=client)
        assert isinstance(answer, LoggedIn), answer
        return answer

    def current(self, logged_in: LoggedIn) -> account.Current:
        """Return the session of a log-in, judged now."""
        found = account.current(self.ctx, logged_in.tokens.session)
        assert found is not None
        return found

    def enrolled(self, name: str, **values: bool | str) -> User:
        """Add a user with a password and a factor whose secret is SECRET."""
        return self.people.add(name, key=NEW, **values)

    def age(self, table: str, column: str, span: timedelta) -> None:
        """Let the rows of *table* be older: stored times move into the past, no clock is turned."""
        rows = schema.metadata.tables[f"{schema.SCHEMA}.{table}"]
        with self.db.write() as connection:
            key = next(iter(rows.primary_key.columns))
            for one, at in connection.execute(select(key, rows.c[column])).all():
                if at is not None:
                    connection.execute(update(rows).where(key == one).values({column: at - span}))

    def hold_stops(self, span: timedelta = timedelta(hours=1)) -> list[timedelta]:
        """Let stops go on for *span* more: the first are of 2 s, and a try may take longer.

        Returns:
            How long each was meant to be.
        """
        rows, meant = schema.attempts, []
        with self.db.write() as connection:
            for row in connection.execute(select(rows).where(rows.c.stopped_until.is_not(None))).all():
                of = (rows.c.counter == row.counter, rows.c.kind == row.kind)
                held = update(rows).where(*of).values(stopped_until=row.stopped_until + span)
                connection.execute(held)
                meant.append(row.stopped_until - row.last_at)
        return meant
