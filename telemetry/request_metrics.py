"""The three metrics of every request, under the names that a service chooses."""

from __future__ import annotations

from dataclasses import dataclass

from telemetry.metrics import Metrics
from telemetry.series import Mark

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

    def begin(self, method: str, endpoint: str) -> None:
        """A request arrived."""
        if self._in_progress:
            self._in_progress.add(1, method, endpoint)

    def end(self, method: str, endpoint: str, status: int, seconds: float, mark: Mark | None) -> None:
        """Its answer is complete, or will never be; `mark` names the span when it is sampled."""
        if not self._marked:
            mark = None
        if self._in_progress:
            self._in_progress.add(-1, method, endpoint)
        if self._requests:
            self._requests.series((method, endpoint, status)).inc(1, mark)
        if self._duration:
            self._duration.series((method, endpoint)).observe(seconds, mark)
