"""The documentation site: every document has its page, no warning, and no page asks another host."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Final

import pytest

from tools import diagrams, docs_site

ROOT: Final = Path(__file__).parents[3]

LOADED: Final = {
    "img": "src",
    "script": "src",
    "link": "href",
    "iframe": "src",
    "source": "src",
    "form": "action",
}
"""What a browser fetches by itself, and where it is named."""


class _Page(HTMLParser):
    """What a page loads, and what it lets itself load."""

    def __init__(self, page: Path) -> None:
        super().__init__()
        self.loads: list[str] = []
        self.policy: str | None = None
        self.feed(page.read_text("utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        told = dict(attrs)
        if tag in LOADED and (address := told.get(LOADED[tag])):
            self.loads.append(address)
        if tag == "meta" and told.get("http-equiv") == "Content-Security-Policy":
            assert not self.loads, "what stands above the policy is not bound by it"
            self.policy = told.get("content")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """All pages, built without a warning."""
    build = tmp_path_factory.mktemp("build")
    assert docs_site.main(build) == 0
    return build / "site"


def test_every_document_has_a_page_that_can_be_chosen(site: Path) -> None:
    places = [docs_site.place_of(document) for document in (ROOT / "docs").rglob("*.md")]
    pages = [place.with_suffix(".html") for place in places if place is not None]
    assert len(pages) == len(places)
    for page in pages:
        name = page.with_name("index.html") if page.name == "README.html" else page
        assert (site / name).is_file()


def test_no_page_asks_another_host_and_browsers_are_told_so(site: Path) -> None:
    pages = {path.relative_to(site): _Page(path) for path in site.rglob("*.html")}
    assert len(pages) > 40
    for path, page in pages.items():
        assert [address for address in page.loads if re.match(r"(\w+:)?//", address)] == [], path
        assert page.policy is not None, path
        assert "default-src 'self'" in page.policy
        assert "//" not in page.policy
    for style in site.rglob("*.css"):
        assert re.search(r"(@import|url\()\s*[\"']?(\w+:)?//", style.read_text("utf-8")) is None, style


def test_links_to_what_has_no_page_are_told_as_words(site: Path) -> None:
    architecture = (site / "architecture.html").read_text("utf-8")
    assert "core/rules/" in architecture
    assert "operator/practicus_mfa" not in re.sub(r"<code>.*?</code>", "", architecture)
    assert 'href="project/SECURITY.html#a-token-that-is-moved-to-another-row"' in architecture


COMMONMARK: Final = """\
Steps:
1. First:

   ```yaml
   - a: 1
     b: 2
   ```

2. Second
   - below
     goes on

End"""

PYTHON_MARKDOWN: Final = """\
Steps:

1. First:

    ```yaml
    - a: 1
      b: 2
    ```

2. Second
    - below
        goes on

End"""


def test_a_list_is_read_as_commonmark_reads_it() -> None:
    assert docs_site.lists(COMMONMARK) == PYTHON_MARKDOWN


def test_what_looks_like_a_list_in_a_fence_is_left_alone() -> None:
    written = "```yaml\n- table: a\n  column: b\n    - c\n```\n\nEnd"
    assert docs_site.lists(written) == written


def test_every_diagram_has_its_picture_and_a_title_and_no_picture_is_left_over() -> None:
    wanted = diagrams.diagrams()
    assert all(diagram.title for diagram in wanted.values())
    assert diagrams.drawn() == wanted.keys(), "make diagrams"


def test_a_link_that_leads_nowhere_ends_the_build(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    written = docs_site.page

    def broken(source: Path) -> str:
        text = written(source)
        return f"{text}\n[more](#nowhere)\n" if source == ROOT / "docs" / "README.md" else text

    monkeypatch.setattr(docs_site, "page", broken)
    assert docs_site.main(tmp_path) != 0
    assert "#nowhere" in capsys.readouterr().err
