"""How pods of the login service run, and how they are reached."""

from __future__ import annotations

from typing import Final

import pytest

from practicus_mfa.kube.children import login_labels
from practicus_mfa.web.serve import PATIENCE
from tests.chart.test_login import LEAST, NAME, deployment, login, spec, template
from tests.support.chart import NAMESPACE, Helm, Tree, of_kind

EXPOSED: Final = {
    "host": "Login.example.com:8443",
    "cookieDomain": "example.com",
    "trustedProxies": ["10.0.0.0/8"],
}


def labels(objects: list[Tree]) -> Tree:
    found: Tree = template(objects)["metadata"]["labels"]
    return found


def test_its_pod_is_restricted_and_has_no_token(helm3: Helm) -> None:
    # Pod Security Standards, "Restricted".
    objects = helm3.render(LEAST)
    pod = spec(objects)
    (container,) = pod["containers"]
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert pod["automountServiceAccountToken"] is False
    account = of_kind(objects, "ServiceAccount", pod["serviceAccountName"])
    assert account["automountServiceAccountToken"] is False
    # No right is bound to it either.
    for tree in objects:
        assert NAME not in [subject["name"] for subject in tree.get("subjects") or ()]


def test_the_operator_finds_its_pods(helm3: Helm) -> None:
    found = labels(helm3.render(LEAST))
    assert login_labels("practicus-mfa").items() <= found.items()


def test_everything_that_chooses_its_pods_means_them_and_no_others(helm3: Helm) -> None:
    objects = helm3.render(*login({"autoscaling": {"enabled": True}}))
    chosen = [
        deployment(objects)["spec"]["selector"]["matchLabels"],
        of_kind(objects, "Service", NAME)["spec"]["selector"],
        of_kind(objects, "PodDisruptionBudget")["spec"]["selector"]["matchLabels"],
        *(
            constraint["labelSelector"]["matchLabels"]
            for constraint in spec(objects)["topologySpreadConstraints"]
        ),
    ]
    operator = of_kind(objects, "Deployment", "practicus-mfa-operator")["spec"]["template"]
    for selector in chosen:
        assert selector.items() <= labels(objects).items()
        assert not selector.items() <= operator["metadata"]["labels"].items()


def test_its_pod_is_asked_on_the_port_of_the_requests(helm3: Helm) -> None:
    (container,) = spec(helm3.render(LEAST))["containers"]
    assert container["args"] == ["login", "--config", "/etc/practicus-mfa/login.yaml"]
    for probe, path in (("startup", "/healthz"), ("liveness", "/healthz"), ("readiness", "/readyz")):
        assert container[f"{probe}Probe"]["httpGet"] == {"path": path, "port": "http"}
    assert {port["name"]: port["containerPort"] for port in container["ports"]} == {
        "http": 8080,
        "metrics": 9465,
    }
    variable = next(entry for entry in container["env"] if entry["name"] == "POD_NAME")
    assert variable["valueFrom"]["fieldRef"]["fieldPath"] == "metadata.name"


def test_requests_under_way_have_the_time_that_the_program_gives_them(helm3: Helm) -> None:
    pod = spec(helm3.render(LEAST))
    pause = pod["containers"][0]["lifecycle"]["preStop"]["sleep"]["seconds"]
    assert pod["terminationGracePeriodSeconds"] > pause + PATIENCE


def test_no_pod_goes_before_the_next_one_is_ready(helm3: Helm) -> None:
    found = deployment(helm3.render(LEAST))["spec"]
    assert found["strategy"]["rollingUpdate"] == {"maxUnavailable": 0, "maxSurge": 1}
    assert found["replicas"] == 2


def test_where_pods_come_and_go_by_load_their_number_is_not_said(helm: Helm) -> None:
    scaling = {"enabled": True, "minReplicas": 3, "maxReplicas": 9, "targetCPUUtilizationPercentage": 50}
    objects = helm.render(*login({"autoscaling": scaling}))
    assert "replicas" not in deployment(objects)["spec"]
    scaler = of_kind(objects, "HorizontalPodAutoscaler")["spec"]
    assert scaler["scaleTargetRef"] == {"apiVersion": "apps/v1", "kind": "Deployment", "name": NAME}
    assert (scaler["minReplicas"], scaler["maxReplicas"]) == (3, 9)
    assert scaler["metrics"][0]["resource"]["target"]["averageUtilization"] == 50


def test_what_holds_for_all_pods_holds_for_its_and_what_is_its_own_wins(helm3: Helm) -> None:
    shared = {
        "imagePullSecrets": [{"name": "pull"}],
        "nodeSelector": {"disk": "fast"},
        "tolerations": [{"operator": "Exists"}],
        "affinity": {"podAffinity": {}},
        "priorityClassName": "high",
    }
    more = {
        **shared,
        "podLabels": {"team": "login"},
        "podAnnotations": {"note": "x"},
        "image": {"digest": "sha256:00ff", "pullPolicy": "Always"},
        "resources": {"limits": {"memory": "1Gi"}},
    }
    own = {
        "replicas": 7,
        "resources": {"limits": {"memory": "2Gi"}},
        "topologySpreadConstraints": [{"maxSkew": 3}],
        "terminationGracePeriodSeconds": 99,
        "serviceAccount": {"create": False, "name": "theirs"},
        "podDisruptionBudget": {"maxUnavailable": "25%"},
    }
    objects = helm3.render(*login(own), more)
    pod = spec(objects)
    (container,) = pod["containers"]
    assert {name: pod[name] for name in shared} == shared
    assert labels(objects)["team"] == "login"
    assert template(objects)["metadata"]["annotations"]["note"] == "x"
    assert (container["image"], container["imagePullPolicy"]) == (
        "practicus/practicus-mfa@sha256:00ff",
        "Always",
    )
    assert container["resources"]["limits"] == {"memory": "2Gi"}
    assert deployment(objects)["spec"]["replicas"] == 7
    assert pod["topologySpreadConstraints"] == [{"maxSkew": 3}]
    assert pod["terminationGracePeriodSeconds"] == 99
    assert pod["serviceAccountName"] == "theirs"
    assert NAME not in [tree["metadata"]["name"] for tree in objects if tree["kind"] == "ServiceAccount"]
    assert of_kind(objects, "PodDisruptionBudget")["spec"]["maxUnavailable"] == "25%"


def test_a_budget_can_be_left_out(helm3: Helm) -> None:
    objects = helm3.render(*login({"podDisruptionBudget": {"enabled": False}}))
    assert "PodDisruptionBudget" not in {tree["kind"] for tree in objects}


# --- how it is reached --------------------------------------------------------------------------------------


def test_its_service_is_called_as_the_documents_call_it(helm3: Helm) -> None:
    ports = of_kind(helm3.render(LEAST), "Service", NAME)["spec"]["ports"]
    assert {port["name"]: (port["port"], port["targetPort"]) for port in ports} == {
        "http": (8080, "http"),
        "metrics": (9465, "metrics"),
    }


@pytest.mark.parametrize("kind", ["NodePort", "LoadBalancer"])
def test_who_opens_the_service_opens_no_metrics(helm3: Helm, kind: str) -> None:
    service = of_kind(
        helm3.render(*login({"service": {"type": kind, "annotations": {"internal": "true"}}})), "Service"
    )
    assert service["spec"]["type"] == kind
    assert [port["name"] for port in service["spec"]["ports"]] == ["http"]
    assert service["metadata"]["annotations"] == {"internal": "true"}


def test_nothing_is_exposed_unasked(helm3: Helm) -> None:
    kinds = {tree["kind"] for tree in helm3.render(LEAST)}
    assert kinds.isdisjoint({"Ingress", "HTTPRoute", "Middleware", "NetworkPolicy", "PodMonitor"})


def test_an_ingress_leads_to_it(helm: Helm) -> None:
    ingress = {
        "enabled": True,
        "className": "nginx",
        "annotations": {"cert-manager.io/cluster-issuer": "letsencrypt"},
        "tls": [{"secretName": "login-tls"}, {"hosts": ["other.example.com"]}],
    }
    found = of_kind(helm.render(*login(EXPOSED, {"ingress": ingress})), "Ingress")
    assert found["metadata"]["annotations"] == ingress["annotations"]
    assert found["spec"]["ingressClassName"] == "nginx"
    assert found["spec"]["tls"] == [
        {"hosts": ["login.example.com"], "secretName": "login-tls"},
        {"hosts": ["other.example.com"]},
    ]
    (rule,) = found["spec"]["rules"]
    # A port is none of a host's name.
    assert rule["host"] == "login.example.com"
    (path,) = rule["http"]["paths"]
    assert (path["path"], path["pathType"]) == ("/", "Prefix")
    assert path["backend"]["service"] == {"name": NAME, "port": {"name": "http"}}


def test_a_route_of_a_gateway_leads_to_it(helm: Helm) -> None:
    parents = [{"name": "gateway", "namespace": "gateways", "sectionName": "https"}]
    route = {"enabled": True, "parentRefs": parents, "annotations": {"a": "b"}}
    found = of_kind(helm.render(*login(EXPOSED, {"httpRoute": route})), "HTTPRoute")
    assert found["metadata"]["annotations"] == {"a": "b"}
    assert found["spec"]["parentRefs"] == parents
    assert found["spec"]["hostnames"] == ["login.example.com"]
    assert found["spec"]["rules"][0]["backendRefs"] == [{"name": NAME, "port": 8080}]


def test_a_middleware_of_traefik_asks_it(helm3: Helm) -> None:
    found = of_kind(helm3.render(*login(EXPOSED, {"traefikMiddleware": {"enabled": True}})), "Middleware")
    assert found["spec"]["forwardAuth"] == {
        "address": f"http://{NAME}.{NAMESPACE}.svc:8080/auth/verify/traefik",
        "trustForwardHeader": False,
        "authResponseHeaders": ["Remote-User", "Remote-Email", "Remote-Groups", "Remote-Name"],
    }
