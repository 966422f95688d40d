"""The application: which address is answered by which view."""

from __future__ import annotations

from starlette.applications import Starlette

from practicus_mfa.web.health import HEALTH_ROUTES
from practicus_mfa.web.service import Service


def make_app(service: Service) -> Starlette:
    """Return the application of *service*."""
    app = Starlette(routes=HEALTH_ROUTES)
    app.state.service = service
    return app
