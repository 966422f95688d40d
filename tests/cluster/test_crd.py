"""The MfaPolicy's definition: it accepts what the operator accepts, and refuses the rest with a remedy."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final, Protocol

import pytest
import yaml
from kubernetes import client, config

from practicus_mfa.core.parse.faults import InvalidConfiguration
from practicus_mfa.core.parse.spec import policy_from_spec
from practicus_mfa.documents import parse_yaml
from tests.support.cluster.access import Cluster, KubectlError
from tests.support.waiting import until_it_succeeds

ROOT: Final = Path(__file__).parents[2]
BAD_VALUES: Final = ROOT / "tests" / "unit" / "core" / "data" / "bad_values.txt"

ID: Final = "0123456789ab"
TABLE: Final[dict[str, object]] = {"table": "app.secrets", "idColumn": "id", "tokenColumns": ["token"]}

Spec = Any


class Create(Protocol):
    """Has the API server judge an MfaPolicy, and returns it as it would be stored."""

    def __call__(self, spec: object, *, name: str = "p") -> dict[str, Any]: ...


def table(**changed: object) -> Spec:
    return {"migration": {"tables": [TABLE | changed]}}


def tables(*names: str) -> Spec:
    return {"migration": {"tables": [TABLE | {"table": name} for name in names]}}


ACCEPTED: Final[list[Spec]] = [
    None,
    {},
    {"mfa": None, "rememberMe": None, "session": None, "migration": None, "secretStoreRef": None},
    {"mfa": {"enabled": False, "mandatory": True, "mandatoryForSysAdmins": True, "gracePeriodDays": 36_500}},
    {"mfa": {"enabled": None, "gracePeriodDays": None}},
    {"rememberMe": {"days": 1}},
    {"rememberMe": {"days": 36_500}},
    {"rememberMe": {"enabled": False, "days": 0}},
    {"rememberMe": {"enabled": False, "days": -3}},
    {"session": {"hours": 1, "idleMinutes": 0}},
    {"session": {"hours": 876_000, "idleMinutes": 52_560_000}},
    {"overrides": {}},
    {"overrides": {"mfa": {"mandatory": True, "enabled": None}, "rememberMe": None}},
    {"overrides": {"mfa": {"gracePeriodDays": 3}, "rememberMe": {"disabledForSysAdmins": True}}},
    # An override may cure a value.
    {"rememberMe": {"days": 0}, "overrides": {"rememberMe": {"days": 7}}},
    {"rememberMe": {"days": 0}, "overrides": {"rememberMe": {"enabled": False}}},
    {"rememberMe": {"enabled": False}, "overrides": {"rememberMe": {"days": -1}}},
    {"secretStoreRef": {"name": "a", "activeKeyID": ID, "rollingKeyID": ""}},
    {"secretStoreRef": {"name": ""}},
    {"secretStoreRef": {"name": "a" * 253}},
    {"secretStoreRef": {"name": "a.b-c9"}},
    {"databaseRef": {}},
    {"databaseRef": {"name": "db"}},
    {"databaseRef": {"name": "db", "key": ""}},
    {"databaseRef": {"name": "db", "key": "uri.of_The-db"}},
    {"databaseRef": {"key": None}},
    {"migration": {"parallelism": 1, "shards": 0, "batchSize": 1, "suspend": True}},
    {"migration": {"parallelism": 1_000, "shards": 10_000, "batchSize": 50_000, "allowReverse": ID}},
    {"migration": {"allowReverse": "", "tables": []}},
    {"migration": {"tables": None}},
    tables("app.secrets", "app.Secrets2", '"app".secrets3', "SECRETS"),
    # PostgreSQL tells these apart.
    tables("secrets", '"Secrets"', 'app."Secrets"', '"app"."secrets"'),
    tables(*(f"t{number}" for number in range(64))),
    table(table=' app . "a""b" '),
    table(table="größe.täbel_1$"),
    table(table="t" * 300, idColumn="i" * 150, tokenColumns=["c" * 150]),
    table(table='"mfa_factors2"'),
    table(table="other.mfa_factors"),
    table(tokenColumns=[f"c{number}" for number in range(16)]),
    table(tokenColumns=["a", "A", '"Token"']),
    table(where={}),
    table(where=None),
    table(where={"kind": "totp", "version": 2, "on": True, "": "x", "size": -(2**53)}),
    table(where={f"c{number}": number for number in range(32)}),
    table(readyForKeyID=ID, doneWithKeyID=ID),
    table(readyForKeyID="", doneWithKeyID=None),
]

REFUSED: Final[list[Spec]] = [
    [],
    "mfa",
    {"mfa": []},
    {"mfa": {"mandatry": True}},
    {"mfa": {"mandatory": "true"}},
    {"mfa": {"mandatory": 1}},
    {"mfa": {"gracePeriodDays": -1}},
    {"mfa": {"gracePeriodDays": 36_501}},
    {"mfa": {"gracePeriodDays": "3"}},
    {"rememberMe": {"days": 0}},
    {"rememberMe": {"days": -1}},
    {"rememberMe": {"days": 36_501}},
    {"rememberMe": {"enabled": False, "days": 36_501}},
    {"rememberMe": {"days": 1.5}},
    {"rememberMe": {"days": "30"}},
    {"overrides": {"rememberMe": {"days": 0}}},
    {"rememberMe": {"enabled": False, "days": 0}, "overrides": {"rememberMe": {"enabled": True}}},
    {"overrides": {"session": {}}},
    {"overrides": {"mfa": {"mandatry": True}}},
    {"session": {"hours": 0}},
    {"session": {"hours": 876_001}},
    {"session": {"idleMinutes": -1}},
    {"session": {"idleMinutes": 52_560_001}},
    {"secretStore": {}},
    {"secretStoreRef": {"name": "a/b"}},
    {"secretStoreRef": {"name": "A"}},
    {"secretStoreRef": {"name": "-a"}},
    {"secretStoreRef": {"name": "a-"}},
    {"secretStoreRef": {"name": "a\n"}},
    {"secretStoreRef": {"name": "a" * 254}},
    {"secretStoreRef": {"activeKeyID": "0123456789AB"}},
    {"secretStoreRef": {"activeKeyID": "0123456789a"}},
    {"secretStoreRef": {"rollingKeyID": f"{ID}0"}},
    {"secretStoreRef": {"rollingKeyID": 123456789012}},
    {"databaseRef": {"key": "uri"}},
    {"databaseRef": {"key": ""}},
    {"databaseRef": {"name": "db", "key": "a/b"}},
    {"databaseRef": {"name": "db", "key": "a" * 254}},
    {"databaseRef": {"name": "db", "url": "x"}},
    {"databaseRef": "db"},
    {"migration": {"parallelism": 0}},
    {"migration": {"parallelism": 1_001}},
    {"migration": {"shards": -1}},
    {"migration": {"shards": 10_001}},
    {"migration": {"batchSize": 0}},
    {"migration": {"batchSize": 50_001}},
    {"migration": {"suspend": "no"}},
    {"migration": {"allowReverse": True}},
    {"migration": {"allowReverse": "xyz"}},
    {"migration": {"tables": {}}},
    {"migration": {"tables": [None]}},
    {"migration": {"tables": [{}]}},
    {"migration": {"tables": [{"table": "a", "idColumn": "id"}]}},
    tables("app.secrets", "app.secrets"),
    tables("app.secrets", ' App . "secrets" '),
    tables("a", "b", "c", "A"),
    tables('"a""b"', '"a""b" '),
    tables(*(f"t{number}" for number in range(65))),
    table(table=""),
    table(table=" "),
    table(table="a b"),
    table(table="a.b.c"),
    table(table="1a"),
    table(table="a; drop"),
    table(table='""'),
    table(table='"a"b"'),
    table(table='"a\0"'),
    table(table="t" * 301),
    table(table="mfa_factors"),
    table(table=" MFA_Factors "),
    table(table='"mfa_factors"'),
    table(table='Practicus_MFA . "mfa_factors"'),
    table(table='"practicus_mfa".mfa_factors'),
    table(idColumn=""),
    table(idColumn=" "),
    table(idColumn="a.b"),
    table(idColumn="i" * 151),
    table(tokenColumns=[]),
    table(tokenColumns=None),
    table(tokenColumns="token"),
    table(tokenColumns=["a", "a"]),
    table(tokenColumns=["id"]),
    table(tokenColumns=["a b"]),
    table(tokenColumns=[""]),
    table(tokenColumns=[1]),
    table(tokenColumns=[f"c{number}" for number in range(17)]),
    table(where={"a": 1.5}),
    table(where={"a": []}),
    table(where={"a": [1]}),
    table(where={"a": {}}),
    table(where={"a": {"b": 1}}),
    table(where="a = 1"),
    table(where={f"c{number}": number for number in range(33)}),
    table(readyForKeyID="none"),
    table(doneWithKeyID=7),
    table(filter="x"),
]


def _of_values() -> list[Spec]:
    """Return what values.yaml's bad examples say of the policy, where JSON can say it."""
    found = []
    for paragraph in BAD_VALUES.read_text("utf-8").split("\n\n"):
        if paragraph.startswith("#"):
            continue
        values = parse_yaml(paragraph.splitlines()[0], "test")
        login = values.get("userLogin") if isinstance(values, dict) else None
        spec = {**(login if isinstance(login, dict) else {})}
        if isinstance(values, dict) and "migration" in values:
            spec["migration"] = values["migration"]
        if not spec:
            continue
        try:
            policy_from_spec(json.loads(json.dumps(spec)))
        except InvalidConfiguration:
            found.append(json.loads(json.dumps(spec)))
    return found


@pytest.fixture(scope="module")
def create(cluster: Cluster) -> Create:
    api = config.new_client_from_config(str(cluster.kubeconfig))  # type: ignore[no-untyped-call]
    objects = client.CustomObjectsApi(api)

    def create(spec: object, *, name: str = "p") -> dict[str, Any]:
        body = {"apiVersion": "mfa.practicus.ai/v1", "kind": "MfaPolicy", "metadata": {"name": name}}
        judged: dict[str, Any] = objects.create_namespaced_custom_object(  # type: ignore[assignment]
            "mfa.practicus.ai",
            "v1",
            "default",
            "mfapolicies",
            {**body, "spec": spec},
            dry_run="All",
            # As kubectl asks by default: an unknown name is an error, not dropped with a warning.
            field_validation="Strict",
        )
        return judged

    return create


def refusal(create: Create, spec: object, *, name: str = "p") -> str:
    with pytest.raises(client.ApiException) as caught:
        create(spec, name=name)
    assert caught.value.status in {400, 422}
    return str(json.loads(caught.value.body or "")["message"])


@pytest.mark.parametrize("spec", ACCEPTED, ids=lambda spec: json.dumps(spec)[:60])
def test_what_the_operator_accepts_the_definition_accepts(create: Create, spec: Spec) -> None:
    stored = create(spec)
    assert policy_from_spec(stored.get("spec")) == policy_from_spec(spec)


@pytest.mark.parametrize("spec", [*REFUSED, *_of_values()], ids=lambda spec: json.dumps(spec)[:60])
def test_what_the_operator_refuses_the_definition_refuses(create: Create, spec: Spec) -> None:
    with pytest.raises(InvalidConfiguration):
        policy_from_spec(spec)
    refusal(create, spec)


def test_a_null_to_compare_with_is_not_dropped_so_that_the_operator_refuses_it(create: Create) -> None:
    stored = create(table(where={"a": None, "b": 1}))
    with pytest.raises(InvalidConfiguration, match=r"where\.a: nothing where one value is expected"):
        policy_from_spec(stored["spec"])


def test_the_defaults_of_an_empty_spec_are_shown(create: Create) -> None:
    assert create({})["spec"] == {
        "mfa": {"enabled": True, "mandatory": False, "mandatoryForSysAdmins": False, "gracePeriodDays": 0},
        "rememberMe": {"enabled": True, "days": 30, "disabledForSysAdmins": False},
        "session": {"hours": 12, "idleMinutes": 0},
        "secretStoreRef": {"name": "practicus-mfa-secret-store"},
        "migration": {"parallelism": 2, "shards": 0, "batchSize": 2_000, "suspend": False},
    }


def test_nothing_is_added_to_overrides(create: Create) -> None:
    spec = {"overrides": {"mfa": {"mandatory": True}, "rememberMe": {}}}
    assert create(spec)["spec"]["overrides"] == spec["overrides"]


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        (
            {"rememberMe": {"days": 0}},
            (
                "spec.rememberMe.days: … rememberMe.days is too small; the least is 1; "
                "to switch it off, write rememberMe.enabled: false"
            ),
        ),
        (
            {"databaseRef": {"key": "uri"}},
            (
                "spec.databaseRef: … databaseRef.name is missing; write it, for example "
                "name: practicus-mfa-database"
            ),
        ),
        (
            tables("app.secrets", '"app".SECRETS'),
            "spec.migration.tables: … two entries for the same table; name all its columns in one entry",
        ),
        (
            table(table="mfa_factors"),
            "spec.migration.tables: … the table of MFA itself, which rotates anyway; leave the entry out",
        ),
        (
            table(tokenColumns=["id"]),
            (
                "spec.migration.tables[0].tokenColumns: … the id column is among "
                "tokenColumns; name only columns that hold tokens"
            ),
        ),
        (
            table(table="a b"),
            (
                "spec.migration.tables[0].table: … not the name of a table; write it as "
                'in SQL, app.secrets or app."Secrets"'
            ),
        ),
    ],
)
def test_a_rule_s_message_names_the_remedy(create: Create, spec: Spec, message: str) -> None:
    path, _, sentence = message.partition(": … ")
    told = refusal(create, spec)
    # Between the two stands the value or its type, by the server's version.
    assert f" is invalid: {path}: Invalid value: " in told
    assert told.endswith(f": {sentence}")


def test_a_name_that_children_could_not_be_named_after_is_refused(create: Create) -> None:
    create({}, name="p" * 53)
    assert "the name is too long; 53 characters are the most" in refusal(create, {}, name="p" * 54)


# --- the status -------------------------------------------------------------------------------------------

STATUS: Final = {
    "observedGeneration": 1,
    "conditions": [
        {
            "type": "Ready",
            "status": "False",
            "reason": "Migrating",
            "message": "7 rows are still to be moved.",
            "observedGeneration": 1,
            "lastTransitionTime": "2026-01-01T00:00:00Z",
        }
    ],
    "effective": {
        "mfa": {
            "enabled": {"value": True, "source": "values"},
            "mandatory": {"value": False, "source": "override"},
            "mandatoryForSysAdmins": {"value": False, "source": "values"},
            "gracePeriodDays": {"value": 0, "source": "values"},
        },
        "rememberMe": {
            "enabled": {"value": True, "source": "values"},
            "days": {"value": 30, "source": "values"},
            "disabledForSysAdmins": {"value": False, "source": "values"},
        },
    },
    "activeKeyID": ID,
    "rollingKeyID": "",
    "lastScanTime": "2026-01-01T00:00:00Z",
    "keyringGeneration": 2,
    "rolling": 7,
    "users": {"total": 30, "enrolled": 20, "active": 14, "rolling": 5, "unknown": 1, "corrupt": 0},
    "tables": [
        {
            "table": "app.secrets",
            "total": 2,
            "active": 0,
            "rolling": 2,
            "unknown": 0,
            "corrupt": 0,
            "scannedAt": "2026-01-01T00:00:00Z",
        }
    ],
    "auditHead": {"count": 3, "hash": "00ff"},
    "readers": {"total": 2, "converged": 1},
    "rotation": {
        "id": 1,
        "step": "Migrate",
        "startedAt": "2026-01-01T00:00:00Z",
        "completedAt": None,
        "attempt": 1,
        "migrated": 13,
        "remaining": 5,
        "jobName": "job-1",
    },
    "history": [
        {
            "id": 1,
            "activeKeyID": ID,
            "startedAt": "2026-01-01T00:00:00Z",
            "completedAt": None,
            "migrated": 13,
            "attempt": 1,
        }
    ],
}


@pytest.fixture
def with_status(cluster: Cluster, namespace: str) -> str:
    """A namespace with the policy ``here``, whose status is :data:`STATUS`."""
    cluster.apply(
        yaml.safe_dump(
            {
                "apiVersion": "mfa.practicus.ai/v1",
                "kind": "MfaPolicy",
                "metadata": {"name": "here", "namespace": namespace},
            }
        )
    )
    patch = json.dumps({"status": STATUS})
    cluster.kubectl(
        "patch", "mfap", "here", "-n", namespace, "--subresource=status", "--type=merge", "-p", patch
    )
    return namespace


def test_a_status_is_stored_as_it_was_written(cluster: Cluster, with_status: str) -> None:
    stored = json.loads(cluster.kubectl("get", "mfap", "here", "-n", with_status, "-o", "json"))
    # A merge patch can't write a null.
    for part in (stored["status"]["rotation"], *stored["status"]["history"]):
        part.setdefault("completedAt", None)
    assert stored["status"] == STATUS


def test_a_null_of_the_status_survives(cluster: Cluster, with_status: str) -> None:
    policy = json.loads(cluster.kubectl("get", "mfap", "here", "-n", with_status, "-o", "json"))
    policy["status"]["rotation"]["completedAt"] = None
    cluster.kubectl("replace", "--subresource=status", "-f", "-", input=json.dumps(policy))
    stored = json.loads(cluster.kubectl("get", "mfap", "here", "-n", with_status, "-o", "json"))
    assert stored["status"]["rotation"]["completedAt"] is None


def test_the_columns_tell_the_essentials(cluster: Cluster, with_status: str) -> None:
    lines = cluster.kubectl("get", "mfap", "-n", with_status).splitlines()
    names = ["NAME", "READY", "REASON", "ENROLLED", "ROLLING", "UNKNOWN", "ACTIVE-KEY", "LAST-SCAN", "AGE"]
    assert lines[0].split() == names
    assert lines[1].split()[:7] == ["here", "False", "Migrating", "20", "7", "1", ID]


def test_wide_columns_add_readers_and_the_message(cluster: Cluster, with_status: str) -> None:
    lines = cluster.kubectl("get", "practicus", "-n", with_status, "-o", "wide").splitlines()
    assert lines[0].split()[-2:] == ["READERS", "MESSAGE"]
    assert lines[1].endswith(" 2         7 rows are still to be moved.")


def test_a_status_is_written_by_its_own_way_alone(cluster: Cluster, with_status: str) -> None:
    cluster.kubectl(
        "patch", "mfap", "here", "-n", with_status, "--type=merge", "-p", '{"status": {"activeKeyID": "x"}}'
    )
    read = cluster.kubectl("get", "mfap", "here", "-n", with_status, "-o=jsonpath={.status.activeKeyID}")
    assert read == ID


def test_two_conditions_of_one_type_are_refused(cluster: Cluster, with_status: str) -> None:
    patch = json.dumps({"status": {"conditions": STATUS["conditions"] * 2}})  # type: ignore[operator]
    with pytest.raises(KubectlError, match="Duplicate value"):
        cluster.kubectl(
            "patch", "mfap", "here", "-n", with_status, "--subresource=status", "--type=merge", "-p", patch
        )


def test_explain_tells_every_field(cluster: Cluster) -> None:
    def explained() -> str:
        return cluster.kubectl("explain", "mfapolicy", "--recursive")

    # The API server tells of a definition's fields (OpenAPI) some time after it serves the kind.
    told = until_it_succeeds(explained, "the fields", despite=KubectlError)
    for name in ("gracePeriodDays", "allowReverse", "doneWithKeyID", "scannedAt", "keyringGeneration"):
        assert name in told


def test_every_field_has_a_description() -> None:
    definition = yaml.safe_load((ROOT / "crds" / "mfapolicies.yaml").read_text("utf-8"))

    def silent(path: str, schema: dict[str, Any]) -> list[str]:
        found = [] if "description" in schema or path == ".metadata" else [path]
        for name, field in schema.get("properties", {}).items():
            found += silent(f"{path}.{name}", field)
        if "properties" in schema.get("items", {}):
            for name, field in schema["items"]["properties"].items():
                found += silent(f"{path}[].{name}", field)
        return found

    assert silent("", definition["spec"]["versions"][0]["schema"]["openAPIV3Schema"]) == []
