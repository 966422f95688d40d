"""Where a browser goes that is told an address: the host by the URL Standard (WHATWG), for http and https.

Written from the standard's state machine (section 4.4) and host parser (section 3.5), on its own side of
every doubt: where the standard refuses a host, this may return one, never another than a browser would use.
"""

from __future__ import annotations

import re
import unicodedata
from typing import Final
from urllib.parse import unquote

_EDGES: Final = "".join(map(chr, range(0x21)))
_DROPPED: Final = re.compile(r"[\t\n\r]")
_SCHEME: Final = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*):")
_DOTS: Final = re.compile("[\u3002\uff0e\uff61]")
_IGNORED: Final = re.compile("[\u00ad\u200b\u2060\ufeff]")


def destination(address: str, *, base_scheme: str, base_host: str) -> tuple[str, str] | None:
    """Return scheme and host that *address* leads to from a page of the base; ``None``: to no web page."""
    text = _DROPPED.sub("", address.strip(_EDGES))
    scheme, rest = base_scheme, text
    if found := _SCHEME.match(text):
        scheme, rest = found[1].lower(), text[found.end() :]
        if scheme not in {"http", "https"}:
            return None
        # "https:path" is relative where the base has that scheme; any other has an authority, slashes or not.
        if scheme == base_scheme and not re.match(r"[/\\]{2}", rest):
            return scheme, base_host
    elif not re.match(r"[/\\]{2}", rest):
        return scheme, base_host
    authority = re.split(r"[/\\?#]", rest.lstrip("/\\"), maxsplit=1)[0]
    host = authority.rpartition("@")[2]
    if not host.startswith("["):
        host = host.partition(":")[0]
    return scheme, _host(host)


def _host(text: str) -> str:
    mapped = unicodedata.normalize("NFKC", _IGNORED.sub("", unquote(text))).casefold()
    return _DOTS.sub(".", unicodedata.normalize("NFKC", mapped))
