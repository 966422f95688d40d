"""Two replicas and many clients at the same instant: what is good once gets one of them in."""

from __future__ import annotations

import asyncio
import os
from typing import TYPE_CHECKING, Final

import httpx
import pytest

from practicus_mfa.crypto.opaque import form_token, new_token, token_hash
from practicus_mfa.login.recovery_codes import give_recovery_codes
from practicus_mfa.login.session_start import HALF_LOGIN
from practicus_mfa.storage import factors, half_logins, users
from practicus_mfa.storage.engine import database_now
from tests.support.installation import secret_of
from tests.support.login_site import DOMAIN, login_site
from tests.support.waiting import LIMIT_SECONDS
from tests.support.web_user import code_now

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tests.support.login_site import Replica, Site
    from tests.support.postgres import PostgresServer

CLIENTS: Final = 64
ROUNDS: Final = 100 if os.environ.get("CI") else 20


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory, postgres_server: PostgresServer) -> Iterator[Site]:
    url = postgres_server.url(postgres_server.create_database())
    with login_site(
        tmp_path_factory.mktemp("storm"), database_url=url, login={"cookieDomain": DOMAIN}, replicas=2
    ) as running:
        running.installation.enrol(*(f"user{number}" for number in range(ROUNDS)))
        yield running


def half_login(site: Site, name: str) -> str:
    """Begin a half-login as a right password does."""
    token = new_token()
    with site.installation.database() as db, db.write() as connection:
        user = users.get(connection, name)
        expires_at = database_now(connection) + HALF_LOGIN
        half_logins.create(connection, user.id, token_hash(token), target="", expires_at=expires_at)
    return token


def recovery_code(site: Site, name: str) -> str:
    with site.installation.database() as db, db.write() as connection:
        (factor,) = factors.of_user(connection, users.get(connection, name).id)
        return give_recovery_codes(connection, factor.id)[0]


async def storm(site: Site, path: str, halves: Sequence[str], code: str) -> list[httpx.Response]:
    """Post *code* to both replicas from many clients at once."""

    async def post(client: httpx.AsyncClient, replica: Replica, half: str) -> httpx.Response:
        return await client.post(
            f"{replica.direct}{path}",
            data={"form_token": form_token(half), "code": code},
            headers={
                "Host": f"{replica.host}:{replica.port}",
                "Sec-Fetch-Site": "same-origin",
                "Cookie": f"__Host-mfa_login={half}",
            },
        )

    limits = httpx.Limits(max_connections=CLIENTS, max_keepalive_connections=CLIENTS)
    async with httpx.AsyncClient(verify=site.first.tls, timeout=LIMIT_SECONDS, limits=limits) as client:
        posts = [
            post(client, site.replicas[number % 2], halves[number % len(halves)]) for number in range(CLIENTS)
        ]
        return await asyncio.gather(*posts)


def got_in(answers: Sequence[httpx.Response]) -> int:
    """Count who was given a session; whoever was not was told so in a plain way."""
    in_ = [answer for answer in answers if "__Host-mfa_session=" in answer.headers.get("set-cookie", "")]
    # 429: of the others some were told to wait, for a used recovery code is a wrong one.
    assert {answer.status_code for answer in answers} <= {200, 303, 401, 429}
    return len(in_)


def test_of_many_posts_of_one_code_one_gets_in(site: Site) -> None:
    for number in range(ROUNDS):
        name = f"user{number}"
        # In turn: from one half-login, as a double click, and from several, as a stolen code.
        halves = [half_login(site, name) for _ in range(1 if number % 2 else 4)]
        code = code_now(secret_of(name))
        assert got_in(asyncio.run(storm(site, "/login/totp", halves, code))) == 1, name


def test_of_many_posts_of_one_recovery_code_one_gets_in(site: Site) -> None:
    for number in range(ROUNDS):
        name = f"user{number}"
        halves = [half_login(site, name) for _ in range(4)]
        code = recovery_code(site, name)
        assert got_in(asyncio.run(storm(site, "/login/recovery", halves, code))) == 1, name
