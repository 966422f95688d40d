"""Where a browser may be sent after a log-in or log-out: to this service, or below the cookie domain.

What is not plainly such an address is refused, without trying to mend it: browsers read broken addresses each
in its own way (a backslash as a slash, a tab as nothing), and an address that we and the browser read
differently is how open redirects are made.
"""

from __future__ import annotations

import re
from typing import Final

LONGEST: Final = 2_048
"""Characters of an address."""

_LABEL: Final = r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
_TAIL: Final = r"(?:[/?#][!-\[\]-~]*)?"
"""Path, query and fragment: printable ASCII without space and backslash."""
_ABSOLUTE: Final = re.compile(
    rf"(?P<scheme>https?)://(?P<host>{_LABEL}(?:\.{_LABEL})*)(?P<port>:[0-9]{{1,5}})?(?P<tail>{_TAIL})",
    re.IGNORECASE | re.ASCII,
)
_LOCAL: Final = re.compile(r"/(?!/)[!-\[\]-~]*", re.ASCII)


def safe_target(rd: str, *, login_origin: str, cookie_domain: str, login_host: str) -> str | None:
    """Return *rd* where a browser may be sent there, ``None`` otherwise.

    Args:
        rd: An address, absolute or a path of this service.
        login_origin: This service's; where it is plain http (a demo), targets may be too.
        cookie_domain: Hosts below it, and itself, are ours; '' for none.
        login_host: This service's host, maybe with a port.
    """
    if len(rd) > LONGEST:
        return None
    if _LOCAL.fullmatch(rd):
        return rd
    found = _ABSOLUTE.fullmatch(rd)
    if found is None:
        return None
    scheme, host = found["scheme"].lower(), found["host"].lower()
    if scheme == "http" and not login_origin.startswith("http://"):
        return None
    return rd if is_ours(host, cookie_domain=cookie_domain, login_host=login_host) else None


def is_ours(host: str, *, cookie_domain: str, login_host: str) -> bool:
    """Whether *host*, in lower case and without a port, is this service's or below the cookie domain."""
    if host == login_host.partition(":")[0]:
        return True
    return bool(cookie_domain) and (host == cookie_domain or host.endswith(f".{cookie_domain}"))


def origin_of(url: str) -> str:
    """Return the origin (RFC 6454) of an absolute address that :func:`safe_target` gave; '' for a path."""
    found = _ABSOLUTE.fullmatch(url)
    if found is None:
        return ""
    return f"{found['scheme'].lower()}://{found['host'].lower()}{found['port'] or ''}"
