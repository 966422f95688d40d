"""kopf, run so that it ends.

When one of its watches fails for good, kopf cancels the others and waits for them without a limit, and one
that waits for new credentials at that moment does not hear of it. The process would go on without watching
anything, and hold the Lease. Here kopf has a while and is left behind then: the process ends, and whoever
keeps it running starts it again.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Collection
from typing import Any, Final

import kopf

log = logging.getLogger(__name__)

PATIENCE: Final = 10.0
"""Seconds that kopf has to end; of its own accord it takes at most five."""


def run(**options: Any) -> None:  # noqa: ANN401 - kopf's own
    """Run kopf with its *options* until a signal asks to end, or a watch fails for good.

    Raises:
        Exception: What the watch failed with.
    """
    # asyncio.run() would wait for each task, too.
    loop = asyncio.new_event_loop()
    try:
        loop.run_until_complete(_run(options))
    finally:
        loop.close()


async def _run(options: dict[str, Any]) -> None:
    ours = asyncio.current_task()
    roots: Collection[asyncio.Task[Any]] = await kopf.spawn_tasks(**options)
    ending = asyncio.create_task(kopf.run_tasks(roots, ignored=frozenset({ours} if ours else ())))
    await asyncio.wait(roots, return_when=asyncio.FIRST_COMPLETED)
    ended, _ = await asyncio.wait({ending}, timeout=PATIENCE)
    if ended:
        if not ending.cancelled():
            ending.result()
        return
    log.warning("the watches do not end: they are left behind")
    for root in roots:
        if root.done() and not root.cancelled():
            root.result()
