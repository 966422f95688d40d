"""What a log-in replica tells Prometheus. No user, no address and no id is ever a label.

Forward-auth is asked many thousand times a second, so its durations are counted in plain numbers, by the one
thread that answers, and made into a histogram when Prometheus asks.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Iterator
from itertools import accumulate
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, disable_created_metrics
from prometheus_client.core import HistogramMetricFamily
from prometheus_client.registry import Collector

from practicus_mfa import __version__

PREFIX: Final = "practicus_mfa"

LOGIN_RESULTS: Final = (
    "success",
    "wrong_credentials",
    "wrong_code",
    "clock_skew",
    "stopped",
    "unreadable",
    "expired",
    "busy",
    "error",
)
"""``error`` is ours: the database was away, the replica not ready, or a fault of the program."""

ENROLLMENT_RESULTS: Final = ("success", "wrong_code", "clock_skew", "expired", "error")

LOGIN_SECONDS: Final = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
"""Upper bounds of the histogram's buckets; hashing a password takes some 25 ms."""

VERIFY_SECONDS: Final = (0.000_05, 0.000_1, 0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.1, 1.0)

# When a counter began is a series more for each, and nothing asks for it.
disable_created_metrics()  # type: ignore[no-untyped-call]


class LoginMetrics:
    """The metrics of one replica, in a registry of their own."""

    def __init__(self) -> None:
        """Begin at zero; each known result is there from the start, so that its rate can be asked for."""
        self.registry: Final = CollectorRegistry()
        self._logins = self._counter("login", "Steps of logging in, by result.", LOGIN_RESULTS)
        self._enrolments = self._counter(
            "enrollments", "Attempts to set up a second factor, by result.", ENROLLMENT_RESULTS
        )
        self._login_seconds = Histogram(
            f"{PREFIX}_login_duration_seconds",
            "How long a step of logging in took.",
            buckets=LOGIN_SECONDS,
            registry=self.registry,
        )
        self._unavailable = Counter(
            f"{PREFIX}_verify_unavailable",
            "Questions of forward-auth whose session could not be looked up.",
            registry=self.registry,
        )
        self._verify = _Verify(VERIFY_SECONDS)
        self.registry.register(self._verify)
        info = Gauge(f"{PREFIX}_build_info", "Which program this is.", ("version",), registry=self.registry)
        info.labels(__version__).set(1)
        self.verify_seconds = self._verify.observe
        """Count an answer of forward-auth and its seconds; for the event loop's thread alone."""

    def _counter(self, name: str, text: str, results: Iterable[str]) -> Counter:
        counter = Counter(f"{PREFIX}_{name}", text, ("result",), registry=self.registry)
        for result in results:
            counter.labels(result)
        return counter

    def login(self, result: str) -> None:
        """Count a step of logging in that ended so."""
        self._logins.labels(result).inc()

    def login_seconds(self, seconds: float) -> None:
        """Note how long a step of logging in took."""
        self._login_seconds.observe(seconds)

    def enrolment(self, result: str) -> None:
        """Count an attempt to set up a second factor that ended so."""
        self._enrolments.labels(result).inc()

    def verify_unavailable(self) -> None:
        """Count a question of forward-auth that could not be answered: the database was away."""
        self._unavailable.inc()


class _Verify(Collector):
    """Durations of forward-auth's answers."""

    __slots__ = ("_bounds", "_counts", "_sum")

    def __init__(self, bounds: tuple[float, ...]) -> None:
        self._bounds = bounds
        self._counts = [0] * (len(bounds) + 1)
        self._sum = 0.0

    def observe(self, seconds: float) -> None:
        """Count one."""
        self._counts[bisect_left(self._bounds, seconds)] += 1
        self._sum += seconds

    def collect(self) -> Iterator[HistogramMetricFamily]:
        """Return them as Prometheus wants them: each bucket with all that are below it."""
        names = [*(f"{bound:g}" for bound in self._bounds), "+Inf"]
        yield HistogramMetricFamily(
            f"{PREFIX}_verify_duration_seconds",
            "How long an answer of forward-auth took.",
            buckets=list(zip(names, accumulate(self._counts), strict=True)),
            sum_value=self._sum,
        )
