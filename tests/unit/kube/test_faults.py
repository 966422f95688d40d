from __future__ import annotations

import json

import pytest

from practicus_mfa.errors import MfaError, RetryableError, UnreachableError, UsageError
from practicus_mfa.kube.faults import (
    BusyApiError,
    Call,
    ConflictError,
    ExpiredError,
    ForbiddenError,
    RejectedError,
    UnauthenticatedError,
    UnknownKindError,
    of_answer,
)
from practicus_mfa.kube.objects import JOBS, POLICIES, SECRETS, Kind

FERNET = "ImFuIGV4YW1wbGUga2V5IG9mIDMyIGJ5dGVzISEhISE="


def refused(
    code: int, kind: Kind = JOBS, verb: str = "get", namespace: str | None = "auth", **status: object
) -> MfaError:
    call = Call(verb=verb, kind=kind, namespace=namespace, name="one")
    return of_answer(call, code, json.dumps({"kind": "Status", **status}).encode(), {})


@pytest.mark.parametrize(
    ("code", "type_", "family"),
    [
        (400, RejectedError, UsageError),
        (401, UnauthenticatedError, UnreachableError),
        (403, ForbiddenError, UsageError),
        (404, UnknownKindError, UsageError),
        (405, RejectedError, UsageError),
        (408, BusyApiError, UnreachableError),
        (409, ConflictError, RetryableError),
        (410, ExpiredError, RetryableError),
        (415, RejectedError, UsageError),
        (422, RejectedError, UsageError),
        (429, BusyApiError, UnreachableError),
        (500, BusyApiError, UnreachableError),
        (504, BusyApiError, UnreachableError),
    ],
)
def test_the_type_says_whether_trying_again_helps(code: int, type_: type, family: type) -> None:
    error = refused(code)
    assert type(error) is type_
    assert isinstance(error, family)
    assert error.remedy


def test_a_value_that_a_kind_can_t_hold_is_no_trouble_of_the_server_s() -> None:
    call = Call(verb="patch", kind=JOBS, namespace="auth", name="main")
    said = "failed to convert new object (auth/main; batch/v1, Kind=Job): quantities must match"
    error = of_answer(call, 500, json.dumps({"message": said}).encode(), {})
    assert type(error) is RejectedError
    assert error.message == f"The API server rejected the Job main in the namespace auth: HTTP 500: {said}."


def test_a_missing_right_is_named_as_a_role_names_it() -> None:
    call = Call(verb="update", kind=POLICIES, namespace="auth", name="main", sub="status")
    said = 'mfapolicies.mfa.practicus.ai "main" is forbidden: User "operator" cannot update it.'
    error = of_answer(call, 403, json.dumps({"message": said}).encode(), {})
    assert error.message == (
        f"The API server forbids it to update the MfaPolicy main in the namespace auth: {said}"
    )
    assert error.remedy == (
        'Allow the verb "update" on mfapolicies/status of mfa.practicus.ai in a Role of the namespace auth; '
        "where the right is there, a policy of the cluster forbids it."
    )


def test_a_right_on_everything_is_named_so() -> None:
    error = of_answer(Call(verb="list", kind=SECRETS, namespace=None), 403, b"", {})
    assert error.message == "The API server forbids it to list secrets of all namespaces."
    assert "on secrets in a Role, for the whole cluster" in error.remedy


def test_what_is_invalid_is_quoted() -> None:
    error = refused(422, verb="create", message='Job.batch "one" is invalid: spec.template: Required value')
    assert error.message == (
        "The API server rejected the Job one in the namespace auth: HTTP 422: "
        'Job.batch "one" is invalid: spec.template: Required value.'
    )


@pytest.mark.parametrize("code", [400, 403, 422, 500])
def test_a_secrets_value_is_never_quoted_but_its_fields_are(code: int) -> None:
    cause = {
        "field": "data[activeKey]",
        "message": 'Invalid value: "c2VjcmV0"',
        "reason": "FieldValueInvalid",
    }
    error = refused(
        code,
        kind=SECRETS,
        verb="patch",
        message='Secret "one" is invalid: data[activeKey]: Invalid value: "c2VjcmV0"',
        details={"causes": [cause, {"field": "c2VjcmV0 c2VjcmV0"}, "c2VjcmV0"]},
    )
    assert "c2VjcmV0" not in f"{error.message} {error.remedy}"
    assert "data[activeKey]" in error.message


def test_a_key_in_another_objects_message_is_washed_and_long_messages_are_cut() -> None:
    error = refused(422, message=f"spec.env: {FERNET} " + "x" * 1000)
    assert FERNET not in error.message
    assert "spec.env: ***" in error.message
    assert len(error.message) < 800


@pytest.mark.parametrize(
    ("header", "seconds"),
    [("3", 3.0), ("0", 0.0), ("86400", 60.0), ("-1", None), ("soon", None), (None, None)],
)
def test_the_pause_that_a_server_asks_for_is_kept(header: str | None, seconds: float | None) -> None:
    call = Call(verb="list", kind=JOBS, namespace=None)
    error = of_answer(call, 429, b"", {"Retry-After": header} if header else {})
    assert isinstance(error, BusyApiError)
    assert error.retry_after == seconds


def test_a_missing_namespace_is_no_missing_object() -> None:
    error = refused(404, verb="create", details={"name": "auth", "kind": "namespaces"})
    assert isinstance(error, RejectedError)
    assert error.message == "The namespace auth does not exist."


@pytest.mark.parametrize(
    ("kind", "remedy"),
    [
        (POLICIES, "Install the custom resource definitions of this release."),
        (JOBS, "Use a Kubernetes that serves it."),
    ],
)
def test_an_unknown_kind_says_where_it_comes_from(kind: Kind, remedy: str) -> None:
    assert refused(404, kind=kind).remedy == remedy


@pytest.mark.parametrize("body", [b"", b"no JSON", b"[]", b'{"details": []}', b'{"message": null}'])
def test_an_answer_without_a_status_is_understood_by_its_code(body: bytes) -> None:
    error = of_answer(Call(verb="get", kind=JOBS, namespace="auth", name="one"), 422, body, {})
    assert error.message == "The API server rejected the Job one in the namespace auth: HTTP 422."
