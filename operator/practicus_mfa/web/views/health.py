"""What a probe asks: ``/healthz`` and ``/readyz``.

Why a replica is not ready is told to who asks it by its address, as probes and administrators do: that names
the database and keys, which strangers need not know.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from practicus_mfa.web.security import is_front_door

if TYPE_CHECKING:
    from starlette.requests import Request

    from practicus_mfa.web.service import Service


async def healthz(_request: Request) -> Response:
    """Answer that the process answers."""
    return PlainTextResponse("ok\n", headers={"Cache-Control": "no-store"})


async def readyz(request: Request) -> Response:
    """Answer whether this replica may get requests, and why not."""
    service: Service = request.app.state.service
    readiness, config = service.ready(), service.config
    status = 200 if readiness.ready else 503
    public = is_front_door(config, request.headers.get("host", "")) and not config.insecure
    text = readiness.head if public else readiness.text
    return PlainTextResponse(text, status, headers={"Cache-Control": "no-store"})


HEALTH_ROUTES: Final = (
    Route("/healthz", healthz, methods=["GET"], name="healthz"),
    Route("/readyz", readyz, methods=["GET"], name="readyz"),
)
"""What an application mounts; its state holds the service."""
