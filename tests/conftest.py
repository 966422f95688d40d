"""What every test may ask for: databases of both kinds, and how hard Hypothesis looks."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING, Final

import pytest
from hypothesis import HealthCheck, settings

from tests.support import postgres_programs
from tests.support.postgres import PostgresServer
from tests.support.unavailable import without

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

# No test fails because the machine is busy: Hypothesis neither times examples nor their generation.
settings.register_profile("dev", max_examples=50, deadline=None, suppress_health_check=[HealthCheck.too_slow])
# In CI the examples are the same on every run; more of them are looked at.
settings.register_profile(
    "ci", settings.get_profile("dev"), max_examples=200, derandomize=True, database=None, print_blob=True
)
settings.register_profile("thorough", settings.get_profile("dev"), max_examples=5_000)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE") or ("ci" if postgres_programs.in_ci() else "dev"))

RANDOM_LOOKING: Final = re.compile(
    r"gAAAA|argon2id?\$"
    r"|(?=[a-z\d+/_-]*[A-Z])(?=[A-Z\d+/_-]*[a-z])((?=[A-Za-z+/_-]*\d)[\w+/=-]{20,}|[\w+/=-]{40,})",
    re.ASCII,
)
"""A key, a token or a hash, whole or in part: as Fernet's and Argon2's begin; or capitals and small letters,
with digits among 20 characters, or in 40 even without."""


def pytest_make_parametrize_id(val: object, argname: str) -> str | None:
    """Name a test after its argument, where the value is a key or a token.

    These differ from process to process, and pytest-xdist needs the same names in all of its workers.
    """
    text = val.decode("latin-1") if isinstance(val, bytes) else val
    return argname if isinstance(text, str) and RANDOM_LOOKING.search(text) else None


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[PostgresServer]:
    """A PostgreSQL server of this session (under pytest-xdist: of each worker), started when first asked."""
    programs = postgres_programs.find()
    if programs is None:
        without(f"PostgreSQL's server programs are missing. {postgres_programs.REMEDY}")
    with PostgresServer(programs) as server:
        yield server


@pytest.fixture
def postgres_url(postgres_server: PostgresServer) -> Iterator[str]:
    """A SQLAlchemy URL to an empty PostgreSQL database, as its owner, who has no other rights."""
    # A test may have left the server stopped.
    postgres_server.start()
    name = postgres_server.create_database()
    yield postgres_server.url(name)
    postgres_server.start()
    postgres_server.drop_database(name)


@pytest.fixture
def sqlite_url(tmp_path: Path) -> str:
    """A SQLAlchemy URL to a SQLite file that does not exist yet."""
    return f"sqlite:///{tmp_path / 'mfa.db'}"


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest) -> str:
    """A SQLAlchemy URL to an empty database, of each kind in turn."""
    url = request.getfixturevalue({"sqlite": "sqlite_url", "postgresql": "postgres_url"}[request.param])
    assert isinstance(url, str)
    return url
