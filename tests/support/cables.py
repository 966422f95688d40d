"""Network cables of this machine: who lays one, and who must not notice.

Chromium gives up the connections that it is making (ERR_NETWORK_CHANGED) whenever an address of the machine
comes or goes, and it can't be told not to. A node of other tests brings an address, so the one waits for the
other: a test in a browser is over before a cable is laid, and the cable lies before the next one begins.
Tests of other runs on this machine wait as well.
"""

from __future__ import annotations

import fcntl
import os
import time
from contextlib import contextmanager
from pathlib import Path
from tempfile import gettempdir
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

_FILE: Final = Path(gettempdir()) / f"practicus-mfa-cables-{os.getuid()}"

_HEARD_SECONDS: Final = 0.5
"""After that a browser has heard of the change: nothing says when."""


@contextmanager
def left_alone() -> Iterator[None]:
    """No cable comes or goes in the ``with``; whoever wants to change one waits for its end."""
    with _FILE.open("a") as file:
        fcntl.flock(file, fcntl.LOCK_SH)
        yield


@contextmanager
def changing() -> Iterator[None]:
    """A cable comes or goes in the ``with``: it begins when nobody needs them left alone."""
    with _FILE.open("a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
        time.sleep(_HEARD_SECONDS)
