"""Forward-auth over a database, served as the login service serves it, with a log-in page that is none.

Run as a program: ``python -m tests.support.forward_auth_server FILE``; the file holds an :class:`Order` as
JSON. It writes its port to ``FILE.port`` once it listens.
"""

from __future__ import annotations

import asyncio
import json
import secrets
import sys
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from starlette.concurrency import run_in_threadpool

from practicus_mfa.clock import steady_seconds, utc_now
from practicus_mfa.core.login.rules import LoginRules
from practicus_mfa.core.parse.login import login_config
from practicus_mfa.errors import NotReadyError, RetryableError
from practicus_mfa.login import log_in
from practicus_mfa.login.context import Client, LoginContext
from practicus_mfa.login.hashing import Hashing
from practicus_mfa.login.session_cache import SessionCache
from practicus_mfa.login.session_reading import SessionReader
from practicus_mfa.login.session_uses import SessionUses, writer
from practicus_mfa.storage.engine import connect
from practicus_mfa.web.forward_auth import ForwardAuth
from practicus_mfa.web.metrics import LoginMetrics
from practicus_mfa.web.serve import HttpServer

if TYPE_CHECKING:
    from practicus_mfa.crypto.keys import HeldKeys
    from practicus_mfa.web.forward_auth import Receive, Scope, Send
    from practicus_mfa.web.proxy_answers import Message


@dataclass(frozen=True)
class Order:
    """What is served.

    Attributes:
        url: The database's.
        login: ``login`` of values.yaml.
        patience: Seconds that a reading of sessions may take, and that an answer may be used; the product's
            is 1, which a busy machine can exceed.
    """

    url: str
    login: dict[str, Any]
    patience: float = 1.0

    def write(self, file: Path) -> None:
        """Write it down."""
        file.write_text(json.dumps(asdict(self)), "utf-8")


async def log_in_page(scope: Scope, _receive: Receive, send: Send) -> None:
    """Say what a log-in would be asked."""
    body = f"log in\n{scope['query_string'].decode('ascii')}".encode()
    status = 200 if scope["path"] == "/login" else 404
    headers = [(b"content-type", b"text/plain"), (b"content-length", b"%d" % len(body))]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


async def bare(_scope: Scope, _receive: Receive, send: Send) -> None:
    """Say nothing, as quickly as the server can: what measurements are compared with."""
    await send(_NOTHING)
    await send(_NO_BODY)


_NOTHING: Message = {
    "type": "http.response.start",
    "status": 200,
    "headers": [(b"content-type", b"text/plain"), (b"content-length", b"0")],
}
_NO_BODY: Message = {"type": "http.response.body", "body": b""}


async def serve(order: Order, port_file: Path) -> None:
    """Serve until a signal."""
    db, beside = connect(order.url), connect(order.url)
    uses = SessionUses(writer(beside))
    config = login_config(order.login)
    cache = SessionCache(
        SessionReader(db),
        uses,
        grace_seconds=config.outage_grace_seconds,
        steady=lambda: steady_seconds() / order.patience,
        patience=order.patience,
    )
    metrics = LoginMetrics()
    forward_auth = ForwardAuth(
        log_in_page,
        cache,
        config,
        observe=metrics.verify_seconds,
        unavailable=metrics.verify_unavailable,
    )

    ctx = LoginContext(
        db=connect(order.url),
        keys=_no_keys,
        rules=LoginRules,
        clock=utc_now,
        hashing=Hashing(),
        config=config,
    )

    def log_in_wrongly() -> None:
        client = Client(address=f"203.0.113.{secrets.randbelow(255)}")
        with suppress(RetryableError):
            log_in.start(ctx, username=secrets.token_hex(4), password="wrong", target="", client=client)

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["path"] == "/wrong":
            await run_in_threadpool(log_in_wrongly)
        answer = bare if scope["path"] in {"/bare", "/wrong"} else forward_auth
        await answer(scope, receive, send)

    server = HttpServer(app, ("127.0.0.1", 0), None)
    sweeping = asyncio.create_task(cache.run())
    serving = asyncio.create_task(server.serve())
    while not await _listens(server.port):  # noqa: ASYNC110 - no event tells it
        await asyncio.sleep(0.01)
    partial = port_file.with_suffix(".partial")
    partial.write_text(str(server.port), "ascii")
    partial.rename(port_file)
    await serving
    sweeping.cancel()


def _no_keys() -> HeldKeys:
    raise NotReadyError("There are no keys here.", remedy="-")


async def _listens(port: int) -> bool:
    try:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
    except OSError:
        return False
    writer.close()
    return True


def main() -> None:
    """Serve what the file says."""
    file = Path(sys.argv[1])
    asyncio.run(serve(Order(**json.loads(file.read_text("utf-8"))), file.with_suffix(".port")))


if __name__ == "__main__":
    main()
