"""The languages of the pages: English in the code, others from .po files, read when they are first wanted.

No compiled catalogue is shipped, so none can be older than its text.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from gettext import GNUTranslations, NullTranslations
from importlib.resources import files
from io import BytesIO
from typing import Final

from babel import Locale
from babel.dates import format_date, format_time
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from babel.numbers import format_decimal

DEFAULT: Final = "en"
LANGUAGES: Final[Mapping[str, str]] = {"en": "English", "tr": "Türkçe"}
"""The languages by their codes, each in its own words."""

_LOCALES: Final = {"en": "en_GB"}
"""How a language writes numbers and dates: in English the day first, and 24 hours, as most readers do."""

DOMAIN: Final = "login"
_NO_BREAK: Final = "\N{NO-BREAK SPACE}"
_MOST_ASKED: Final = 20


@dataclass(frozen=True, slots=True)
class Language:
    """A language: its code, how numbers and dates look, and its texts."""

    code: str
    locale: Locale
    gettext: Callable[[str], str]
    ngettext: Callable[[str, str, int], str]

    def number(self, value: int) -> str:
        """Return a number, its thousands marked."""
        return format_decimal(value, locale=self.locale)

    def moment(self, at: datetime, *, seconds: bool = False) -> str:
        """Return a point in time; in UTC, since without a script nobody tells us where the reader is.

        A line may end between date and time, and within neither.
        """
        time = format_time(at, "medium" if seconds else "short", tzinfo=UTC, locale=self.locale)
        date = format_date(at.astimezone(UTC), locale=self.locale)
        return f"{date.replace(' ', _NO_BREAK)} {time.replace(' ', _NO_BREAK)}{_NO_BREAK}UTC"


@cache
def languages() -> Mapping[str, Language]:
    """Return all languages by their codes."""
    return {code: _language(code) for code in LANGUAGES}


def _language(code: str) -> Language:
    texts = NullTranslations() if code == DEFAULT else _texts(code)
    return Language(code, Locale.parse(_LOCALES.get(code, code)), texts.gettext, texts.ngettext)


def _texts(code: str) -> NullTranslations:
    source = files("practicus_mfa.web") / "locale" / code / "LC_MESSAGES" / f"{DOMAIN}.po"
    catalogue, compiled = read_po(BytesIO(source.read_bytes()), locale=code), BytesIO()
    write_mo(compiled, catalogue)
    compiled.seek(0)
    return GNUTranslations(compiled)


def chosen(wanted: str | None, accepted: str) -> Language:
    """Return the language for a page.

    Args:
        wanted: The code that was chosen, ``None`` for none.
        accepted: The header Accept-Language (RFC 9110, section 12.5.4).
    """
    known = languages()
    if wanted is not None and wanted in known:
        return known[wanted]
    asked = sorted(_accepted(accepted), key=lambda entry: -entry[0])
    codes = (code.partition("-")[0].lower() for quality, code in asked if quality > 0)
    return next((known[code] for code in codes if code in known), known[DEFAULT])


def _accepted(header: str) -> list[tuple[float, str]]:
    found = []
    for entry in header.split(",")[:_MOST_ASKED]:
        code, _, parameter = entry.strip().partition(";")
        try:
            found.append((float(parameter.strip().removeprefix("q=")) if parameter else 1.0, code.strip()))
        except ValueError:
            continue
    return found
