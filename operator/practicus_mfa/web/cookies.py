"""The cookies: their names, and how each is set and taken back.

All of them are this host's alone (``__Host-``: Secure, no Domain, Path=/) but one: the token that is good for
forward-auth alone has the cookie domain, so that applications' hosts are sent it. Over plain http on the
loopback address (a demo) there are no prefixes and no Secure, which Safari would refuse there; the port is in
the name, since cookies are not told apart by it (RFC 6265, section 8.5).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from practicus_mfa.core.login.config import LoginConfig
from practicus_mfa.login.session_start import KNOWN_DEVICE, Tokens
from practicus_mfa.web.translations import LANGUAGES, Language, chosen

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response


class Cookies:
    """The names, and the setting.

    Attributes:
        session: Holds a session's token.
        verify: Holds its other token, good for forward-auth alone.
        half: Holds a half-login's token.
        form: Before a log-in: holds what form tokens are made from.
        device: Marks a browser that a user has logged in with.
        language: The language that was chosen.
        bounce: Where the browser was sent last.
    """

    def __init__(self, config: LoginConfig) -> None:
        """Take names and domain from *config*."""
        self._secure = not config.insecure
        self._port = config.host.rpartition(":")[2]
        self._domain = config.cookie_domain or None
        self.session: Final = self._name("session")
        self.verify: Final = self._name("verify", prefix="__Secure-")
        self.half: Final = self._name("login")
        self.form: Final = self._name("form")
        self.device: Final = self._name("device")
        self.language: Final = self._name("language")
        self.bounce: Final = self._name("bounce")

    def _name(self, what: str, *, prefix: str = "__Host-") -> str:
        return f"{prefix}mfa_{what}" if self._secure else f"mfa_{what}_{self._port}"

    def chosen_language(self, request: Request) -> Language:
        """Return the language to answer in: by the address, the cookie, or what the browser accepts."""
        asked = request.query_params.get("lang")
        wanted = asked if asked in LANGUAGES else request.cookies.get(self.language)
        return chosen(wanted, request.headers.get("accept-language", ""))

    def put(self, response: Response, name: str, value: str, *, seconds: int | None = None) -> None:
        """Set a cookie.

        Args:
            response: Where.
            name: One of the names.
            value: ASCII without what has a meaning in cookies.
            seconds: How long it is kept; ``None``: until the browser is closed.
        """
        response.set_cookie(
            name,
            value,
            max_age=seconds,
            domain=self._domain if name == self.verify else None,
            path="/",
            secure=self._secure,
            httponly=True,
            samesite="lax",
        )

    def drop(self, response: Response, *names: str) -> None:
        """Take cookies back."""
        for name in names:
            self.put(response, name, "", seconds=0)

    def log_in(self, response: Response, tokens: Tokens) -> None:
        """Give the browser a session's tokens, and take back what led there."""
        seconds = max(1, int(tokens.lasts.total_seconds())) if tokens.remembered else None
        self.put(response, self.session, tokens.session, seconds=seconds)
        if tokens.verify is not None:
            self.put(response, self.verify, tokens.verify, seconds=seconds)
        if tokens.device is not None:
            self.put(response, self.device, tokens.device, seconds=int(KNOWN_DEVICE.total_seconds()))
        self.drop(response, self.half, self.form)

    def log_out(self, response: Response) -> None:
        """Take back all that logs in; the browser stays known."""
        self.drop(response, self.session, self.half, self.form)
        if self._domain:
            self.drop(response, self.verify)
