"""Brings the catalogues of the login pages up to date: ``make messages``.

Messages come from the code and the templates. New ones are added without a translation, which a test then
asks for; those that nothing says any more go. Dates and line numbers are left out: a catalogue changes only
when its messages do.
"""

from __future__ import annotations

from io import BytesIO
from pathlib import Path
from typing import Final

from babel.messages.catalog import Catalog
from babel.messages.extract import extract_from_dir
from babel.messages.pofile import read_po, write_po

WEB: Final = Path(__file__).resolve().parent.parent / "operator" / "practicus_mfa" / "web"

KEYWORDS: Final = {"_": None, "gettext": None, "say": None, "ngettext": (1, 2)}
"""What is called with a message; for ``ngettext`` with one and its plural."""


def messages() -> Catalog:
    """Return all messages of the pages, without translations."""
    found = extract_from_dir(
        WEB,
        method_map=[("templates/**.html", "jinja2"), ("**.py", "python")],
        # "silent" would leave out a template that can't be read.
        options_map={"templates/**.html": {"extensions": "jinja2.ext.i18n", "silent": "false"}},
        keywords=KEYWORDS,
        comment_tags=("Translators:",),
        strip_comment_tags=True,
    )
    catalogue = Catalog()
    # By name: a folder's order is another one on every machine.
    for file, line, message, comments, context in sorted(found, key=lambda entry: (entry[0], entry[1])):
        catalogue.add(message, locations=[(file, line)], auto_comments=comments, context=context)
    return catalogue


def up_to_date(file: Path) -> str:
    """Return what *file*, a catalogue, should hold: all messages, with the translations that it has."""
    text = file.read_text(encoding="utf-8")
    head = text.partition("\n\n")[0].strip()
    catalogue = read_po(BytesIO(text.encode()), locale=file.parent.parent.name)
    catalogue.update(messages(), no_fuzzy_matching=True)
    written = BytesIO()
    write_po(written, catalogue, width=100, omit_header=True, ignore_obsolete=True, include_lineno=False)
    return f"{head}\n\n{written.getvalue().decode().strip()}\n"


def catalogues() -> list[Path]:
    """Return all catalogues."""
    return sorted((WEB / "locale").glob("*/LC_MESSAGES/*.po"))


def main() -> None:
    """Bring them up to date, and tell what is left to a translator."""
    for file in catalogues():
        file.write_text(up_to_date(file), encoding="utf-8")
        catalogue = read_po(BytesIO(file.read_bytes()))
        missing = sum(not all(texts_of(message.string)) for message in catalogue if message.id)
        print(f"{file.parent.parent.name}: {missing} of {len(catalogue)} messages are not translated")


def texts_of(text: object) -> tuple[str, ...]:
    """Return a message's forms: one, or singular and plural."""
    return tuple(text) if isinstance(text, list | tuple) else (str(text or ""),)


if __name__ == "__main__":
    main()
