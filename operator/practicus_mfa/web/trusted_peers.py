"""Which proxies may ask forward-auth, and the line in the log about who may not."""

from __future__ import annotations

import logging
from ipaddress import IPv4Network, IPv6Network
from typing import Final

from practicus_mfa.clock import Steady
from practicus_mfa.core.login.address import trusts

log = logging.getLogger(__name__)

TOLD_AGAIN_SECONDS: Final = 60.0
"""Between two lines in the log."""

_MOST_PEERS: Final = 1_000


class TrustedPeers:
    """Who may ask; what was found of an address is remembered."""

    def __init__(self, trusted: tuple[IPv4Network | IPv6Network, ...], steady: Steady) -> None:
        """Trust peers in these networks.

        Args:
            trusted: ``login.trustedProxies``.
            steady: Seconds that only go forward.
        """
        self._networks = trusted
        self._steady = steady
        self._known: dict[str, bool] = {}
        self._told_at: float | None = None

    def trusts(self, client: tuple[str, int] | None) -> bool:
        """Tell whether a connection's other end may ask; one that may not is named in the log."""
        peer = "" if client is None else client[0]
        trusted = self._known.get(peer)
        if trusted is None:
            if len(self._known) >= _MOST_PEERS:
                self._known.clear()
            trusted = self._known[peer] = trusts(peer, self._networks)
        if not trusted:
            self._tell(peer)
        return trusted

    def _tell(self, peer: str) -> None:
        now = self._steady()
        if self._told_at is None or now - self._told_at >= TOLD_AGAIN_SECONDS:
            self._told_at = now
            log.warning("forward-auth was asked by %s, which is not in login.trustedProxies: refused", peer)
