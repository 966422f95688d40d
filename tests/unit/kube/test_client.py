from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import pytest
from kubernetes.client import ApiClient, Configuration

from practicus_mfa.errors import UnreachableError, UsageError
from practicus_mfa.kube.client import Cluster
from practicus_mfa.kube.faults import (
    BusyApiError,
    ConflictError,
    ExpiredError,
    RejectedError,
    UnauthenticatedError,
    UnknownKindError,
)
from practicus_mfa.kube.objects import JOBS, PODS, POLICIES, SECRETS
from tests.support.scripted_api import unused_port
from tests.support.waiting import until

if TYPE_CHECKING:
    from tests.support.scripted_api import ScriptedApi

POLICY = {"metadata": {"name": "main", "namespace": "auth", "resourceVersion": "7"}}
GONE = {"reason": "NotFound", "details": {"name": "main", "kind": "mfapolicies"}}


def test_a_list_goes_through_all_pages(api: ScriptedApi, scripted: Cluster) -> None:
    api.answer({"metadata": {"continue": "next=1"}, "items": [{"metadata": {"name": "one"}}]})
    api.answer({"metadata": {}, "items": [{"metadata": {"name": "two"}}]})
    found = scripted.list(JOBS, "auth", labels={"a/b": "c", "d": "e"})
    assert [(job["kind"], job["apiVersion"], job["metadata"]["name"]) for job in found] == [
        ("Job", "batch/v1", "one"),
        ("Job", "batch/v1", "two"),
    ]
    first, second = api.asked
    assert (first.method, first.path) == ("GET", "/apis/batch/v1/namespaces/auth/jobs")
    assert first.params == {"labelSelector": "a/b=c,d=e", "limit": "500"}
    assert second.params == {**first.params, "continue": "next=1"}


def test_a_list_whose_pages_expired_is_read_anew_and_in_one(api: ScriptedApi, scripted: Cluster) -> None:
    api.answer({"metadata": {"continue": "next"}, "items": [{"metadata": {"name": "one"}}]})
    api.refuse(410, reason="Expired")
    api.answer({"metadata": {}, "items": [{"metadata": {"name": "one"}}, {"metadata": {"name": "two"}}]})
    assert [job["metadata"]["name"] for job in scripted.list(JOBS, None)] == ["one", "two"]
    assert api.asked[-1].params == {}
    assert api.asked[-1].path == "/apis/batch/v1/jobs"


def test_apply_forces_its_fields_under_the_operators_name(api: ScriptedApi, scripted: Cluster) -> None:
    api.answer({"applied": True})
    assert scripted.apply(POLICIES, "auth", POLICY) == {"applied": True}
    (asked,) = api.asked
    assert (asked.method, asked.path) == (
        "PATCH",
        "/apis/mfa.practicus.ai/v1/namespaces/auth/mfapolicies/main",
    )
    assert asked.params == {"fieldManager": "practicus-mfa-operator", "force": "true"}
    assert asked.headers["Content-Type"] == "application/apply-patch+yaml"
    assert asked.headers["authorization"] == "Bearer token-of-mine"
    assert asked.body == POLICY


def test_the_status_is_replaced_below_the_object(api: ScriptedApi, scripted: Cluster) -> None:
    api.answer(POLICY)
    scripted.replace_status(POLICIES, POLICY)
    (asked,) = api.asked
    assert asked.method == "PUT"
    assert asked.path == "/apis/mfa.practicus.ai/v1/namespaces/auth/mfapolicies/main/status"
    assert asked.body == POLICY


def test_a_merge_is_no_strategic_merge(api: ScriptedApi, scripted: Cluster) -> None:
    api.answer({})
    assert scripted.merge(PODS, "auth", "main", {"metadata": {"annotations": {"a": None}}}) == {}
    (asked,) = api.asked
    assert asked.headers["Content-Type"] == "application/merge-patch+json"
    assert asked.body == {"metadata": {"annotations": {"a": None}}}


def test_what_is_gone_is_none_where_a_name_was_asked_for(api: ScriptedApi, scripted: Cluster) -> None:
    for _ in range(3):
        api.refuse(404, **GONE)
    assert scripted.get(POLICIES, "auth", "main") is None
    assert scripted.merge(POLICIES, "auth", "main", {}) is None
    scripted.delete(POLICIES, "auth", "main")
    assert api.asked[-1].params == {"propagationPolicy": "Background"}


def test_what_is_gone_is_a_conflict_where_it_is_to_be_replaced(api: ScriptedApi, scripted: Cluster) -> None:
    api.refuse(404, **GONE)
    with pytest.raises(ConflictError, match="The MfaPolicy main in the namespace auth is gone"):
        scripted.replace(POLICIES, POLICY)


def test_an_unknown_kind_is_never_an_absent_object(api: ScriptedApi, scripted: Cluster) -> None:
    api.answer("404 page not found\n", 404)
    with pytest.raises(UnknownKindError, match=r"does not know mfapolicies of mfa\.practicus\.ai"):
        scripted.get(POLICIES, "auth", "main")


def test_a_failure_is_not_tried_again_here(api: ScriptedApi, scripted: Cluster) -> None:
    api.answer({}, 503, headers={"Retry-After": "7"})
    with pytest.raises(
        BusyApiError, match="could not get the Job one in the namespace auth: HTTP 503"
    ) as raised:
        scripted.get(JOBS, "auth", "one")
    assert raised.value.retry_after == 7
    assert len(api.asked) == 1


def test_a_busy_server_is_told_from_a_dead_one(api: ScriptedApi, scripted: Cluster) -> None:
    api.refuse(429, message="too many requests")
    with pytest.raises(BusyApiError, match="HTTP 429: too many requests"):
        scripted.list(JOBS, None)


def test_an_expired_list_without_pages_is_an_error(api: ScriptedApi, scripted: Cluster) -> None:
    api.refuse(410)
    api.refuse(410)
    with pytest.raises(ExpiredError):
        scripted.list(JOBS, None)


def test_silence_is_unreachable(api: ScriptedApi) -> None:
    api.answer(silent=True)
    impatient = Cluster(ApiClient(Configuration(host=api.url)), read_seconds=0.5)
    with pytest.raises(UnreachableError, match=r"127\.0\.0\.1:\d+ did not answer in time"):
        impatient.get(JOBS, "auth", "one")
    until(lambda: len(api.asked) > 0, "the request")
    assert len(api.asked) == 1
    impatient.forget_idle()


def test_a_closed_connection_is_unreachable(api: ScriptedApi, scripted: Cluster) -> None:
    api.answer()
    with pytest.raises(UnreachableError, match="can't be reached"):
        scripted.create(JOBS, "auth", {"metadata": {"name": "one"}})
    assert len(api.asked) == 1


def test_half_an_answer_is_unreachable(api: ScriptedApi, scripted: Cluster) -> None:
    api.answer({"kind": "Job"}, missing=10)
    with pytest.raises(UnreachableError, match="can't be reached"):
        scripted.get(JOBS, "auth", "one")


def test_nobody_there_is_unreachable() -> None:
    cluster = Cluster(ApiClient(Configuration(host=f"http://127.0.0.1:{unused_port()}")))
    with pytest.raises(UnreachableError, match="can't be reached"):
        cluster.get(JOBS, "auth", "one")


def test_no_name_is_unreachable() -> None:
    cluster = Cluster(ApiClient(Configuration(host="http://nowhere.invalid")))
    with pytest.raises(
        UnreachableError, match=r"name of the API server nowhere\.invalid could not be resolved"
    ):
        cluster.get(JOBS, "auth", "one")


def test_a_server_that_speaks_no_tls_is_unreachable(api: ScriptedApi) -> None:
    cluster = Cluster(ApiClient(Configuration(host=api.url.replace("http:", "https:"))))
    with pytest.raises(UnreachableError, match=r"could not prove who it is \(TLS\)"):
        cluster.get(JOBS, "auth", "one")


@pytest.mark.parametrize("page", ["<html>Log in to the Wi-Fi</html>", "[]"])
def test_something_else_than_an_api_server_is_unreachable(
    api: ScriptedApi, scripted: Cluster, page: str
) -> None:
    api.answer(page)
    with pytest.raises(UnreachableError, match="is no API server"):
        scripted.get(JOBS, "auth", "one")


def test_credentials_go_to_no_other_server(api: ScriptedApi, scripted: Cluster) -> None:
    api.answer({}, 302, headers={"Location": f"{api.url}/elsewhere"})
    with pytest.raises(RejectedError, match="HTTP 302"):
        scripted.get(JOBS, "auth", "one")
    assert len(api.asked) == 1


def test_refused_credentials_may_be_accepted_later(api: ScriptedApi, scripted: Cluster) -> None:
    api.refuse(401, message="Unauthorized")
    with pytest.raises(UnauthenticatedError, match="does not accept the credentials") as raised:
        scripted.get(JOBS, "auth", "one")
    assert isinstance(raised.value, UnreachableError)


def test_a_tokens_last_line_end_is_not_part_of_it(api: ScriptedApi) -> None:
    configuration = Configuration(host=api.url)
    configuration.api_key["BearerToken"] = "Bearer token-of-mine\n"
    cluster = Cluster(ApiClient(configuration))
    api.answer({})
    cluster.get(JOBS, "auth", "one")
    assert api.asked[0].headers["authorization"] == "Bearer token-of-mine"
    cluster.forget_idle()


def test_a_token_that_can_not_be_sent_is_not_shown(api: ScriptedApi) -> None:
    configuration = Configuration(host=api.url)
    configuration.api_key["BearerToken"] = "Bearer token-\nof-mine"
    with pytest.raises(UsageError) as raised:
        Cluster(ApiClient(configuration)).get(JOBS, "auth", "one")
    assert "of-mine" not in f"{raised.value!r} {raised.value.__cause__!r} {raised.value.remedy}"
    assert not api.asked


def test_a_secrets_body_reaches_no_log(
    api: ScriptedApi, scripted: Cluster, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    secret = {"metadata": {"name": "main"}, "data": {"activeKey": "dmFsdWU="}}
    api.answer(secret)
    api.answer(secret)
    api.answer({"metadata": {}, "items": [secret]})
    scripted.get(SECRETS, "auth", "main")
    scripted.apply(SECRETS, "auth", secret)
    scripted.list(SECRETS, "auth")
    assert "/secrets" in caplog.text
    assert "dmFsdWU" not in caplog.text
    assert "token-of-mine" not in caplog.text
