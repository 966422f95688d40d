"""Laws of redirects: however an address is written, a browser that is sent there stays with us."""

from __future__ import annotations

from typing import Final

from hypothesis import event, example, given
from hypothesis import strategies as st

from practicus_mfa.core.login.redirect import is_ours, origin_of, safe_target
from tests.support.browser_url import destination

HOST: Final = "login.example.com"
DOMAIN: Final = "example.com"

PIECES: Final = st.sampled_from(
    [
        *(
            "https:",
            "http:",
            "HTTPS:",
            "javascript:",
            "data:",
            "",
            "//",
            "/",
            "\\",
            "/\\",
            "///",
            ":",
            "@",
            ".",
        ),
        *(
            "login.example.com",
            "app.example.com",
            "example.com",
            ".example.com",
            "evil.com",
            "evilexample.com",
        ),
        *(
            "[::1]",
            "127.0.0.1",
            "0x7f.1",
            "2130706433",
            ":443",
            ":8443",
            ":99999",
            ":0",
            "user:word@",
            "a@b@",
        ),
        *("\t", "\n", "\r", " ", "\x00", "\x1f", "\x7f", "\u00a0", "\u2028", "\ufeff", "\u00ad", "\u200b"),
        *("%2f", "%2F", "%5c", "%2e", "%40", "%00", "%09", "%25", "%23", "?", "#", ";", "&", "|", "^", "<"),
        *(
            "\uff0e",
            "\u3002",
            "\uff61",
            "\uff0f",
            "\u2215",
            "\u2100",
            "\u212a",
            "\u017f",
            "\ud800",
            "xn--a",
            "_",
        ),
        *("path", "..", "./", "rd=", "*"),
    ]
)
PARTS: Final = st.lists(PIECES | st.characters(), max_size=9).map("".join)
OURS: Final = st.sampled_from(
    ["https://app.example.com:8443/x?y#z", "https://login.example.com", "http://example.com/", "/x?y#z"]
)


@st.composite
def slips(draw: st.DrawFn) -> str:
    """An address of ours with up to two pieces put in, or in the place of something, anywhere."""
    address = draw(OURS)
    for _ in range(draw(st.integers(0, 2))):
        at = draw(st.integers(0, len(address)))
        end = at + draw(st.integers(0, 4))
        address = address[:at] + draw(PIECES | st.characters()) + address[end:]
    return address


@given(PARTS | slips() | slips(), st.sampled_from(["https", "http"]), st.sampled_from([DOMAIN, ""]))
@example("https:evil.com", "https", DOMAIN)
@example("https:evil.com", "http", DOMAIN)
@example("/\\evil.com", "https", DOMAIN)
@example("/\t/evil.com", "https", DOMAIN)
@example("https://app.example.com\\@evil.com", "https", DOMAIN)
@example("https://evil.com\uff0f.example.com", "https", DOMAIN)
@example("https://app\uff0eexample\uff0ecom@evil.com", "https", DOMAIN)
def test_no_address_leads_away_from_the_cookie_domain(rd: str, scheme: str, domain: str) -> None:
    target = safe_target(rd, login_origin=f"{scheme}://{HOST}", cookie_domain=domain, login_host=HOST)
    event("let through" if target else "refused")
    if target is None:
        return
    # A header can carry it as it is.
    assert target.isascii()
    assert target.isprintable()
    # The browser's base may be any page of ours, over any scheme that there is.
    for base in ("https", "http"):
        going = destination(target, base_scheme=base, base_host=HOST)
        assert going is not None
        to_scheme, to_host = going
        assert is_ours(to_host, cookie_domain=domain, login_host=HOST)
        assert to_scheme == "https" or scheme == "http" or target.startswith("/")
        if origin := origin_of(target):
            assert origin.split(":")[:2] == [to_scheme, f"//{to_host}"]


LABELS: Final = st.from_regex(r"[a-z0-9]([a-z0-9-]{0,20}[a-z0-9])?", fullmatch=True)
TAILS: Final = st.from_regex(r"([/?#][!-\[\]-~]{0,40})?", fullmatch=True)


@given(st.lists(LABELS, max_size=4), st.none() | st.integers(1, 65_535), TAILS)
def test_every_plain_address_below_the_cookie_domain_is_let_through(
    labels: list[str], port: int | None, tail: str
) -> None:
    rd = f"https://{'.'.join([*labels, DOMAIN])}{f':{port}' if port else ''}{tail}"
    assert safe_target(rd, login_origin=f"https://{HOST}", cookie_domain=DOMAIN, login_host=HOST) == rd
