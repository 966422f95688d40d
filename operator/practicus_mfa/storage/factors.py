"""Factors: a user's second factors, each a sealed TOTP secret with its parameters.

A token is written through the one writer (:mod:`practicus_mfa.storage.writer`) by whoever can seal: this
module is handed the token and the key that sealed it, and never opens one. So removing MFA works when every
key is lost. A factor whose token is NULL or empty counts as none: that is how a person clears it by hand.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from sqlalchemy import Connection, Row, delete, insert, select, update

from practicus_mfa.core.keyring import KeyId
from practicus_mfa.storage.bulk import insert_all
from practicus_mfa.storage.schema import factors

HAS_TOKEN: Final = factors.c.token != ""
"""The condition that a factor counts."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TotpParameters:
    """How codes are made from a secret (RFC 6238), and which were used.

    Attributes:
        algorithm: ``SHA1``, ``SHA256`` or ``SHA512``.
        digits: Digits of a code.
        period: Seconds of a time step.
        drift: Steps that the device's clock is ahead.
        last_step: The last time step a code was accepted for; -1 before the first.
    """

    algorithm: str = "SHA1"
    digits: int = 6
    period: int = 30
    drift: int = 0
    last_step: int = -1

    def columns(self) -> dict[str, str | int]:
        """Return the values by the names of columns."""
        return {
            "algorithm": self.algorithm,
            "digits": self.digits,
            "period": self.period,
            "drift": self.drift,
            "last_step": self.last_step,
        }


USUAL: Final = TotpParameters()
"""What we issue ourselves: SHA-1, six digits, 30 seconds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NewFactor:
    """A factor to be written: a *token* that *user_id* owns, with its parameters."""

    user_id: int
    token: str = field(repr=False)
    totp: TotpParameters = USUAL


@dataclass(frozen=True, slots=True, kw_only=True)
class Factor(NewFactor):
    """A factor as stored.

    Attributes:
        id: The row's id.
        key_id: The key that the row says it is under; a hint.
        fault: ``unknown`` or ``corrupt`` where no known key opens the token.
    """

    id: int
    key_id: KeyId | None
    fault: str | None


def write(connection: Connection, key: KeyId, new: Sequence[NewFactor]) -> None:
    """Add factors whose tokens *key* sealed, in a transaction of the one writer.

    Raises:
        IntegrityError: *key* was retired meanwhile, or a user is gone (of SQLAlchemy; the writer retries).
    """
    rows = [
        {"user_id": factor.user_id, "token": factor.token, "key_id": key, **factor.totp.columns()}
        for factor in new
    ]
    insert_all(connection, factors, rows)


def write_one(connection: Connection, key: KeyId, new: NewFactor) -> int:
    """Add one factor as :func:`write` does, and return its id."""
    row = {"user_id": new.user_id, "token": new.token, "key_id": key, **new.totp.columns()}
    return int(connection.execute(insert(factors).values(row).returning(factors.c.id)).scalar_one())


def of_user(connection: Connection, user_id: int) -> tuple[Factor, ...]:
    """Return a user's factors, oldest first; those without a token are none."""
    rows = connection.execute(
        select(factors).where(factors.c.user_id == user_id, HAS_TOKEN).order_by(factors.c.id)
    )
    return tuple(map(to_factor, rows))


def to_factor(row: Row[Any]) -> Factor:
    """Return the factor of a whole row."""
    return Factor(
        id=row.id,
        user_id=row.user_id,
        token=row.token,
        key_id=row.key_id,
        fault=row.fault,
        totp=TotpParameters(
            algorithm=row.algorithm,
            digits=row.digits,
            period=row.period,
            drift=row.drift,
            last_step=row.last_step,
        ),
    )


def ids_of(connection: Connection, user_ids: Sequence[int]) -> Sequence[int]:
    """Return the ids of these users' factors, in order."""
    query = select(factors.c.id).where(factors.c.user_id.in_(user_ids)).order_by(factors.c.id)
    return connection.execute(query).scalars().all()


def remove_all(connection: Connection, user_id: int) -> int:
    """Remove a user's factors without opening one; return how many had a token."""
    removed = connection.execute(
        delete(factors).where(factors.c.user_id == user_id).returning(factors.c.token)
    )
    return sum(bool(token) for token in removed.scalars())


def advance(connection: Connection, factor_id: int, step: int) -> bool:
    """Use up the code of time step *step*: once, whoever else tries (RFC 6238 section 5.2).

    The database decides in one statement, and the row that comes back is the answer: a code of that step or
    of an earlier one is refused, also when two log-ins race.

    Args:
        connection: A writing transaction; the step is used up when it commits.
        factor_id: The factor that the code is of.
        step: Seconds since 1970 divided by the factor's period, the device's drift included.
    """
    used = connection.execute(
        update(factors)
        .where(factors.c.id == factor_id, factors.c.last_step < step)
        .values(last_step=step)
        .returning(factors.c.id)
    )
    return used.first() is not None
