"""A real Prometheus on a node, which scrapes pods and looks at alerts, and is asked by its HTTP API."""

from __future__ import annotations

import json
import math
from contextlib import contextmanager
from pathlib import Path
from tempfile import mkdtemp
from typing import TYPE_CHECKING, Any, Final

import httpx
import yaml

from tests.support.cluster import ways
from tests.support.waiting import until

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tests.support.chart import Tree
    from tests.support.cluster.machine import Machine

PORT: Final = 9090
"""Nobody else has it on a machine of its own."""

EVALUATION: Final = "1s"
"""How often the rules are looked at."""


_ANSWER_SECONDS: Final = 60
"""Ends a question that nobody answers; machines can be busy."""


class Prometheus:
    """It scrapes and looks at the rules; this asks it by its HTTP API."""

    def __init__(self, client: httpx.Client, folder: Path) -> None:
        """Ask by *client*, which knows the address; what is scraped stands in files of *folder*."""
        self._client = client
        self._folder = folder

    def scrape(self, jobs: Sequence[Tree]) -> None:
        """Scrape the targets of these jobs from now on; the jobs are those that it began with."""
        _write_targets(self._folder, jobs)

    def numbers(self, expression: str) -> list[float]:
        """Return the value of each series of an expression that is a number."""
        found = [float(series["value"][1]) for series in self._asked("query", query=expression)["result"]]
        return [value for value in found if not math.isnan(value)]

    def value(self, expression: str) -> float | None:
        """Return the one value of an expression, ``None`` where nothing has it."""
        result = self._asked("query", query=expression)["result"]
        return float(result[0]["value"][1]) if result else None

    def labels(self, expression: str) -> list[dict[str, str]]:
        """Return the labels of each series of an expression."""
        return [series["metric"] for series in self._asked("query", query=expression)["result"]]

    def alerts(self) -> dict[str, str]:
        """Return each alert with its state: ``inactive``, ``pending`` or ``firing``.

        Raises:
            AssertionError: A rule can't be evaluated.
        """
        groups = self._asked("rules", type="alert")["groups"]
        rules = [rule for group in groups for rule in group["rules"]]
        assert [rule for rule in rules if rule["health"] == "err"] == []
        return {rule["name"]: rule["state"] for rule in rules}

    def await_firing(self, *names: str) -> None:
        """Wait until these alerts fire, and no other one fires or is about to."""
        wanted, found = dict.fromkeys(names, "firing"), {"": ""}

        def so() -> bool:
            found.clear()
            found.update({name: state for name, state in self.alerts().items() if state != "inactive"})
            return found == wanted

        try:
            until(so, "alerts")
        except AssertionError as error:
            raise AssertionError(f"{found}, not {wanted}") from error

    def fired(self) -> set[str]:
        """Return the alerts that ever fired."""
        ever = 'max_over_time(ALERTS{alertstate="firing"}[1h])'
        return {labels["alertname"] for labels in self.labels(ever)}

    def _asked(self, what: str, **parameters: str) -> dict[str, Any]:
        answer = self._client.get(f"/api/v1/{what}", params=parameters).raise_for_status()
        data: dict[str, Any] = answer.json()["data"]
        return data


@contextmanager
def prometheus(machine: Machine, jobs: Sequence[Tree], groups: Sequence[Tree]) -> Iterator[Prometheus]:
    """Run it on a node, until the end of the ``with``.

    Args:
        machine: The node's.
        jobs: What to scrape.
        groups: Of alerts.
    """
    folder = Path(mkdtemp(prefix="prometheus-", dir=machine.folder))
    _write_targets(folder, jobs)
    told = {
        "global": {"evaluation_interval": EVALUATION},
        "rule_files": ["rules.yaml"],
        "scrape_configs": [
            {name: value for name, value in job.items() if name != "static_configs"}
            | {"file_sd_configs": [{"files": [_targets_of(number)]}]}
            for number, job in enumerate(jobs)
        ],
    }
    (folder / "prometheus.yaml").write_text(yaml.safe_dump(told), "utf-8")
    (folder / "rules.yaml").write_text(yaml.safe_dump({"groups": list(groups)}), "utf-8")
    program = machine.program(
        "prometheus",
        ways.find("prometheus"),
        f"--config.file={folder / 'prometheus.yaml'}",
        f"--storage.tsdb.path={folder / 'data'}",
        f"--web.listen-address={machine.address}:{PORT}",
    )
    program.start()
    try:
        url = f"http://{machine.address}:{PORT}"
        with httpx.Client(base_url=url, trust_env=False, timeout=_ANSWER_SECONDS) as client:
            until(lambda: not program.running or _ready(client), "Prometheus")
            assert program.running, program.log_end()
            yield Prometheus(client, folder)
    finally:
        program.stop()


def _targets_of(job: int) -> str:
    return f"targets-{job}.json"


def _write_targets(folder: Path, jobs: Sequence[Tree]) -> None:
    """Write where each job's targets are; Prometheus reads it again by itself."""
    for number, job in enumerate(jobs):
        written = folder / "targets.new"
        written.write_text(json.dumps(job["static_configs"]), "utf-8")
        written.rename(folder / _targets_of(number))


def _ready(client: httpx.Client) -> bool:
    try:
        return client.get("/-/ready").status_code == httpx.codes.OK
    except httpx.TransportError:
        return False
