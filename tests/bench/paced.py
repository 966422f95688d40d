"""Requests at a steady rate, and how long each took from the moment at which it was due.

Counted from when it was due and not from when it was sent: a server that stalls makes those late that wait
behind, as it does for people.

    python -m tests.bench.paced FILE

*FILE* holds an :class:`Order` as JSON; the result is written as JSON.
"""

from __future__ import annotations

import asyncio
import json
import ssl
import sys
import time
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Order:
    """What is asked.

    Attributes:
        port: On the loopback address.
        rate: Requests a second.
        seconds: For so long.
        connections: That are kept open.
        request: The whole request.
        authority: Who signed the server's certificate; '' for plain HTTP.
        name: The server's name in TLS.
    """

    port: int
    rate: int
    seconds: float
    connections: int
    request: str
    authority: str = ""
    name: str = ""


async def run(order: Order) -> dict[str, float]:
    """Ask, and return the percentiles in seconds, and how many were not answered with 200."""
    tls = ssl.create_default_context(cafile=order.authority) if order.authority else None
    request = order.request.encode()
    due: asyncio.Queue[float | None] = asyncio.Queue()
    took: list[float] = []
    bad = 0

    async def client() -> None:
        nonlocal bad
        name = order.name if tls else None
        reader, writer = await asyncio.open_connection("127.0.0.1", order.port, ssl=tls, server_hostname=name)
        while (at := await due.get()) is not None:
            writer.write(request)
            head = await reader.readuntil(b"\r\n\r\n")
            length = next(
                int(line.split(b":")[1])
                for line in head.lower().split(b"\r\n")
                if line.startswith(b"content-length:")
            )
            await reader.readexactly(length)
            took.append(time.perf_counter() - at)
            bad += not head.startswith(b"HTTP/1.1 200")
        writer.close()

    clients = [asyncio.create_task(client()) for _ in range(order.connections)]
    await asyncio.sleep(0.5)
    begin, count = time.perf_counter(), int(order.rate * order.seconds)
    for number in range(count):
        at = begin + number / order.rate
        await asyncio.sleep(max(0.0, at - time.perf_counter()))
        due.put_nowait(at)
    for _ in clients:
        due.put_nowait(None)
    await asyncio.gather(*clients)
    took.sort()
    return {"p50": took[count // 2], "p99": took[count * 99 // 100], "worst": took[-1], "bad": bad}


if __name__ == "__main__":
    told = Order(**json.loads(Path(sys.argv[1]).read_text("utf-8")))
    print(json.dumps(asyncio.run(run(told))))
