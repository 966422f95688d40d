"""The application: which address is answered by which view, and what a visitor must have to get there."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.middleware import Middleware
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from practicus_mfa.web.errors import error_page
from practicus_mfa.web.forms import read_form
from practicus_mfa.web.gates import Gate, Page, answer
from practicus_mfa.web.security import Guard
from practicus_mfa.web.service import Service
from practicus_mfa.web.views import account, enrol, login, setup
from practicus_mfa.web.views.admin import audit, settings
from practicus_mfa.web.views.admin.pages import PAGES_OF_USERS
from practicus_mfa.web.views.health import HEALTH_ROUTES

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

PAGES: Final[Sequence[Page]] = (
    Page(path="/", gate=Gate.SESSION, show=account.show_home),
    Page(path="/login", gate=Gate.PUBLIC, show=login.show_login, act=login.do_login),
    Page(path="/login/totp", gate=Gate.HALF, show=login.show_code, act=login.do_code),
    Page(path="/login/recovery", gate=Gate.HALF, show=login.show_recovery, act=login.do_recovery),
    Page(path="/login/remember", gate=Gate.HALF, show=login.show_remember, act=login.do_remember),
    Page(path="/enroll", gate=Gate.ENROL, show=enrol.show_enrol, act=enrol.do_enrol),
    Page(path="/setup/{token}", gate=Gate.PUBLIC, show=setup.show_setup, act=setup.do_setup),
    Page(path="/logout", gate=Gate.PUBLIC, show=account.show_logout, act=account.do_logout),
    Page(path="/prove", gate=Gate.LIMITED, show=account.show_proof, act=account.do_proof),
    Page(path="/account", gate=Gate.SESSION, show=account.show_account),
    Page(path="/account/recovery-codes", gate=Gate.PROVED, show=account.show_codes, act=account.do_codes),
    Page(path="/account/remove-mfa", gate=Gate.PROVED, show=account.show_removal, act=account.do_removal),
    Page(path="/account/password", gate=Gate.PASSWORD, show=account.show_password, act=account.do_password),
    Page(path="/account/sessions", gate=Gate.PROVED, act=account.do_sessions),
    *PAGES_OF_USERS,
    Page(path=audit.AUDIT, gate=Gate.SUPERUSER, show=audit.show_audit),
    Page(path=audit.EXPORT, gate=Gate.SUPERUSER, show=audit.show_export),
    Page(path=settings.SETTINGS, gate=Gate.SUPERUSER, show=settings.show_settings, act=settings.do_settings),
)
"""Every page there is."""

STATIC_SECONDS: Final = 3_600


def make_app(service: Service) -> Starlette:
    """Return the application of *service*."""

    async def failed(request: Request, error: Exception) -> Response:
        return error_page(service, request, error)

    app = Starlette(
        routes=[
            *HEALTH_ROUTES,
            *(_route(service, opened) for opened in PAGES),
            Mount("/static", _Static(packages=[("practicus_mfa.web", "static")])),
        ],
        middleware=[Middleware(Guard, config=service.config)],
        exception_handlers={404: failed, 405: failed, 400: failed, 413: failed, 415: failed},
    )
    # Its redirects are made of what a proxy says of scheme and host.
    app.router.redirect_slashes = False
    app.state.service = service
    return app


def _route(service: Service, opened: Page) -> Route:
    async def endpoint(request: Request) -> Response:
        started = time.perf_counter()
        try:
            posted = request.method == "POST"
            form = await read_form(request, opened.most_fields) if posted else None
            return await run_in_threadpool(answer, service, opened, request, form)
        except Exception as error:  # noqa: BLE001 - whatever it is, the visitor gets a page that says what to do
            return await run_in_threadpool(error_page, service, request, error)
        finally:
            if request.method == "POST" and opened.path.startswith("/login"):
                service.metrics.login_seconds(time.perf_counter() - started)

    methods = [method for method, view in (("GET", opened.show), ("POST", opened.act)) if view]
    return Route(opened.path, endpoint, methods=methods, name=opened.path)


class _Static(StaticFiles):
    """Files that are the same for everybody."""

    def file_response(self, *args: object, **kwargs: object) -> Response:
        """Let browsers keep it for a while."""
        response = super().file_response(*args, **kwargs)  # type: ignore[arg-type]
        response.headers["Cache-Control"] = f"public, max-age={STATIC_SECONDS}"
        return response
