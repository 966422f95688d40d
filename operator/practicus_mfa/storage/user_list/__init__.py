"""The list of users, page by page, each with what is known of the MFA.

A page costs a page, however many users there are: it begins where another one ended, and factors are read for
its users alone. Whether MFA is under the key that counts is told by the rows' hints; no token is opened. The
key that counts is what the rotation under way goes to, from its beginning on, else what writes.
"""

from __future__ import annotations

from practicus_mfa.storage.user_list.hints import KeyHint, counted_key, key_hints
from practicus_mfa.storage.user_list.order import Sort
from practicus_mfa.storage.user_list.pages import PAGE, ListedUser, UserPage, count, every, ids_page, page
from practicus_mfa.storage.user_list.summary import Progress, Summary, summary, waiting_readers
from practicus_mfa.storage.user_list.wanted import Wanted

__all__ = [
    "PAGE",
    "KeyHint",
    "ListedUser",
    "Progress",
    "Sort",
    "Summary",
    "UserPage",
    "Wanted",
    "count",
    "counted_key",
    "every",
    "ids_page",
    "key_hints",
    "page",
    "summary",
    "waiting_readers",
]
