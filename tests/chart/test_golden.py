"""Chart and embedded platform make the same objects of one values.yaml."""

from __future__ import annotations

from typing import Final

import pytest

from practicus_mfa.core.keyring import KeyId
from practicus_mfa.core.manifests import render
from practicus_mfa.core.parse.values import read_values
from practicus_mfa.crypto.keys import FernetKey, generate_key, parse_key
from tests.support.chart import ACTIVE, NAMESPACE, ROLLING, SEED, Helm, Tree, of_kind

ID: Final = "0123456789ab"
URL: Final = "postgresql://user:p%40ss:word@db.example.com:5432/mfa?sslmode=require"
BOTH: Final = {"secretStore": {"activeKey": ACTIVE, "rollingKey": ROLLING}}

EVERYTHING: Final = {
    "userLogin": {
        "mfa": {"enabled": True, "mandatory": True, "mandatoryForSysAdmins": True, "gracePeriodDays": 36_500},
        "rememberMe": {"enabled": False, "days": -1, "disabledForSysAdmins": True},
        "session": {"hours": 876_000, "idleMinutes": 52_560_000},
    },
    "secretStore": {"activeKey": ACTIVE, "rollingKey": ROLLING, "existingSecret": ""},
    "database": {"url": URL},
    "migration": {
        "parallelism": 1_000,
        "shards": 10_000,
        "batchSize": 50_000,
        "suspend": True,
        "allowReverse": ID,
        "tables": [
            {
                "table": 'app . "Se""crets"',
                "idColumn": '"Id"',
                "tokenColumns": ["a", '"B"'],
                "where": {"kind": "totp", "version": 2, "on": True, "off": False, "digits": "0123", "": ""},
                "readyForKeyID": "012345678901",
                "doneWithKeyID": "12345678e901",
            },
            {
                "table": "größe",
                "idColumn": "id",
                "tokenColumns": ["t"],
                "readyForKeyID": "",
                "where": {},
            },
            {"table": "logs", "idColumn": "id", "tokenColumns": ["t"], "where": None, "doneWithKeyID": None},
        ],
    },
}

VALUES: Final[dict[str, Tree]] = {
    "the least": SEED,
    "two keys": BOTH,
    "everything": EVERYTHING,
    "MFA off": {"userLogin": {"mfa": {"enabled": False}}},
    "MFA off, a key": {"userLogin": {"mfa": {"enabled": False}}, **SEED},
    "standard alphabet": {"secretStore": {"activeKey": ACTIVE.replace("-", "+").replace("_", "/")}},
    "an existing Secret": {"secretStore": {"existingSecret": "my.keys"}},
    "an existing database": SEED | {"database": {"existingSecret": "db", "existingSecretKey": "uri"}},
    "an existing database by its usual entry": SEED | {"database": {"existingSecret": "db"}},
    "an entry of no Secret": SEED | {"database": {"existingSecretKey": "uri"}},
    "nulls": SEED
    | {
        "userLogin": {"mfa": None, "rememberMe": {"enabled": None, "days": None}, "session": {"hours": None}},
        "database": None,
        "migration": {"parallelism": None, "tables": None, "allowReverse": None},
    },
    "null sections": SEED | {"userLogin": None, "migration": None, "operator": None, "crds": None},
    "a null field of keys": {
        "secretStore": {"activeKey": ACTIVE, "rollingKey": None, "existingSecret": None}
    },
}


def identified(text: str) -> KeyId | None:
    return parse_key(text).id if text else None


def compare(helm: Helm, values: Tree, release: str) -> None:
    read = read_values(values)
    wanted = render(
        read,
        active=identified(read.secret_store.active_key),
        rolling=identified(read.secret_store.rolling_key),
        name=release,
        namespace=NAMESPACE,
    )
    objects = helm.render(values, release=release)
    secrets = [tree for tree in objects if tree["kind"] == "Secret"]
    # A difference of Secrets is not shown: pytest would print the keys.
    assert of_kind(objects, "MfaPolicy") == wanted.policy
    assert (secrets == [secret for secret in (wanted.secret_store, wanted.database) if secret]) is True


@pytest.mark.parametrize("values", VALUES.values(), ids=VALUES)
def test_helm_renders_what_the_embedded_platform_does(helm: Helm, values: Tree) -> None:
    compare(helm, values, "practicus-mfa")


def test_everything_is_named_after_the_release(helm3: Helm) -> None:
    compare(helm3, EVERYTHING, "other.name-9")


def test_the_id_of_any_key_is_computed(helm3: Helm) -> None:
    # A template handles text: bytes that are no UTF-8 must survive it.
    raws = [
        bytes(32),
        b"\xff" * 32,
        b"\x80" * 32,
        bytes(range(224, 256)),
        *(generate_key().raw for _ in "12"),
    ]
    for key in map(FernetKey, raws):
        policy = of_kind(helm3.render({"secretStore": {"activeKey": key.text}}), "MfaPolicy")
        assert policy["spec"]["secretStoreRef"]["activeKeyID"] == key.id
