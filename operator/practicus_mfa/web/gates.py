"""Gates: what a visitor must have to get to a view. Each route names its gate, and there is no way around it.

| gate | lets in | sends others to |
|---|---|---|
| ``PUBLIC`` | everybody | |
| ``HALF`` | who gave a right password, within ten minutes | ``/login`` |
| ``LIMITED`` | who is logged in, who must enrol first included | ``/login`` |
| ``SESSION`` | who is logged in, by the policy in force | ``/login``; who must enrol: ``/enroll`` |
| ``PROVED`` | the same, with a proof of the last five minutes | ``/prove`` |
| ``ENROL`` | as ``HALF``, or as ``LIMITED`` with a fresh proof | ``/login``, ``/prove`` |
| ``PASSWORD`` | as ``LIMITED`` with a fresh proof: who must change it too | ``/login``, ``/prove`` |
| ``ADMIN`` | as ``SESSION``, administrators alone | others get 403 |
| ``SUPERUSER`` | as ``SESSION``, superusers alone | others get 403 |

A form's token is derived from the cookie that its gate goes by, so it ends with what it was made for.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TYPE_CHECKING, Final
from urllib.parse import quote

from starlette.exceptions import HTTPException
from starlette.responses import Response

from practicus_mfa.core.login.account import Account
from practicus_mfa.core.login.address import client_address
from practicus_mfa.core.login.rights import may_administer, may_set_policy
from practicus_mfa.core.login.session import LoggedOut, MustChangePassword, MustEnrol
from practicus_mfa.crypto.opaque import new_token
from practicus_mfa.login import proof
from practicus_mfa.login.account import Current, current
from practicus_mfa.login.context import Client
from practicus_mfa.login.session_start import half
from practicus_mfa.web.cookies import Cookies
from practicus_mfa.web.errors import error_page
from practicus_mfa.web.forms import MOST_FIELDS
from practicus_mfa.web.pages import FORM_FIELD
from practicus_mfa.web.security import is_our_form
from practicus_mfa.web.service import Service
from practicus_mfa.web.visit import Visit, with_target

if TYPE_CHECKING:
    from starlette.requests import Request

View = Callable[[Visit], Response]

LANGUAGE_SECONDS: Final = 365 * 24 * 3_600


class Gate(StrEnum):
    """What a visitor must have."""

    PUBLIC = "public"
    HALF = "half"
    LIMITED = "limited"
    SESSION = "session"
    PROVED = "proved"
    ENROL = "enrol"
    PASSWORD = "password"  # noqa: S105 - a gate's name
    ADMIN = "admin"
    SUPERUSER = "superuser"


_WHOLE: Final = frozenset({Gate.SESSION, Gate.PROVED, Gate.ADMIN, Gate.SUPERUSER})
"""What only a session opens that nothing is missing of."""

_FRESH: Final = frozenset({Gate.PROVED, Gate.ENROL, Gate.PASSWORD})
"""What wants a proof of the last minutes; administrators give theirs with each form."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """One address.

    Attributes:
        path: The path.
        gate: What a visitor must have.
        show: Answers GET; ``None`` where there is nothing to see.
        act: Answers POST; ``None`` where there is nothing to do.
        again: Where an expired form leads to when there is nothing to show here.
        most_fields: As many fields as its form may have.
    """

    path: str
    gate: Gate
    show: View | None = None
    act: View | None = None
    again: str = "/account"
    most_fields: int = MOST_FIELDS


def answer(service: Service, opened: Page, request: Request, form: Mapping[str, str] | None) -> Response:
    """Answer a request; runs in a thread.

    Args:
        service: The replica.
        opened: The page that is asked for.
        request: The request.
        form: What was posted; ``None`` for a GET.
    """
    cookies = Cookies(service.config)
    visit = _visit(service, cookies, request)
    visit, turned_away = _through(opened.gate, visit, form or {})
    if turned_away is not None:
        return turned_away
    try:
        response = _viewed(opened, visit, request, form)
    except HTTPException as error:
        # Such as a user who was deleted meanwhile: whoever looks for one is logged in all the same.
        return error_page(service, request, error, account=visit.current.account if visit.current else None)
    return _finished(opened.gate, visit, response)


def _viewed(opened: Page, visit: Visit, request: Request, form: Mapping[str, str] | None) -> Response:
    if form is None:
        assert opened.show is not None  # noqa: S101 - the route takes no other method
        return opened.show(visit)
    if not is_our_form(
        request,
        visit.service.config,
        cookie=_form_cookie(opened.gate, visit),
        given=form.get(FORM_FIELD, ""),
    ):
        return _expired_form(opened, visit, form)
    assert opened.act is not None  # noqa: S101 - the route takes no other method
    return opened.act(replace(visit, form=form))


def _visit(service: Service, cookies: Cookies, request: Request) -> Visit:
    peer = request.client.host if request.client else ""
    address = client_address(peer, request.headers.getlist("x-forwarded-for"), service.config.trusted_proxies)
    return Visit(
        service=service,
        request=request,
        cookies=cookies,
        language=cookies.chosen_language(request),
        client=Client(
            address=address.address,
            address_real=address.real,
            device=request.cookies.get(cookies.device),
            user_agent=request.headers.get("user-agent", ""),
        ),
        form_cookie=request.cookies.get(cookies.form) or new_token(),
    )


def _session(visit: Visit) -> Current | None:
    """Return the session that counts, also of who must enrol first."""
    found = current(visit.ctx, visit.session_token) if visit.session_token else None
    if found is None or isinstance(found.verdict, LoggedOut):
        return None
    visit.service.uses.note(found.session, found.account, visit.ctx.rules(), found.at)
    return found


def _through(gate: Gate, visit: Visit, form: Mapping[str, str]) -> tuple[Visit, Response | None]:
    """Return the visit with what the gate asked for, or what to answer to who lacks it."""
    if gate is Gate.PUBLIC:
        return replace(visit, current=_session(visit)), None
    if gate in {Gate.HALF, Gate.ENROL} and visit.half_token:
        state = half(visit.ctx, visit.half_token)
        if state is not None:
            return replace(visit, half=state, form_cookie=visit.half_token), None
    session = _session(visit)
    if session is None:
        return visit, visit.go(_login_for(gate, visit, form))
    visit = replace(visit, current=session)
    if gate is Gate.HALF:
        # Back in the browser's history, after the log-in was done.
        return visit, visit.go("/account")
    visit = replace(visit, form_cookie=visit.session_token)
    if isinstance(session.verdict, MustChangePassword) and gate in _WHOLE | {Gate.ENROL}:
        return visit, visit.go("/account/password")
    if isinstance(session.verdict, MustEnrol) and gate in _WHOLE:
        return visit, visit.go("/enroll")
    if not _admits(gate, session.account):
        return visit, refused_page(visit)
    if gate in _FRESH and not proof.is_proved(visit.ctx, session.session):
        proof_page = f"/prove?next={quote(visit.request.url.path)}"
        return visit, visit.go(with_target(proof_page, replace(visit, form=form).target()))
    return visit, None


def _admits(gate: Gate, account: Account) -> bool:
    if gate is Gate.SUPERUSER:
        return may_set_policy(account)
    return gate is not Gate.ADMIN or may_administer(account)


def refused_page(visit: Visit) -> Response:
    """Answer who may not do what was asked (403), whatever it was."""
    return visit.page(
        "message.html",
        status=403,
        title=visit.say("That is not for you"),
        text=visit.say("Only administrators with the rights for it get there. Ask one of them."),
    )


def _login_for(gate: Gate, visit: Visit, form: Mapping[str, str]) -> str:
    if gate is Gate.HALF or visit.request.method == "POST":
        return with_target("/login?note=expired", replace(visit, form=form).target())
    url = visit.request.url
    return with_target("/login", f"{url.path}?{url.query}" if url.query else url.path)


def _form_cookie(gate: Gate, visit: Visit) -> str | None:
    """Return the token in the cookie that the form's token must come from, ``None`` where none was sent."""
    if gate is Gate.PUBLIC:
        return visit.request.cookies.get(visit.cookies.form)
    return visit.form_cookie


def _expired_form(opened: Page, visit: Visit, form: Mapping[str, str]) -> Response:
    """Show the form again: what it was sent from is too old, or of another log-in."""
    if opened.show is None:
        return visit.go(opened.again)
    kept = {name: form[name] for name in ("rd", "username") if name in form}
    response = opened.show(replace(visit, form={**kept, "expired": "1"}))
    if response.status_code == 200:
        # What leads elsewhere must go on leading there.
        response.status_code = 403
    return response


def _finished(gate: Gate, visit: Visit, response: Response) -> Response:
    """Keep the cookie that forms before a log-in go by, and the language that was chosen."""
    name = visit.cookies.form
    if gate is Gate.PUBLIC and name not in visit.request.cookies and not _sets(response, name):
        visit.cookies.put(response, name, visit.form_cookie)
    if visit.request.query_params.get("lang") == visit.language.code:
        visit.cookies.put(response, visit.cookies.language, visit.language.code, seconds=LANGUAGE_SECONDS)
    return response


def _sets(response: Response, name: str) -> bool:
    return any(
        key == b"set-cookie" and value.startswith(f"{name}=".encode()) for key, value in response.raw_headers
    )
