"""Laws of the paths that access rules judge: one form for all spellings, and nothing hidden in it."""

from __future__ import annotations

from typing import Final
from urllib.parse import quote, unquote

from hypothesis import example, given
from hypothesis import strategies as st

from practicus_mfa.core.login.access import AccessRule, allowed, clean_path

PIECES: Final = st.sampled_from(
    [
        *(
            "/",
            "//",
            ".",
            "..",
            "...",
            "a",
            "admin",
            "x",
            ";",
            ";v=1",
            "?",
            "#",
            "\\",
            "%",
            " ",
            "\x00",
            "\u015f",
        ),
        *(
            "%2e",
            "%2E",
            "%2f",
            "%5C",
            "%25",
            "%3b",
            "%3f",
            "%00",
            "%0a",
            "%61",
            "%C5%9F",
            "%ff",
            "%c0%ae",
            "%252e",
        ),
    ]
)
TARGETS: Final = st.lists(PIECES | st.characters(), max_size=12).map(lambda pieces: "/" + "".join(pieces))
NAMES: Final = st.text(
    st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="/\\;%"), min_size=1, max_size=8
).filter(lambda name: name not in {".", ".."})


@given(TARGETS)
def test_a_clean_path_is_plain(raw: str) -> None:
    clean = clean_path(raw)
    if clean is None:
        return
    assert clean.startswith("/")
    assert not {"..", "."} & set(clean.split("/"))
    assert "//" not in clean
    assert not set(clean) & {"\\", ";", "\x00", "\r", "\n"}
    again = unquote(clean).split("/")
    assert len(again) == clean.count("/") + 1
    assert not {"..", "."} & set(again)
    assert clean_path(quote(clean)) == clean


@given(st.lists(NAMES, max_size=5), st.data())
@example([], None)
def test_all_spellings_of_a_path_are_one(names: list[str], data: st.DataObject | None) -> None:
    plain = "/" + "/".join(names)
    if data is None:
        assert clean_path("/") == "/"
        return
    spelled = ""
    for name in names:
        spelled += data.draw(st.sampled_from(["/", "//", "/./", "/%2e/", "/;p/"]))
        spelled += "".join(
            char if char.isascii() and char.isalnum() and data.draw(st.booleans()) else _coded(char)
            for char in name
        )
        spelled += data.draw(st.sampled_from(["", ";v=1", ";"])) if name.strip(".") else ""
    assert clean_path((spelled or "/") + data.draw(st.sampled_from(["", "?", "?a=/../b"]))) == plain


@given(st.lists(NAMES, min_size=1, max_size=4), st.lists(NAMES, max_size=3), st.booleans())
def test_no_spelling_of_what_is_below_a_refused_path_gets_in(
    names: list[str], below: list[str], capitals: bool
) -> None:
    top = "/" + "/".join(names)
    rules = (AccessRule(paths=(f"{top}/*",), deny=True), AccessRule())
    path = clean_path(quote("/".join([top, *below])))
    assert path is not None
    assert not allowed(rules, (), "app.example.com", path.swapcase() if capitals and path.isascii() else path)


RULES: Final = st.builds(
    AccessRule,
    hosts=st.sampled_from([(), ("a.example.com",), ("*.example.com",)]),
    paths=st.sampled_from([(), ("/x/*",), ("/y",)]),
    groups=st.sampled_from([(), ("ops",), ("ops", "dev")]),
    deny=st.booleans(),
)


@given(
    st.lists(RULES, max_size=4),
    st.sets(st.sampled_from(["ops", "dev"])),
    st.sampled_from(["a.example.com", "b.example.com", "example.com"]),
    st.sampled_from(["/", "/x", "/x/z", "/y"]),
)
def test_who_is_let_in_was_let_in_by_a_rule(
    rules: list[AccessRule], groups: set[str], host: str, path: str
) -> None:
    let_in = allowed(rules, groups, host, path)
    if rules and let_in:
        assert any(not rule.deny and allowed((rule,), groups, host, path) for rule in rules)
    assert not allowed([*rules, AccessRule(deny=True)], groups, host, path) or (let_in and rules)
    assert not allowed([AccessRule(deny=True), *rules], groups, host, path)


def _coded(char: str) -> str:
    return "".join(f"%{byte:02X}" for byte in char.encode())
