"""Making recovery codes: they hang on a factor, and go with it."""

from __future__ import annotations

from practicus_mfa.crypto.recovery_codes import code_hash, new_codes
from practicus_mfa.storage import recovery_codes
from practicus_mfa.storage.transaction import Transaction


def give_recovery_codes(connection: Transaction, factor_id: int) -> tuple[str, ...]:
    """Replace the recovery codes that hang on a factor; return the new ones, to be shown this once."""
    codes = new_codes()
    hashes = [hashed for one in codes if (hashed := code_hash(one)) is not None]
    recovery_codes.replace(connection, factor_id, hashes)
    return codes
