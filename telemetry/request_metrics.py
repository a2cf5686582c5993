"""The three metrics of every request, under the names that a service chooses."""

from __future__ import annotations

from dataclasses import dataclass

from telemetry.metrics import Counter, Gauge, Metrics
from telemetry.series import CounterSeries, HistogramSeries, Mark

DEFAULT_BUCKETS = (
    0.005, 0.01, 0.025, 0.05, 0.1, 0.2, 0.3, 0.5, 0.8, 1.0, 1.5, 2.0, 2.5, 3.0, 5.0, 10.0,
)  # fmt: skip
"""Seconds, with an edge at each service's target: fds 0.1, ecommerce 0.2, artisan 2.5, aegis 3."""


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


class RequestMetrics:
    """Counts requests; `endpoint` is always a route's template or `unknown`."""

    def __init__(self, metrics: Metrics, names: RequestMetricNames) -> None:
        where = (names.method, names.endpoint)
        self._marked = metrics.marked
        self._requests = names.requests and metrics.counter(
            names.requests, "Requests answered, by method, route and status.", (*where, names.status)
        )
        self._duration = names.duration and metrics.histogram(
            names.duration, "Seconds until a request's answer was complete.", where, buckets=names.buckets
        )
        self._in_progress = names.in_progress and metrics.gauge(
            names.in_progress, "Requests being handled now.", where
        )

        self._by_route: dict[tuple[str, str], RouteMetrics] = {}

    def of(self, method: str, endpoint: str) -> RouteMetrics:
        """Those of one route; both are of closed sets."""
        known = self._by_route.get((method, endpoint))
        if known is None:
            known = self._by_route[method, endpoint] = RouteMetrics(
                (method, endpoint),
                self._requests or None,
                self._duration.series((method, endpoint)) if self._duration else None,
                self._in_progress or None,
                marked=self._marked,
            )
        return known


class RouteMetrics:
    """The metrics of one route, whose series are looked up once."""

    __slots__ = ("_duration", "_marked", "_requests", "_running", "_statuses", "_where")

    def __init__(
        self,
        where: tuple[str, str],
        requests: Counter | None,
        duration: HistogramSeries | None,
        running: Gauge | None,
        *,
        marked: bool,
    ) -> None:
        self._where = where
        self._requests = requests
        self._duration = duration
        self._running = None if running is None else running.series(where)
        self._statuses: dict[int, CounterSeries] = {}
        self._marked = marked

    def begin(self) -> None:
        """A request arrived."""
        if self._running is not None:
            self._running.inc()

    def end(self, status: int, seconds: float, mark: Mark | None) -> None:
        """Its answer is complete, or will never be; `mark` names the span when it is sampled."""
        if not self._marked:
            mark = None
        if self._running is not None:
            self._running.dec()
        if self._requests is not None:
            series = self._statuses.get(status)
            if series is None:
                series = self._statuses[status] = self._requests.series((*self._where, status))
            series.inc(1, mark)
        if self._duration is not None:
            self._duration.observe(seconds, mark)
