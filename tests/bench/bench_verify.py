"""Forward-auth: how many answers a second from one process, how late the slowest, how much memory.

    python -m tests.bench.bench_verify [SECONDS]

One process of the login service's server on PostgreSQL, asked with a valid session over 32 connections by
wrk, in turns with an application of the same server that says nothing. Needs wrk and nginx (Debian: apt-get
install wrk nginx-light).
"""

from __future__ import annotations

import http.client
import json
import re
import shutil
import subprocess
import sys
import tempfile
from contextlib import closing, contextmanager
from dataclasses import asdict
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import TYPE_CHECKING, Final

from practicus_mfa.storage import sessions
from practicus_mfa.storage.users import NewUser
from tests.bench.paced import Order
from tests.support import postgres_programs, proxies
from tests.support.cluster.debian_programs import find
from tests.support.forward_auth_site import behind, forward_auth_site, logged_in
from tests.support.postgres import PostgresServer

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.forward_auth_site import ForwardAuthSite

SECONDS: Final = 4
TURNS: Final = 3
CONNECTIONS: Final = 32
RATE: Final = 500

GOAL_RATE: Final = 15_000
GOAL_RATIO: Final = 0.55
GOAL_NGINX_MS: Final = 10
GOAL_FLOOD_MS: Final = 20
GOAL_MIB: Final = 150
REQUESTS: Final = 100_000
REVOCATIONS: Final = 20

ROOT: Final = Path(__file__).parents[2]
BROWSER: Final = {
    "User-Agent": "Mozilla/5.0 (X11; Linux x86_64; rv:153.0) Gecko/20100101 Firefox/153.0",
    "Accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8",
    "Accept-Language": "en-US,en;q=0.5",
    "Accept-Encoding": "gzip, deflate, br",
    "Sec-Fetch-Mode": "navigate",
}


def _headers(site: ForwardAuthSite) -> dict[str, str]:
    """What nginx sends."""
    cookie = dict([site.ada.cookie])
    return BROWSER | cookie | {"X-Original-URL": f"https://{proxies.APP}:443/some/page?of=it"}


def _wrk(port: int, path: str, headers: dict[str, str], seconds: int, **more: int) -> tuple[float, str]:
    """Return answers a second, and the latencies as wrk tells them."""
    connections = more.get("connections", CONNECTIONS)
    given = [part for name, value in headers.items() for part in ("-H", f"{name}: {value}")]
    said = subprocess.run(
        [
            "wrk",
            "-t1",
            f"-c{connections}",
            f"-d{seconds}s",
            "--latency",
            *given,
            f"http://127.0.0.1:{port}{path}",
        ],
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    assert "Non-2xx" not in said, said
    rate = float(re.findall(r"Requests/sec: +([\d.]+)", said)[0])
    p50, p99 = (re.findall(rf" {share}% +(\S+)", said)[0] for share in (50, 99))
    return rate, f"p50 {p50}, p99 {p99}"


def _resident(pid: int) -> float:
    status = Path(f"/proc/{pid}/status").read_text("ascii")
    return int(status.split("VmRSS:")[1].split()[0]) / 1024


def _paced(folder: Path, order: Order) -> dict[str, float]:
    file = folder / "paced.json"
    file.write_text(json.dumps(asdict(order)), "utf-8")
    command = [sys.executable, "-m", "tests.bench.paced", str(file)]
    done = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True)
    told: dict[str, float] = json.loads(done.stdout)
    assert told["bad"] == 0
    return told


def _request(target: str, headers: dict[str, str]) -> str:
    return (
        f"GET {target} HTTP/1.1\r\n"
        + "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        + "\r\n"
    )


def _told(told: dict[str, float]) -> str:
    return ", ".join(f"{name} {told[name] * 1000:.1f} ms" for name in ("p50", "p99", "worst"))


def _throughput(site: ForwardAuthSite, seconds: int) -> None:
    headers = _headers(site)
    rates: dict[str, list[float]] = {"/bare": [], "/auth/verify": []}
    late = ""
    for _ in range(TURNS):
        for path, found in rates.items():
            rate, late = _wrk(site.port, path, headers, seconds)
            found.append(rate)
    bare, verify = (median(found) for found in rates.values())
    print(f"bare answers     {bare:10,.0f} a second")
    print(f"/auth/verify     {verify:10,.0f} a second, goal {GOAL_RATE:,}; {late}")
    print(f"ratio            {verify / bare:10.2f}, goal {GOAL_RATIO}")


def _memory(site: ForwardAuthSite) -> None:
    before, asked = _resident(site.pid), 0.0
    while asked < REQUESTS:
        rate, _ = _wrk(site.port, "/auth/verify", _headers(site), SECONDS)
        asked += rate * SECONDS
    after = _resident(site.pid)
    print(
        f"resident         {after:10.0f} MiB, {after - before:+.1f} by {asked:,.0f} requests; goal {GOAL_MIB}"
    )


def _through_nginx(site: ForwardAuthSite, folder: Path, seconds: int) -> None:
    before = behind(folder, login_port=site.port, app_port=site.port)
    with proxies.nginx(find("nginx"), before) as proxy:
        headers = {"Host": f"{proxies.APP}:{proxy.port}"} | _headers(site)
        order = Order(
            port=proxy.port,
            rate=RATE,
            seconds=seconds * 2,
            connections=CONNECTIONS,
            request=_request("/bare", headers),
            authority=str(proxy.authority),
            name=proxies.APP,
        )
        told = _paced(folder, order)
    print(f"through nginx at {RATE} a second: {_told(told)}; goal for p99 {GOAL_NGINX_MS} ms")


@contextmanager
def _flood(site: ForwardAuthSite) -> Iterator[None]:
    """Wrong log-ins, as many as come."""
    command = ["wrk", "-t1", "-c16", "-d600s", "--timeout", "30s", f"http://127.0.0.1:{site.port}/wrong"]
    wrk = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    try:
        yield
    finally:
        wrk.terminate()
        wrk.wait()


def _during_a_flood(site: ForwardAuthSite, folder: Path, seconds: int) -> None:
    order = Order(
        port=site.port,
        rate=RATE,
        seconds=seconds * 2,
        connections=CONNECTIONS,
        request=_request("/auth/verify", {"Host": "login"} | _headers(site)),
    )
    print(f"verify at {RATE} a second: {_told(_paced(folder, order))}")
    with _flood(site):
        told = _paced(folder, order)
    print(f"during wrong log-ins    : {_told(told)}; goal for p99 {GOAL_FLOOD_MS} ms")


def _revocation(site: ForwardAuthSite) -> None:
    """From a session's end, committed here, to the first answer that knows it; asked without a pause."""
    took = []
    with closing(http.client.HTTPConnection("127.0.0.1", site.port)) as connection:

        def status(headers: dict[str, str]) -> int:
            connection.request("GET", "/auth/verify", headers=headers)
            answer = connection.getresponse()
            answer.read()
            return answer.status

        for number in range(REVOCATIONS):
            user = logged_in(site.db, NewUser(username=f"gone{number}"))
            headers = _headers(site) | dict([user.cookie]) | {"X-Original-URL": f"https://{proxies.OPEN}/"}
            asked_until = perf_counter() + number / REVOCATIONS
            while status(headers) == 200 and perf_counter() < asked_until:
                pass
            with site.db.write() as transaction:
                assert sessions.end(transaction, user.id, user_id=user.user_id)
            ended = perf_counter()
            while status(headers) == 200:
                pass
            took.append(perf_counter() - ended)
    print(f"a session's end is known after {median(took):.2f} s, {max(took):.2f} at most; goal 1")


def main() -> None:
    seconds = int(sys.argv[1]) if sys.argv[1:] else SECONDS
    programs = postgres_programs.find()
    if programs is None or shutil.which("wrk") is None:
        sys.exit(f"wrk (Debian: apt-get install wrk) and PostgreSQL are needed. {postgres_programs.REMEDY}")
    with PostgresServer(programs) as server, tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with forward_auth_site(folder, server.url(server.create_database())) as site:
            _throughput(site, seconds)
            _memory(site)
            _revocation(site)
            _through_nginx(site, folder, seconds)
            _during_a_flood(site, folder, seconds)


if __name__ == "__main__":
    main()
