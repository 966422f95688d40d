"""Helm's values.yaml: what a platform team writes, found valid.

The embedded platform reads the very file that the chart is installed with. Names that only the chart
understands are known here and left to it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from practicus_mfa.core.parse.faults import InvalidConfiguration
from practicus_mfa.core.parse.reader import Section
from practicus_mfa.core.parse.rules import (
    check_days,
    mfa_rules,
    migration_rules,
    object_name,
    remember_me_rules,
    secret_key,
    session_rules,
    settings_page,
)
from practicus_mfa.core.policy import (
    DatabaseRef,
    MfaRules,
    MigrationRules,
    RememberMeRules,
    SessionRules,
    SettingsPage,
)
from practicus_mfa.faults import Fault

CHART_ONLY: Final = (
    "admission",
    "affinity",
    "crds",
    "enabled",
    "extraVolumeMounts",
    "extraVolumes",
    "global",
    "image",
    "imagePullSecrets",
    "login",
    "metrics",
    "networkPolicy",
    "nodeSelector",
    "operator",
    "podAnnotations",
    "podLabels",
    "podSecurityContext",
    "priorityClassName",
    "rbac",
    "resources",
    "serviceAccount",
    "tolerations",
    "topologySpreadConstraints",
)
"""Names at the top whose inside the chart alone judges."""

_ELSEWHERE: Final = {
    "mfa": "userLogin.mfa",
    "rememberMe": "userLogin.rememberMe",
    "session": "userLogin.session",
    "activeKey": "secretStore.activeKey",
    "rollingKey": "secretStore.rollingKey",
    "existingSecret": "secretStore.existingSecret",
}
"""Names of a section that stand a level too high when indentation is lost."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SecretStore:
    """``secretStore``: the keys as written, not yet judged, or the Secret that holds them.

    Attributes:
        active_key: What new data is encrypted with; '' where there is none.
        rolling_key: What data may still be encrypted with; '' where there is none.
        existing_secret: A Secret with the entries activeKey and rollingKey, instead of both.
    """

    active_key: str = field(default="", repr=False)
    rolling_key: str = field(default="", repr=False)
    existing_secret: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class DatabaseValues:
    """``database``: where users and factors are.

    Attributes:
        url: A SQLAlchemy URL, which may hold a password; '' where there is none.
        existing: A Secret that holds the URL, instead.
        login_secret: A Secret with the URL of a lesser role for the login service; '' for the same role.
        embedded: SQLite in the platform's own data folder, instead.
    """

    url: str = field(default="", repr=False)
    existing: DatabaseRef | None = None
    login_secret: str = ""
    embedded: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Values:
    """A values.yaml, found valid."""

    mfa: MfaRules = field(default_factory=MfaRules)
    remember_me: RememberMeRules = field(default_factory=RememberMeRules)
    session: SessionRules = field(default_factory=SessionRules)
    secret_store: SecretStore = field(default_factory=SecretStore)
    database: DatabaseValues = field(default_factory=DatabaseValues)
    migration: MigrationRules = field(default_factory=MigrationRules)
    settings_page: SettingsPage = SettingsPage.EDIT


def read_values(values: object, *, source: str = "values.yaml") -> Values:
    """Return *values* (a tree of YAML values), found valid.

    Args:
        values: What the file holds; an empty file is all defaults.
        source: How messages call it.

    Raises:
        InvalidConfiguration: With every fault.
    """
    faults: list[Fault] = []
    with Section(values, "", faults, elsewhere=_ELSEWHERE) as top:
        with top.section("userLogin") as login:
            mfa = mfa_rules(login.section("mfa"), MfaRules())
            remember = login.section("rememberMe")
            remember_me = remember_me_rules(remember, RememberMeRules())
            check_days(remember_me, remember)
            session = session_rules(login.section("session"))
        read = Values(
            mfa=mfa,
            remember_me=remember_me,
            session=session,
            secret_store=_secret_store(top.section("secretStore")),
            database=_database(top.section("database")),
            migration=migration_rules(top.section("migration")),
            # The rest of it is the chart's, and the login service's own.
            settings_page=settings_page(top.section("login")),
        )
        top.leave(*CHART_ONLY)
    if faults:
        raise InvalidConfiguration(faults, source=source)
    return read


def _secret_store(section: Section) -> SecretStore:
    with section as store:
        read = SecretStore(
            active_key=store.text("activeKey"),
            rolling_key=store.text("rollingKey"),
            existing_secret=object_name(store, "existingSecret"),
        )
        if read.existing_secret and (read.active_key or read.rolling_key):
            remedy = "keep the keys in one place: empty activeKey and rollingKey, or existingSecret"
            store.fault("existingSecret", "given beside a key", remedy)
    return read


def _database(section: Section) -> DatabaseValues:
    with section as database:
        name = object_name(database, "existingSecret")
        key = secret_key(database, "existingSecretKey", "url")
        with database.section("login") as login:
            login_secret = object_name(login, "existingSecret")
        with database.section("embedded") as embedded:
            inside = embedded.switch("enabled", default=False)
            # Of the volume that a cluster gives it: the chart's business.
            embedded.leave("size", "storageClass")
        read = DatabaseValues(
            url=database.text("url"),
            existing=DatabaseRef(name, key) if name else None,
            login_secret=login_secret,
            embedded=inside,
        )
        ways = {"existingSecret": bool(name), "url": bool(read.url), "embedded.enabled": inside}
        chosen = [way for way, taken in ways.items() if taken]
        for way in chosen[1:]:
            database.fault(way, f"given beside {chosen[0]}", "keep one of them: there is one database")
    return read
