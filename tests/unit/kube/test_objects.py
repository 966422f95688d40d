from __future__ import annotations

import pytest

from practicus_mfa.kube.objects import JOBS, NAMESPACES, POLICIES, SECRETS, Kind


@pytest.mark.parametrize(
    ("kind", "namespace", "name", "sub", "path"),
    [
        (SECRETS, "auth", "keys", "", "/api/v1/namespaces/auth/secrets/keys"),
        (SECRETS, None, "", "", "/api/v1/secrets"),
        (JOBS, "auth", "", "", "/apis/batch/v1/namespaces/auth/jobs"),
        (NAMESPACES, None, "auth", "", "/api/v1/namespaces/auth"),
        (
            POLICIES,
            "auth",
            "main",
            "status",
            "/apis/mfa.practicus.ai/v1/namespaces/auth/mfapolicies/main/status",
        ),
        (SECRETS, "..", "a/../b?c", "", "/api/v1/namespaces/../secrets/a%2F..%2Fb%3Fc"),
    ],
)
def test_objects_stand_where_the_api_server_keeps_them(
    kind: Kind, namespace: str | None, name: str, sub: str, path: str
) -> None:
    assert kind.path(namespace, name, sub) == path
