"""An address that a server listens on, as a configuration writes it: ``ADDRESS:PORT``."""

from __future__ import annotations

from typing import Final

from practicus_mfa.core.parse.reader import Section

_MOST_PORT: Final = 65_535


def network_address(section: Section, name: str, default: str) -> tuple[str, int]:
    """Return host and port; an IPv6 address stands in brackets, no host means every address.

    Args:
        section: Where it stands.
        name: Its name there.
        default: What it is where it is not given.
    """
    text = section.text(name, default) or default
    host, _, port = text.rpartition(":")
    bare = host.removeprefix("[").removesuffix("]")
    number = int(port) if port.isascii() and port.isdecimal() and len(port) <= len(str(_MOST_PORT)) else -1
    bracketed = host == f"[{bare}]"
    if ":" not in text or not 0 <= number <= _MOST_PORT or (":" in bare and not bracketed):
        remedy = f"write ADDRESS:PORT, for example {default}, or [::]:{default.rpartition(':')[2]} for IPv6"
        section.fault(name, "not an address and a port", remedy)
        return network_address(Section({}, "", []), name, default)
    return bare or "0.0.0.0", number  # noqa: S104 - who names no host means them all
