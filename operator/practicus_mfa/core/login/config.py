"""How the login service is reached and what it is called: ``login`` of values.yaml, as one frozen value."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from practicus_mfa.core.login.access import AccessRule
from practicus_mfa.core.login.address import IPNetwork
from practicus_mfa.core.policy import SettingsPage

OUTAGE_GRACE: Final = 30
"""Seconds."""

LOOPBACK: Final = frozenset({"127.0.0.1", "localhost"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Branding:
    """What people read.

    Attributes:
        title: On every page.
        issuer: What an authenticator app calls the account.
        logo_url: A picture; '' for none.
        help_text: For who has lost the device; '' for our own words.
        help_url: Where to find help; '' for nowhere.
    """

    title: str = "Practicus AI"
    issuer: str = "Practicus AI"
    logo_url: str = ""
    help_text: str = ""
    help_url: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class LoginConfig:
    """How the service is reached.

    Attributes:
        host: Its host as browsers know it, in lower case, with a port where that is not the usual one.
        cookie_domain: Applications below it know who is logged in; '' for this host alone.
        trusted_proxies: Whose headers are believed.
        access: Who may enter which application.
        outage_grace_seconds: How long sessions that are known are good while the database is away.
        branding: What people read.
        settings_page: What administrators may change on it.
    """

    host: str
    cookie_domain: str = ""
    trusted_proxies: tuple[IPNetwork, ...] = ()
    access: tuple[AccessRule, ...] = ()
    outage_grace_seconds: int = OUTAGE_GRACE
    branding: Branding = field(default_factory=Branding)
    settings_page: SettingsPage = SettingsPage.EDIT

    @property
    def hostname(self) -> str:
        """The host without its port."""
        return self.host.partition(":")[0]

    @property
    def insecure(self) -> bool:
        """Whether it is reached over plain http: on the loopback address alone, for trying out."""
        return self.hostname in LOOPBACK

    @property
    def origin(self) -> str:
        """Scheme and host, for example ``https://login.example.com`` (RFC 6454)."""
        return f"{'http' if self.insecure else 'https'}://{self.host}"
