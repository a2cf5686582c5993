"""The three metrics of every request, under the names that a service chooses.

A request only notes that it began and how it ended; many notes are counted together, which costs a
fraction of counting each, and always before the metrics are read.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import prometheus_client as prom

from telemetry.metrics import Counter, Gauge, Metrics
from telemetry.series import CounterSeries, HistogramSeries, Mark

DEFAULT_BUCKETS = (
    0.005, 0.01, 0.025, 0.05, 0.1, 0.2, 0.3, 0.5, 0.8, 1.0, 1.5, 2.0, 2.5, 3.0, 5.0, 10.0,
)  # fmt: skip
"""Seconds, with an edge at each service's target: fds 0.1, ecommerce 0.2, artisan 2.5, aegis 3."""

MOST_NOTES = 512
"""Notes that wait until they are counted; counting them takes about half a millisecond."""


@dataclass(frozen=True, kw_only=True)
class RequestMetricNames:
    """What the request metrics are called, and their labels; None leaves a metric out."""

    requests: str | None = "http_requests_total"
    duration: str | None = "http_request_duration_seconds"
    in_progress: str | None = "http_requests_in_progress"
    method: str = "method"
    endpoint: str = "endpoint"
    status: str = "status"
    buckets: tuple[float, ...] = DEFAULT_BUCKETS


class RouteMetrics:
    """The metrics of one route, whose series are looked up once."""

    __slots__ = ("_duration", "_requests", "_running", "_statuses", "_where")

    def __init__(
        self,
        where: tuple[str, str],
        requests: Counter | None,
        duration: HistogramSeries | None,
        running: Gauge | None,
    ) -> None:
        self._where = where
        self._requests = requests
        self._duration = duration
        self._running = None if running is None else running.series(where)
        self._statuses: dict[int, CounterSeries] = {}

    def change_running(self, difference: int) -> None:
        """So many more requests are being handled."""
        if self._running is not None and difference:
            self._running.inc(difference)

    def ended(self, status: int, seconds: float, mark: Mark | None, at: float) -> None:
        """An answer was complete, or will never be; `mark` names the span when it is sampled."""
        if self._requests is not None:
            series = self._statuses.get(status)
            if series is None:
                series = self._statuses[status] = self._requests.series((*self._where, status))
            if mark is None:
                series.inc(1, None)
            else:
                series.inc(1, mark, at)
        if self._duration is None:
            return
        if mark is None:
            self._duration.observe(seconds, None)
        else:
            self._duration.observe(seconds, mark, at)


_Ended = tuple[RouteMetrics, int, float, Mark | None, int]
"""Route, status, seconds, the span when it is sampled, and the end in nanoseconds since 1970."""


class _Reader:
    """A collector without metrics of its own: it stands before the others and counts what waits."""

    def __init__(self, requests: RequestMetrics) -> None:
        self._requests = requests

    def describe(self) -> Iterable[prom.Metric]:
        """No names."""
        return ()

    def collect(self) -> Iterable[prom.Metric]:
        """Nothing."""
        self._requests.count_notes()
        return ()


class RequestMetrics:
    """Counts requests; `endpoint` is always a route's template or `unknown`."""

    def __init__(self, metrics: Metrics, names: RequestMetricNames) -> None:
        metrics.registry.register(_Reader(self))
        where = (names.method, names.endpoint)
        self._requests = names.requests and metrics.counter(
            names.requests, "Requests answered, by method, route and status.", (*where, names.status)
        )
        self._duration = names.duration and metrics.histogram(
            names.duration, "Seconds until a request's answer was complete.", where, buckets=names.buckets
        )
        self._in_progress = names.in_progress and metrics.gauge(
            names.in_progress, "Requests being handled now.", where
        )
        self._marked = metrics.marked
        self._notes: deque[RouteMetrics | _Ended] = deque()
        self._counting = threading.Lock()
        # What several workers share is read without this process being asked: nothing may wait then.
        self._most = MOST_NOTES if metrics.marked else 1
        self.begin: Callable[[RouteMetrics], None] = self._notes.append if metrics.marked else self._begin
        """A request of a route arrived."""

    def of(self, method: str, endpoint: str) -> RouteMetrics:
        """Those of one route; both are of closed sets."""
        where = (method, endpoint)
        duration = self._duration.series(where) if self._duration else None
        return RouteMetrics(where, self._requests or None, duration, self._in_progress or None)

    def _begin(self, route: RouteMetrics) -> None:
        self._notes.append(route)
        self.count_notes()

    def end(self, ended: _Ended) -> None:
        """A request that began has ended."""
        notes = self._notes
        notes.append(ended)
        if len(notes) >= self._most:
            self.count_notes()

    @property
    def waiting(self) -> int:
        """How many notes are not counted yet."""
        return len(self._notes)

    def count_notes(self) -> None:
        """Count what was noted so far."""
        notes = self._notes
        running: dict[RouteMetrics, int] = {}
        with self._counting:
            for _ in range(len(notes)):
                note = notes.popleft()
                if isinstance(note, RouteMetrics):
                    running[note] = running.get(note, 0) + 1
                    continue
                route, status, seconds, mark, at = note
                running[route] = running.get(route, 0) - 1
                route.ended(status, seconds, mark if self._marked else None, at / 1e9)
            for route, difference in running.items():
                route.change_running(difference)
