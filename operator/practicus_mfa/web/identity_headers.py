"""Who somebody is, as headers that a proxy hands on to the application behind it.

All four are always there, empty where nothing is known: a header that is missing could be one that the client
made up. The values are UTF-8, and hold nothing that could begin another header.
"""

from __future__ import annotations

from typing import Final

from practicus_mfa.core.login.account import Account

Headers = list[tuple[bytes, bytes]]

NAMES: Final = (b"remote-user", b"remote-email", b"remote-groups", b"remote-name")

_NO_CONTROLS: Final = dict.fromkeys((*range(32), *range(127, 160), 8232, 8233), " ")
"""C0 and C1 controls and line ends: RFC 9110, section 5.5, allows none of the former in a value."""


def identity_headers(account: Account) -> Headers:
    """Return the headers of a logged-in user; groups are separated by commas."""
    values = (account.username, account.email, ",".join(account.groups), account.name)
    return [(name, _value(text)) for name, text in zip(NAMES, values, strict=True)]


def _value(text: str) -> bytes:
    return text.translate(_NO_CONTROLS).strip().encode("utf-8", "replace")
