"""Values with a mistake are refused before anything is changed, and no key is ever quoted."""

from __future__ import annotations

from base64 import b64encode, urlsafe_b64encode
from pathlib import Path
from typing import Final

import pytest

from practicus_mfa.core.parse.faults import InvalidConfiguration
from practicus_mfa.core.parse.spec import policy_from_spec
from practicus_mfa.core.parse.values import read_values
from practicus_mfa.crypto.keys import MalformedKeyError, generate_key, parse_key
from practicus_mfa.documents import parse_yaml
from practicus_mfa.errors import UsageError
from practicus_mfa.storage.addresses import parse_url
from tests.support.chart import ACTIVE, CHART, ROLLING, SEED, Helm, HelmError, of_kind

KEY: Final = generate_key().text
BAD: Final = [
    paragraph.splitlines()[0].replace("KEY", KEY)
    for paragraph in (Path(__file__).parents[1] / "unit" / "core" / "data" / "bad_values.txt")
    .read_text("utf-8")
    .split("\n\n")
    if not paragraph.startswith("#")
]

MALFORMED: Final = {
    "white space around": f" {KEY}\n",
    "white space alone": "  ",
    "quotes": f'"{KEY}"',
    "typographic quotes": f"“{KEY}”",
    "back quotes": f"`{KEY}`",
    "white space inside": f"{KEY[:20]} {KEY[20:]}",
    "no-break space inside": f"{KEY[:20]}\u00a0{KEY[20:]}",
    "not of the alphabet": f"{KEY[:7]}!{KEY[8:]}",
    "not ASCII": f"{KEY[:7]}ä{KEY[8:]}",
    "both alphabets": "-" + "A" * 20 + "+" + "A" * 21 + "=",
    "= in the middle": "A" * 20 + "=" + "A" * 23,
    "end missing": KEY[:-1],
    "not canonical": KEY[:-2] + {"A": "B"}.get(KEY[-2], chr(ord(KEY[-2]) + 1)) + "=",
    "twice": b64encode(KEY.encode()).decode(),
    "twice, url-safe, with a line end": urlsafe_b64encode(f"{KEY}\n".encode()).decode(),
    "too short": b64encode(b"short").decode(),
    "too long": b64encode(bytes(33)).decode(),
    "empty of bytes": "====",
}

URLS: Final = [
    "hunter2",
    "://hunter2",
    "postgresql:/u:hunter2@h/d",
    "mysql://u:hunter2@h/d",
    "postgresql://u:hunter2@h",
    "postgresql://u:hunter2@h/",
    "postgresql://u:hunter2@h:five/d",
    "postgresql+asyncpg://u:hunter2@h/d",
    "postgresql://u:p@hunter2@h/d",
    "postgresql://u:p@hunter2@h:5432/d?sslmode=require",
    "postgresql://u:p@x/hunter2@h/d",
    "sqlite://",
    "sqlite:///:memory:",
]

GOOD_URLS: Final = [
    "postgresql://u:p@h/d",
    "postgres://u:p@h:5432/d",
    "postgresql+psycopg://h/d",
    "postgresql:///d?host=/run/postgresql",
    "postgresql://u@h/d@d",
    "postgresql://u:p@h/d?options=-cx%3Da@b",
    "postgresql://u:p%2F%3A@[::1]:5432/d?sslmode=verify-full",
    " postgresql://u:p@h/d ",
    "sqlite:////data/mfa.db",
]


@pytest.mark.parametrize("text", BAD, ids=lambda text: text.replace(KEY, "KEY"))
def test_what_the_product_refuses_helm_refuses_or_the_cluster_would(helm3: Helm, text: str) -> None:
    with pytest.raises(InvalidConfiguration):
        read_values(parse_yaml(text, "test"))
    try:
        objects = helm3.render(SEED, text)
    except HelmError as error:
        told = str(error)
        assert (KEY in told or "hunter2" in told) is False
        return
    with pytest.raises(InvalidConfiguration):
        policy_from_spec(of_kind(objects, "MfaPolicy")["spec"])


@pytest.mark.parametrize("field", ["activeKey", "rollingKey"])
@pytest.mark.parametrize("slip", MALFORMED)
def test_a_malformed_key_is_told_as_the_command_line_tells_it(helm3: Helm, slip: str, field: str) -> None:
    text = MALFORMED[slip]
    with pytest.raises(MalformedKeyError) as caught:
        parse_key(text, name=f"secretStore.{field}")
    told = helm3.refusal(SEED, {"secretStore": {field: text}})
    assert f"{caught.value.message}. " in told
    assert (text.strip() and text.strip() in told) in {"", False}
    assert "practicus-mfa keys generate" in told


def test_helm_of_the_next_version_says_the_same(helm: Helm) -> None:
    told = helm.refusal({"secretStore": {"activeKey": f"'{KEY}'", "rollingKey": KEY[:-1]}})
    assert "secretStore.activeKey has quotes around it." in told
    assert "secretStore.rollingKey is not base64: it has 43 characters, not a multiple of 4" in told


@pytest.mark.parametrize("values", [{}, {"secretStore": {"activeKey": None}}, {"secretStore": None}])
def test_mfa_needs_a_key_and_helm_says_how_to_make_one(helm: Helm, values: object) -> None:
    told = helm.refusal(values)
    assert "secretStore.activeKey is empty: make a key with `practicus-mfa keys generate`" in told


@pytest.mark.parametrize(
    ("values", "told"),
    [
        ({}, "secretStore.activeKey is empty: make a key with `practicus-mfa keys generate`"),
        ({"secretStore": {"activeKey": KEY[:-1]}}, "secretStore.activeKey is not base64"),
        (SEED | {"database": {"url": "postgresql://u:hunter2@h"}}, "database.url can't be used"),
    ],
    ids=["nothing", "a key", "a URL"],
)
def test_lint_fails_with_the_same_words(helm: Helm, values: object, told: str) -> None:
    # Helm goes on after a template's `fail` when it lints.
    with pytest.raises(HelmError) as caught:
        helm.run("lint", str(CHART), values=(values,))
    # That, and not what it logs on the way.
    (found,) = (line for line in str(caught.value).splitlines() if "no template" in line)
    assert told in found
    assert (KEY[:-1] in str(caught.value) or "hunter2" in str(caught.value)) is False


def test_a_rolling_key_alone_is_not_enough(helm3: Helm) -> None:
    told = helm3.refusal({"secretStore": {"rollingKey": ROLLING}})
    assert "secretStore.activeKey is empty, rollingKey is not" in told


def test_two_right_keys_are_the_operator_s_to_judge(helm3: Helm) -> None:
    assert helm3.render({"secretStore": {"activeKey": ACTIVE, "rollingKey": ACTIVE}})


@pytest.mark.parametrize("url", URLS)
def test_what_is_no_database_s_url_is_refused_unquoted(helm3: Helm, url: str) -> None:
    with pytest.raises(UsageError):
        parse_url(url)
    told = helm3.refusal(SEED, {"database": {"url": url}})
    assert "database.url can't be used: " in told
    assert "hunter2" not in told


@pytest.mark.parametrize("url", GOOD_URLS)
def test_a_database_s_url_is_accepted(helm3: Helm, url: str) -> None:
    parse_url(url)
    assert helm3.render(SEED, {"database": {"url": url}})


@pytest.mark.parametrize(
    ("values", "told"),
    [
        ("userLogin: {mfa: {mandatry: true}}", "'mandatry' not allowed"),
        (
            "secretStore: {activKey: x}",
            "secretStore.activKey: unknown; known here: activeKey, existingSecret",
        ),
        (f"secretStore: {{activeKey:{KEY}}}", "secretStore.(not shown): unknown"),
        ("database: {ulr: x}", "database.ulr: unknown; known here: embedded, existingSecret"),
        (
            "database: {login: {existingSecret:postgresql://u:hunter2@h/d}}",
            "database.login.(not shown): unknown; known here: existingSecret",
        ),
        ("database: {login: {url: postgresql://u:hunter2@h/d}}", "database.login.url: unknown"),
        ("database: {embedded: {enable: true}}", "database.embedded.enable: unknown"),
        (
            "metrics: {prometheusRule: {runbookUrl: https//u:hunter2@wiki.example.com}}",
            "metrics.prometheusRule.runbookUrl: not an address; write it whole, for example https://",
        ),
        ("operator: {watchNamespaces: [other]}", "login is not among them"),
        ("migration: {allowReverse: x}", "migration.allowReverse: not a key ID"),
        (
            "migration: {tables: [{table: a, idColumn: i, tokenColumns: [t], readyForKeyID: x}]}",
            "migration.tables[0].readyForKeyID: not a key ID",
        ),
    ],
)
def test_a_mistake_is_named_with_its_place(helm3: Helm, values: str, told: str) -> None:
    refusal = helm3.refusal(SEED, values)
    assert told in refusal
    assert (KEY in refusal or "hunter2" in refusal) is False


def test_all_faults_of_keys_and_database_are_told_at_once(helm3: Helm) -> None:
    told = helm3.refusal({"secretStore": {"rollingKey": "x"}, "database": {"url": "y"}})
    assert [line.partition(" ")[0] for line in told.splitlines()[1:4]] == [
        "secretStore.activeKey",
        "secretStore.rollingKey",
        "database.url",
    ]
