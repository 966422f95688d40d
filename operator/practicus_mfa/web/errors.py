"""What a visitor sees when something went wrong: a plain page that says what to do, and never why inside."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from starlette.exceptions import HTTPException

from practicus_mfa.core.login.account import Account
from practicus_mfa.errors import RetryableError
from practicus_mfa.login.hashing import BusyError
from practicus_mfa.web.cookies import Cookies
from practicus_mfa.web.pages import page
from practicus_mfa.web.service import Service
from practicus_mfa.web.translations import Language

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

log = logging.getLogger(__name__)

RETRY_SECONDS: Final = 5


def error_page(
    service: Service, request: Request, error: Exception, *, account: Account | None = None
) -> Response:
    """Return the page for an error; one of the program itself is logged.

    Args:
        service: The replica.
        request: The request.
        error: What happened.
        account: Who is logged in, where that is known.
    """
    language = Cookies(service.config).chosen_language(request)
    if isinstance(error, RetryableError):
        service.metrics.login("busy" if isinstance(error, BusyError) else "error")
        if not isinstance(error, BusyError):
            log.warning("a page could not be served: %s", error)
        response = _page(service, language, 503)
        response.headers["Retry-After"] = str(RETRY_SECONDS)
        return response
    if isinstance(error, HTTPException):
        response = _page(service, language, error.status_code, account)
        response.headers.update(error.headers or {})
        return response
    service.metrics.login("error")
    # The path may hold a link's token: its first part says enough.
    log.error("a page failed: /%s", request.url.path.split("/")[1], exc_info=error)
    return _page(service, language, 500)


def _page(service: Service, language: Language, status: int, account: Account | None = None) -> Response:
    say = language.gettext
    known: Mapping[int, tuple[str, str]] = {
        404: (say("There is no such page"), say("Check the address, or go to your account.")),
        405: (say("That does not work here"), say("Go back, and use the buttons of the page.")),
        413: (say("That was too much"), say("Go back, and send less.")),
        500: (
            say("Something went wrong"),
            say("It was noted. Try again, or tell your administrator."),
        ),
        503: (say("Not available for a moment"), say("Nothing is lost. Wait a few seconds, then try again.")),
    }
    usual = (say("That request was not understood"), say("Go back, reload the page, and try again."))
    title, text = known.get(status, usual)
    return page(
        "message.html",
        language,
        service.config,
        status=status,
        title=title,
        text=text,
        account=account,
        path="/",
    )
