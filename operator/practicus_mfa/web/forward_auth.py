"""Forward-auth: a proxy asks about each request to an application, and is told who it is, or to refuse it.

It stands before the framework and answers from memory (:mod:`practicus_mfa.login.session_cache`); nothing is
written on this path. Three proxies want three kinds of answer, so each has a path of its own
(:mod:`.original_request`), and only peers in ``login.trustedProxies`` are answered at all: anybody else could
ask in whatever words it likes, and learn whose cookie it holds.

In this order: a peer that isn't trusted, an address that can't be judged and a host that no cookie of ours
reaches are refused (403); without a session that is worth something the browser is sent to log in (401, or a
redirect where the proxy hands one through); then ``login.access`` decides. A session from which the policy
wants a factor counts as none: a page says what is missing, not a refusal.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Awaitable, Callable, Iterator, MutableMapping
from typing import Any, Final
from urllib.parse import quote

from practicus_mfa.clock import Steady, steady_seconds
from practicus_mfa.core.login.config import LoginConfig
from practicus_mfa.core.login.redirect import is_ours, safe_target
from practicus_mfa.core.login.session import Valid
from practicus_mfa.crypto.opaque import token_hash
from practicus_mfa.errors import MfaError
from practicus_mfa.login.session_cache import CachedSession, SessionCache
from practicus_mfa.web.cookies import Cookies
from practicus_mfa.web.original_request import (
    Original,
    Proxy,
    original_request,
    proxy_of,
    wants_page,
)
from practicus_mfa.web.path_rules import PathRules
from practicus_mfa.web.proxy_answers import Answer, Message, let_in, refused, text
from practicus_mfa.web.trusted_peers import TrustedPeers

log = logging.getLogger(__name__)

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

RETRY_SECONDS: Final = 5
"""What is told to whoever asked while the database is away."""

_MOST_COOKIES: Final = 4
"""Cookies of our names in one request that are looked at; a browser sends two at most."""


class ForwardAuth:
    """The outermost application: answers proxies, and hands everything else to the one within."""

    def __init__(
        self,
        app: App,
        cache: SessionCache,
        config: LoginConfig,
        *,
        observe: Callable[[float], None],
        unavailable: Callable[[], None],
        steady: Steady = steady_seconds,
    ) -> None:
        """Answer for *cache*.

        Args:
            app: What answers everything else.
            cache: The sessions.
            config: Whom to trust, which hosts are ours, who may go where.
            observe: Is told of the seconds of each answer.
            unavailable: Is told of each question whose session can't be looked up.
            steady: Seconds that only go forward.
        """
        self._app = app
        self._cache = cache
        self._config = config
        self._observe, self._tell_unavailable = observe, unavailable
        self._steady = steady
        self._paths = PathRules(config.access)
        self._peers = TrustedPeers(config.trusted_proxies, steady)
        cookies = Cookies(config)
        self._session_cookie, verify_cookie = cookies.session.encode(), cookies.verify.encode()
        # Only what has the form of a token; the database needn't be asked about anything else.
        names = b"|".join(re.escape(name) for name in (self._session_cookie, verify_cookie))
        self._tokens = re.compile(rb"(?:^|;)[ \t]*(" + names + rb")=([A-Za-z0-9_-]{43})(?=[ \t]*(?:;|$))")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http" or (proxy := proxy_of(scope["raw_path"])) is None:
            await self._app(scope, receive, send)
            return
        began = self._steady()
        start, body = await self._answer(proxy, scope)
        await send(start)
        await send(body)
        self._observe(self._steady() - began)

    async def _answer(self, proxy: Proxy, scope: Scope) -> Answer:
        if not self._peers.trusts(scope["client"]):
            return refused("Only proxies in login.trustedProxies may ask here.")
        config, original = self._config, original_request(proxy, scope)
        if original is None:
            return refused("The proxy does not say in the documented way which page was asked for.")
        if not is_ours(original.host, cookie_domain=config.cookie_domain, login_host=config.host):
            return refused(self._not_ours(original.host))
        path = self._paths.clean(original.target.partition("?")[0])
        if path is None:
            return refused("This address has a path that can't be judged, so it is refused.")
        try:
            cached = await self._session(original.cookies)
        except MfaError as error:
            log.debug("forward-auth can't answer: %s", error)
            self._tell_unavailable()
            return self._unavailable(proxy, original, scope)
        if cached is None:
            return self._logged_out(proxy, original, scope)
        if not self._paths.allowed(cached.account.groups, original.host, path):
            return refused(f"You are logged in, and may not go to this page of {original.host}.")
        return let_in(cached)

    async def _session(self, cookies: bytes) -> CachedSession | None:
        """Return the session of a request's cookies if it is worth something.

        Raises:
            MfaError: None was found to be, and one could not be looked up.
        """
        failure: MfaError | None = None
        for name, token in self._candidates(cookies):
            key = token_hash(token.decode("ascii"))
            try:
                cached = self._cache.fresh(key) or await self._cache.get(key)
            except MfaError as error:
                failure = error
                continue
            # Each of the two tokens of a session is good in its own cookie alone.
            if cached is None or cached.for_verify is (name == self._session_cookie):
                continue
            if isinstance(cached.verdict, Valid):
                return cached
        if failure is not None:
            raise failure
        return None

    def _candidates(self, cookies: bytes) -> Iterator[tuple[bytes, bytes]]:
        # Another application of the domain may have set a cookie of the same name beside ours.
        for number, match in enumerate(self._tokens.finditer(cookies)):
            if number == _MOST_COOKIES:
                return
            yield match[1], match[2]

    def _not_ours(self, host: str) -> str:
        here, domain = self._config.hostname, self._config.cookie_domain
        if domain:
            return (
                f"{host} is not below {domain}, so log-ins at {here} can't reach it: see login.cookieDomain."
            )
        return f"Log-ins at {here} count there alone, not at {host}: see login.cookieDomain."

    def _login_url(self, original: Original) -> str:
        config = self._config
        scheme, usual = ("http", ":80") if config.insecure else ("https", ":443")
        port = "" if original.port == usual else original.port
        wanted = f"{scheme}://{original.host}{port}{original.target}"
        target = safe_target(
            wanted,
            login_origin=config.origin,
            cookie_domain=config.cookie_domain,
            login_host=config.host,
        )
        return f"{config.origin}/login" + (f"?rd={quote(target, safe='')}" if target else "")

    def _logged_out(self, proxy: Proxy, original: Original, scope: Scope) -> Answer:
        if not wants_page(scope["headers"]):
            return text(401, "You are not logged in.")
        url = self._login_url(original).encode("ascii")
        if proxy is Proxy.NGINX:
            return text(401, "You are not logged in.", (b"x-login-url", url))
        status = 302 if original.method in {"GET", "HEAD"} else 303
        return text(status, "You are not logged in.", (b"location", url))

    def _unavailable(self, proxy: Proxy, original: Original, scope: Scope) -> Answer:
        if proxy is Proxy.NGINX:
            # It makes an error 500 of anything else; the page to log in says what is the matter.
            return self._logged_out(proxy, original, scope)
        retry = (b"retry-after", b"%d" % RETRY_SECONDS)
        return text(503, "Log-ins can't be checked at the moment. Try again in a few seconds.", retry)
