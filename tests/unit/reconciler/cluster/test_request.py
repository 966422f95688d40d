"""What a cluster's objects ask for, and the words where one of them can't be used."""

from __future__ import annotations

from base64 import b64encode
from typing import Any

import pytest

from practicus_mfa.core.observed import Claim
from practicus_mfa.core.policy import DatabaseRef
from practicus_mfa.errors import UsageError
from practicus_mfa.reconciler.cluster.request import database_url_from, request_from, spec_of
from practicus_mfa.reconciler.ports import Request, SecretTexts

IDENTITY = Claim(cluster="c", namespace="here", policy="mfa", owner="me", epoch=0)
URL = "postgresql://mfa:hunter2@db/mfa"
REF = DatabaseRef("db", "uri")


def policy(
    *, metadata: dict[str, object] | None = None, spec: object = None, status: object = None
) -> dict[str, Any]:
    return {
        "metadata": {"name": "mfa", "namespace": "here", "generation": 4, **(metadata or {})},
        "spec": spec or {"mfa": {"mandatory": True}},
        "status": status,
    }


def requested(
    found: dict[str, Any],
    named: dict[str, Any] | None,
    identity: Claim,
    status: dict[str, Any] | None = None,
) -> Request:
    return request_from(found, spec_of(found), named, identity, status)


def secret(name: str, **data: str) -> dict[str, Any]:
    encoded = {entry: b64encode(text.encode()).decode() for entry, text in data.items()}
    return {"kind": "Secret", "metadata": {"name": name, "namespace": "here"}, "data": encoded}


def test_a_policy_and_its_secret_are_a_request() -> None:
    status = {"rotation": {"migrated": 5}, "conditions": []}
    request = requested(policy(status=status), secret("s", activeKey="new", rollingKey="old"), IDENTITY)
    assert request.generation == 4
    assert request.policy.mfa.mandatory
    assert request.secret == SecretTexts(active="new", rolling="old")
    assert request.identity is IDENTITY
    assert request.status == status
    assert not request.adopt


def test_a_secret_that_does_not_exist_is_not_an_empty_one() -> None:
    assert requested(policy(), None, IDENTITY).secret is None
    assert requested(policy(), secret("s"), IDENTITY).secret == SecretTexts("", "")


def test_a_newer_status_wins_over_the_object_s() -> None:
    request = requested(policy(status={"keyringGeneration": 1}), None, IDENTITY, {"keyringGeneration": 2})
    assert request.status == {"keyringGeneration": 2}


def test_a_damaged_status_is_none() -> None:
    assert requested(policy(status={"rotation": {"migrated": "5"}}), None, IDENTITY).status == {}
    assert requested(policy(status=[]), None, IDENTITY).status == {}


@pytest.mark.parametrize(("value", "adopt"), [("true", True), ("True", True), ("false", False), ("", False)])
def test_the_annotation_that_takes_a_database_over(value: str, adopt: bool) -> None:
    annotated = policy(metadata={"annotations": {"mfa.practicus.ai/adopt": value}})
    assert requested(annotated, None, IDENTITY).adopt is adopt


def test_a_spec_that_is_not_valid_names_the_policy() -> None:
    with pytest.raises(UsageError) as caught:
        requested(policy(spec={"mfa": {"mandatry": True}}), None, IDENTITY)
    assert caught.value.message == "MfaPolicy here/mfa: spec.mfa.mandatry: unknown; did you mean mandatory?"
    assert caught.value.remedy == "correct MfaPolicy here/mfa and try again; nothing was changed"


def test_a_policy_whose_changes_nobody_counts() -> None:
    with pytest.raises(UsageError, match="MfaPolicy here/mfa has no metadata"):
        requested(policy(metadata={"generation": None}), None, IDENTITY)


def test_a_secret_that_is_no_text_is_named_and_not_quoted() -> None:
    broken = {**secret("s"), "data": {"activeKey": "//79"}}
    with pytest.raises(UsageError, match=r"Secret here/s: data\.activeKey: not text in base64") as caught:
        requested(policy(), broken, IDENTITY)
    assert "//79" not in str(caught.value)


def test_the_database_s_url() -> None:
    assert database_url_from(secret("db", uri=f"{URL}\n"), REF, namespace="here") == URL


@pytest.mark.parametrize(
    ("found", "ref", "message"),
    [
        (None, None, "the MfaPolicy names no database"),
        (None, REF, "Secret here/db, which is to hold the database's URL, does not exist"),
        (secret("db", url=URL), REF, "Secret here/db holds no database URL in the entry uri"),
        (secret("db", uri=" \n"), REF, "Secret here/db holds no database URL in the entry uri"),
        (
            {**secret("db"), "data": {"uri": URL}},
            REF,
            (
                "Secret here/db: data.uri: not text in base64; "
                "encode it with base64, once, or write it below stringData as it is"
            ),
        ),
    ],
)
def test_no_url(found: dict[str, Any] | None, ref: DatabaseRef | None, message: str) -> None:
    with pytest.raises(UsageError) as caught:
        database_url_from(found, ref, namespace="here")
    assert caught.value.message == message
    assert caught.value.remedy
    assert "hunter2" not in f"{caught.value} {caught.value.remedy}"
