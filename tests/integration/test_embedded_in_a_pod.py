"""The embedded platform as a pod runs it: values.yaml from a mounted Secret, people from outside."""

from __future__ import annotations

import ssl
from typing import TYPE_CHECKING, Final

from practicus_mfa.crypto.keys import FernetKey, generate_key
from practicus_mfa.documents import dump_yaml
from practicus_mfa.login.administer import create_user
from practicus_mfa.storage.users import NewUser
from tests.integration.test_embedded_login import platform, said_until
from tests.support.installation import Installation
from tests.support.login_site import HOST, Replica, free_port
from tests.support.people import PASSWORD
from tests.support.waiting import until
from tests.support.web_user import WebUser, code_now

if TYPE_CHECKING:
    from pathlib import Path

ELSEWHERE: Final = "127.0.0.2"
"""An address of this machine at which a page on 127.0.0.1 alone does not answer."""

OLD: Final = generate_key()
NEW: Final = generate_key()


class MountedSecret:
    """A folder with the file values.yaml, as the kubelet mounts a Secret and brings it up to date.

    The file is a link to one in a folder that is a link itself; the latter is replaced, in one step.
    """

    def __init__(self, root: Path, *, host: str) -> None:
        root.mkdir()
        self._root = root
        self._host = host
        self._writes = 0
        self.file = root / "values.yaml"

    def write(self, active: FernetKey, rolling: FernetKey | None = None) -> None:
        """Bring the Secret up to date."""
        self._writes += 1
        version = self._root / f"..version-{self._writes}"
        version.mkdir()
        store = {"activeKey": active.text, "rollingKey": rolling.text if rolling else ""}
        embedded = {"enabled": True, "size": "1Gi", "storageClass": ""}
        tree = {"secretStore": store, "database": {"embedded": embedded}, "login": {"host": self._host}}
        (version / "values.yaml").write_text(dump_yaml(tree), "utf-8")
        (self._root / "..fresh").symlink_to(version.name)
        (self._root / "..fresh").replace(self._root / "..data")
        if not self.file.is_symlink():
            self.file.symlink_to("..data/values.yaml")
        # The version before goes with its files.
        earlier = self._root / f"..version-{self._writes - 1}"
        if earlier.exists():
            (earlier / "values.yaml").unlink()
            earlier.rmdir()


class InAPod(Installation):
    """One whose values.yaml is mounted."""

    @property
    def values_file(self) -> Path:
        return self.root / "mounted" / "values.yaml"


class Page(Replica):
    """The log-in page, reached at another address than the loopback one."""

    @property
    def direct(self) -> str:
        return f"http://{ELSEWHERE}:{self.port}"


def test_people_log_in_from_outside_while_the_mounted_secret_brings_a_new_key(tmp_path: Path) -> None:
    port = free_port()
    installation = InAPod(tmp_path)
    secret = MountedSecret(tmp_path / "mounted", host=f"{HOST}:{port}")
    secret.write(OLD)
    where = ("--login-address", "0.0.0.0", "--login-port", str(port))  # noqa: S104 - as in a pod
    with platform(installation, *where) as process:
        said_until(process, f"The log-in page: https://{HOST}:{port}/")
        with installation.database() as db:
            create_user(db, NewUser(username="ada"), password=PASSWORD, actor="test")
        page = Page(port, 0, process, tmp_path, HOST, ssl.create_default_context())  # type: ignore[arg-type]
        with WebUser(page) as ada:
            assert ada.log_in("ada", PASSWORD) == ""
            fault, code_secret = ada.enrol()
            assert fault == ""
        secret.write(NEW, rolling=OLD)
        until(lambda: installation.published().get("activeKeyID") == NEW.id, "the new key to write")
        installation.await_reason("DataUpToDate", "UpToDate")
        secret.write(NEW)
        until(lambda: installation.keyring()[0].ids == {NEW.id}, "the old key to be gone")
        with WebUser(page) as again:
            again.get("/login")
            assert (
                again.post("/login", username="ada", password=PASSWORD).headers["location"] == "/login/totp"
            )
            again.get("/login/totp")
            # The code of this half minute was used; the next one is taken early.
            again.post("/login/totp", code=code_now(code_secret, steps=1))
            assert "ada" in again.get("/account").text
