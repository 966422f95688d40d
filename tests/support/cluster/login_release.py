"""A release with a login service that stands behind an ingress."""

from __future__ import annotations

import json
import secrets
import shlex
from typing import TYPE_CHECKING, Any, Final

from psycopg import sql
from sqlalchemy import make_url

from practicus_mfa.storage.grants import Roles, grants_sql, setup_sql
from tests.support.cluster.release import Release
from tests.support.login_site import HOST
from tests.support.postgres import OWNER
from tests.support.waiting import until

if TYPE_CHECKING:
    from practicus_mfa.crypto.keys import FernetKey
    from tests.support.chart import Helm, Tree
    from tests.support.cluster.operating import ClusterInstallation
    from tests.support.cluster.with_node import NodeCluster
    from tests.support.postgres import PostgresServer

SEED: Final = {
    "mfa": {"enabled": True, "mandatory": False, "mandatoryForSysAdmins": False},
    "rememberMe": {"enabled": True, "days": 30, "disabledForSysAdmins": False},
}
"""The product's document shows these values of userLogin."""

DATABASE: Final = "login-database"
"""The Secret with the database's URL, which somebody else made."""

ROLE: Final = "login-database-role"
"""The Secret with that of a lesser role."""

ROLES: Final = Roles(owner=OWNER, operator="pods_operator", jobs="pods_jobs", login="pods_login")
"""Nobody else's: roles belong to the server, and not to a database. Two of them have nothing to do."""

REPLICAS: Final = 2


class LoginRelease(Release):
    """A release whose people come through an ingress on the node."""

    def __init__(self, nodes: NodeCluster, helm: Helm, installation: ClusterInstallation) -> None:
        """Make the Secret with the database's URL; nothing is installed yet."""
        super().__init__(nodes, helm, installation)
        url = installation.database_url.replace("postgresql+psycopg:", "postgresql:")
        self.kubectl("create", "secret", "generic", DATABASE, f"--from-literal=url={url}")
        machine = nodes.node.machine
        self._values |= {
            "userLogin": SEED,
            "database": {"existingSecret": DATABASE},
            "login": {
                "host": HOST,
                "replicas": REPLICAS,
                # Who comes from the node by a Service has the address of the pods' bridge.
                "trustedProxies": [machine.address, machine.gateway],
            },
        }

    def give_a_role(self, server: PostgresServer) -> None:
        """Make a role with the rights that we document; the next upgrade has the login service use it."""
        url = make_url(self.installation.database_url)
        server.execute(setup_sql(ROLES), str(url.database))
        role, password = sql.Identifier(ROLES.login), secrets.token_hex(8)
        server.execute(sql.SQL("ALTER ROLE {} PASSWORD {}").format(role, sql.Literal(password)))
        server.execute(grants_sql(ROLES), str(url.database))
        lesser = url.set(drivername="postgresql", username=ROLES.login, password=password)
        text = lesser.render_as_string(hide_password=False)
        self.kubectl("create", "secret", "generic", ROLE, f"--from-literal=url={text}")
        self._values["database"] = {"existingSecret": DATABASE, "login": {"existingSecret": ROLE}}

    def values(self, active: FernetKey, rolling: FernetKey | None = None) -> Tree:
        """The values.yaml that has these keys."""
        store = {"activeKey": active.text, "rollingKey": rolling.text if rolling else ""}
        return {**self._values, "secretStore": store}

    def revision(self) -> str:
        """The number that Helm gave the release as it is now."""
        told = json.loads(self.helm.run("history", self.name, *self._where(), "-o=json"))
        return str(told[-1]["revision"])

    def roll_back(self, revision: str) -> None:
        """Go back to the values of that number."""
        self.helm.run("rollback", self.name, revision, *self._where())

    def uninstall(self) -> None:
        """Remove it, and wait until the last pod of the login service has ended."""
        self.helm.run("uninstall", self.name, *self._where(), "--wait")
        until(lambda: not self.pods(), "the pods of the release that is gone to end")

    def _where(self) -> tuple[str]:
        return (f"--namespace={self.installation.namespace}",)

    def await_people(self) -> None:
        """Wait until the login service that was asked for is there, and nothing of an earlier one."""
        self.kubectl("rollout", "status", f"deploy/{self.name}-login", "--timeout=240s")

    def pods(self) -> list[dict[str, Any]]:
        """The pods of the login service, those that end included."""
        found: list[dict[str, Any]] = json.loads(
            self.kubectl("get", "pods", "-l", "app.kubernetes.io/component=login", "-o=json")
        )["items"]
        return found

    def lives(self) -> dict[str, int]:
        """How often each of them was started anew, by what no other pod ever has."""
        found = {}
        for pod in self.pods():
            # A pod that is new has none yet.
            containers = pod["status"].get("containerStatuses", ())
            found[pod["metadata"]["uid"]] = sum(each["restartCount"] for each in containers)
        return found

    def replace_a_pod(self) -> str:
        """Delete one, wait until another is there in its place, and return what no other pod ever has."""
        gone = self.pods()[0]["metadata"]
        self.kubectl("delete", "pod", gone["name"], "--wait=false")
        until(lambda: len(self.pods()) == REPLICAS and gone["uid"] not in self.lives(), "the pod to end")
        self.await_people()
        return str(gone["uid"])

    def service(self) -> str:
        """The address of the login service's Service."""
        return self.kubectl("get", "service", f"{self.name}-login", "-o=jsonpath={.spec.clusterIP}")

    def type_in(self, command: str, **given: str) -> str:
        """Type a command of the notes, with other words for its words in capitals."""
        program, *words = shlex.split(command)
        assert program == "kubectl"
        return self.nodes.plane.kubectl(*(given.get(word, word) for word in words))
