"""The languages of the pages: every message in each of them, and which one a visitor gets."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest
from babel.messages.pofile import read_po

from practicus_mfa.web.translations import LANGUAGES, chosen, languages
from tools import messages

if TYPE_CHECKING:
    from babel.messages.catalog import Message

OTHERS: Final = sorted(set(LANGUAGES) - {"en"})
TEMPLATES: Final = sorted((messages.WEB / "templates").rglob("*.html"))

PLACEHOLDER: Final = re.compile(r"%(?!%)(?:\([a-z_]+\)[a-z]|.?)")


def file_of(language: str) -> Path:
    return messages.WEB / "locale" / language / "LC_MESSAGES" / "login.po"


def read(language: str) -> list[Message]:
    catalogue = read_po(BytesIO(file_of(language).read_bytes()), locale=language)
    return [message for message in catalogue if message.id]


def placeholders(text: str) -> list[str]:
    return sorted(PLACEHOLDER.findall(text))


def test_there_is_a_catalogue_for_each_language_that_is_offered() -> None:
    assert messages.catalogues() == [file_of(language) for language in OTHERS]
    assert sorted(languages()) == sorted(LANGUAGES)


@pytest.mark.parametrize("language", OTHERS)
def test_a_catalogue_holds_what_code_and_templates_say_and_nothing_else(language: str) -> None:
    file = file_of(language)
    assert file.read_text(encoding="utf-8") == messages.up_to_date(file), "run `make messages`, and translate"


def test_messages_come_from_code_and_templates_with_their_plurals() -> None:
    found = {message.id for message in messages.messages() if message.id}
    assert {"There is no such page", "Stay logged in?", "The password is wrong."} <= found
    assert ("%(num)d log-in failed", "%(num)d log-ins failed") in found


@pytest.mark.parametrize("language", OTHERS)
def test_every_message_is_translated(language: str) -> None:
    def is_missing(message: Message) -> bool:
        return message.fuzzy or not all(messages.texts_of(message.string))

    assert [message.id for message in read(language) if is_missing(message)] == []


@pytest.mark.parametrize("language", OTHERS)
def test_a_translation_has_the_placeholders_of_its_message(language: str) -> None:
    for message in read(language):
        ours, theirs = messages.texts_of(message.id), messages.texts_of(message.string)
        assert len(ours) == len(theirs), message.id
        for one, other in zip(ours, theirs, strict=True):
            assert placeholders(one) == placeholders(other), message.id


@pytest.mark.parametrize("language", OTHERS)
def test_a_translation_ends_like_its_message(language: str) -> None:
    def end(text: str) -> str:
        return text[-1] if text[-1] in ".:?!" else ""

    for message in read(language):
        if message.id == "Is it you?":  # a title: other languages ask otherwise
            continue
        ends = [end(text) for text in messages.texts_of(message.id)]
        assert [end(text) for text in messages.texts_of(message.string)] == ends, message.id


@pytest.mark.parametrize("language", OTHERS)
def test_no_message_holds_what_means_something_in_html(language: str) -> None:
    # Templates put messages into pages as they are, into attributes too.
    for message in read(language):
        for text in (*messages.texts_of(message.id), *messages.texts_of(message.string)):
            assert not set(text) & set('<>&"'), text


@pytest.mark.parametrize("template", TEMPLATES, ids=lambda file: f"{file.parent.name}-{file.stem}")
def test_a_template_says_nothing_that_could_not_be_translated(template: Path) -> None:
    # Expressions go before tags: attributes hold some with quotes and ">" of their own. "width" is a class,
    # and commands are typed in no language.
    code = (
        r"\{% block width %\}\w+\{% endblock %\}|\{#.*?#\}|\{%.*?%\}|\{\{.*?\}\}"
        r"|<code>(?:kubectl|practicus-mfa) [^<]*</code>"
    )
    text = re.sub(code, "", template.read_text(encoding="utf-8"), flags=re.DOTALL)
    said = re.findall(r'\s(?:aria-label|title|alt|placeholder)="([^"]*)"', text)
    assert re.findall(r"[^\W\d_]+", re.sub(r"<[^>]*>", " ", text) + " ".join(said)) == []


@pytest.mark.parametrize(("number", "what"), [(0, "onlar"), (1, "onun"), (2, "onlar")])
def test_turkish_has_a_singular_and_a_plural(number: int, what: str) -> None:
    one = "You have %(num)d recovery code left. New codes replace it."
    many = "You have %(num)d recovery codes left. New codes replace them."
    text = languages()["tr"].ngettext(one, many, number) % {"num": number}
    assert text.startswith(f"{number} kurtarma kodunuz")
    assert f"Yeni kodlar {what}" in text


def test_a_moment_is_written_as_the_language_does_and_says_its_zone() -> None:
    at = datetime(2026, 6, 1, 12, 30, tzinfo=UTC)
    assert languages()["tr"].moment(at).split() == ["1", "Haz", "2026", "12:30", "UTC"]
    # A line ends between date and time alone.
    assert languages()["en"].moment(at).split(" ") == ["1\xa0Jun\xa02026", "12:30\xa0UTC"]


@pytest.mark.parametrize(
    ("wanted", "accepted", "code"),
    [
        (None, "", "en"),
        (None, "tr", "tr"),
        (None, "tr-TR,tr;q=0.9,en;q=0.8", "tr"),
        (None, "TR-tr", "tr"),
        (None, "de, tr;q=0.5, en;q=0.4", "tr"),
        (None, "en;q=0.4, tr;q=0.5", "tr"),
        (None, "de,fr", "en"),
        (None, "tr;q=0", "en"),
        (None, "tr;q=0, en", "en"),
        (None, "tr;q=much", "en"),
        (None, "*", "en"),
        (None, ";;,=,;q=,tr\x00", "en"),
        (None, ", " * 30 + "tr", "en"),
        ("en", "tr", "en"),
        ("tr", "en", "tr"),
        ("xx", "tr", "tr"),
        ("", "tr", "tr"),
        ("../tr", "en", "en"),
    ],
)
def test_a_visitor_gets_what_was_chosen_else_what_the_browser_asks_for(
    wanted: str | None, accepted: str, code: str
) -> None:
    assert chosen(wanted, accepted).code == code
