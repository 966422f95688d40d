"""Who may enter which application."""

from __future__ import annotations

from typing import Final

import pytest

from practicus_mfa.core.login.access import AccessRule, allowed, clean_path

OPS: Final = {"ops"}
NOBODY: Final[set[str]] = set()


@pytest.mark.parametrize(
    ("raw", "clean"),
    [
        ("/", "/"),
        ("/?a=/../..", "/"),
        ("/a/b", "/a/b"),
        ("/a/b/", "/a/b/"),
        ("//a///b//", "/a/b/"),
        ("/./a/./b/.", "/a/b/"),
        ("/...", "/..."),
        ("/%61dmin", "/admin"),
        ("/a%20b", "/a b"),
        ("/%C5%9F%C3%BCkr%C3%BC", "/\u015f\u00fckr\u00fc"),
        ("/100%25", "/100%"),
        ("/admin;v=1/x", "/admin/x"),
        ("/admin%3Bv=1/x", "/admin/x"),
        ("/;/admin", "/admin"),
    ],
)
def test_the_path_that_rules_judge(raw: str, clean: str) -> None:
    assert clean_path(raw) == clean


@pytest.mark.parametrize(
    "raw",
    [
        "",
        "a",
        "*",
        "http://app.example.com/",
        "?/",
        "/..",
        "/a/../b",
        "/a/b/..",
        "/a/%2e%2E/b",
        "/a/..",
        "/a//../b",
        "/a/../../b",
        "/%2e%2e/",
        "/a%2fb",
        "/a%2Fb",
        "/a%5cb",
        "/a\\b",
        "/a%00",
        "/a\x00",
        "/a%0d%0aSet-Cookie",
        "/a%7f",
        "/a%C2%85",
        "/a b",
        "/a\u015f",
        "/a\ud800",
        "/a#/../b",
        "/a%",
        "/a%4",
        "/a%zz",
        "/a%u0041",
        "/%ff",
        "/%c0%af",
        "/%ed%a0%80",
        "/%252f",
        "/%252e%252e/",
        "/%255c",
        "/%2525",
        "/%2561dmin",
        "/%2500",
        "/%253b",
        "/a/..;/b",
        "/a/..;x=1/b",
        "/a/.;/b",
        "/a/%2e%2e%3b/b",
    ],
)
def test_a_path_that_servers_read_differently_is_refused(raw: str) -> None:
    assert clean_path(raw) is None


def test_without_a_rule_everybody_may_enter() -> None:
    assert allowed((), NOBODY, "app.example.com", "/")


def test_where_there_is_a_rule_who_fits_none_stays_out() -> None:
    rules = (AccessRule(groups=("ops",)),)
    assert allowed(rules, OPS, "app.example.com", "/")
    assert not allowed(rules, {"op", "OPS"}, "app.example.com", "/")
    assert not allowed(rules, NOBODY, "app.example.com", "/")


def test_the_first_rule_that_fits_decides() -> None:
    let_in, keep_out = AccessRule(paths=("/x/*",)), AccessRule(deny=True)
    assert allowed((let_in, keep_out), NOBODY, "app.example.com", "/x/y")
    assert not allowed((let_in, keep_out), NOBODY, "app.example.com", "/y")
    assert not allowed((keep_out, let_in), NOBODY, "app.example.com", "/x/y")


def test_a_rule_fits_where_all_that_it_names_does() -> None:
    rule = AccessRule(hosts=("a.example.com", "b.example.com"), paths=("/x", "/y"), groups=("ops", "dev"))
    assert allowed((rule,), {"dev"}, "b.example.com", "/y")
    assert not allowed((rule,), {"dev"}, "b.example.com", "/z")
    assert not allowed((rule,), {"dev"}, "c.example.com", "/y")
    assert not allowed((rule,), {"web"}, "b.example.com", "/y")


@pytest.mark.parametrize(
    ("pattern", "host", "fits"),
    [
        ("a.example.com", "a.example.com", True),
        ("a.example.com", "b.a.example.com", False),
        ("*.example.com", "a.example.com", True),
        ("*.example.com", "b.a.example.com", True),
        ("*.example.com", "example.com", False),
        ("*.example.com", "evilexample.com", False),
    ],
)
def test_hosts(pattern: str, host: str, *, fits: bool) -> None:
    assert allowed((AccessRule(hosts=(pattern,)),), NOBODY, host, "/") is fits


@pytest.mark.parametrize(
    ("pattern", "path", "fits"),
    [
        ("/", "/", True),
        ("/", "/a", False),
        ("/*", "/", True),
        ("/*", "/a/b", True),
        ("/a", "/a", True),
        ("/a", "/a/", True),
        ("/a/", "/a", True),
        ("/a", "/a/b", False),
        ("/a", "/ab", False),
        ("/a/*", "/a", True),
        ("/a/*", "/a/", True),
        ("/a/*", "/a/b/c", True),
        ("/a/*", "/ab", False),
        ("/a/*", "/", False),
    ],
)
def test_paths(pattern: str, path: str, *, fits: bool) -> None:
    assert allowed((AccessRule(paths=(pattern,)),), NOBODY, "app.example.com", path) is fits
    refusing = (AccessRule(paths=(pattern,), deny=True), AccessRule())
    assert allowed(refusing, NOBODY, "app.example.com", path) is not fits


def test_only_a_rule_that_refuses_overlooks_capitals() -> None:
    assert not allowed((AccessRule(paths=("/admin/*",)),), NOBODY, "app.example.com", "/Admin/x")
    refusing = (AccessRule(paths=("/Admin/*", "/top"), deny=True), AccessRule())
    assert not allowed(refusing, NOBODY, "app.example.com", "/aDMIN/x")
    assert not allowed(refusing, NOBODY, "app.example.com", "/TOP")
