"""Errors that a person meets: what is wrong, what to do about it, and which exit code says so.

Every error that may reach a user is a :class:`MfaError`. It carries two sentences, the *message* (what is
wrong) and the *remedy* (what to do), and its type says the exit code. Neither sentence ever holds a key,
a token, a password or a database URL. :class:`RetryableError` marks what may pass by itself.
"""

from __future__ import annotations

from typing import ClassVar, Final

EXIT_DONE: Final = 0
EXIT_USAGE: Final = 2
EXIT_NEEDS_PERSON: Final = 3
EXIT_UNREACHABLE: Final = 4
EXIT_RETRY: Final = 75
"""``EX_TEMPFAIL`` of sysexits.h: a worker that must be started again, for example with a newer keyring."""


class MfaError(Exception):
    """An error with a remedy.

    Attributes:
        message: What is wrong, one sentence without a secret.
        remedy: What the reader can do about it, one sentence.
        exit_code: The exit code of a command that ends with this error.
    """

    exit_code: ClassVar[int] = EXIT_USAGE

    def __init__(self, message: str, *, remedy: str) -> None:
        """Keep both sentences; ``str()`` gives the message alone."""
        super().__init__(message)
        self.message = message
        self.remedy = remedy


class UsageError(MfaError):
    """Bad usage or configuration: nothing was changed."""


class NeedsPersonError(MfaError):
    """Data that needs a person: an unknown key, a corrupt row."""

    exit_code = EXIT_NEEDS_PERSON


class RetryableError(MfaError):
    """What may pass by itself; trying again later is right."""


class UnreachableError(RetryableError):
    """The database or the cluster can't be reached."""

    exit_code = EXIT_UNREACHABLE


class NotReadyError(RetryableError):
    """This process may not do its work yet, or not at the moment: it waits for something."""


class SupersededError(RetryableError):
    """The work was overtaken (another write key, another owner): start again from what is true now."""

    exit_code = EXIT_RETRY
