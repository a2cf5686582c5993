"""The running stack as the report asks it: Prometheus, Loki, Jaeger, and its folder of data."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Protocol

import httpx
import yaml

from firedrill.clients import Jaeger, Loki, Prometheus, Trace
from firedrill.clients.prometheus import series_of
from firedrill.pace import seconds
from firedrill.verify.platform import expected_targets

from .flow import Flow
from .model import Journey

REQUESTS = '{__name__=~"http_requests_total|ecommerce_http_requests_total"}'
_ACCEPTED = '{__name__=~"otelcol_receiver_accepted_spans(_total)?", job="collector"}'
_LOGS = '{service=~".+"}'
SAMPLED = 100  # traces of a service that are looked at
_WEIGHED = {
    "jaeger": (
        "jaeger_storage_badger_write_bytes_user",
        'otelcol_receiver_accepted_spans_total{job="jaeger"}',
    ),
    "tempo": ("tempo_distributor_bytes_received_total", "tempo_distributor_spans_received_total"),
}
"""Backends that count bytes, Jaeger as it stores them and Tempo as they come in; and the spans of them."""


class State(Protocol):
    """How a service is; `since` in unix seconds."""

    @property
    def since(self) -> float: ...


class RunningStack(Protocol):
    """The part of firedrill.stack.Stack that the report uses."""

    @property
    def runtime(self) -> str: ...
    @property
    def pace(self) -> str: ...
    @property
    def root(self) -> Path: ...
    @property
    def started(self) -> frozenset[str]: ...
    @property
    def state_folder(self) -> Path: ...
    def url(self, service: str, container_port: int | None = None) -> str: ...
    def state(self) -> Mapping[str, State]: ...


class LiveStack:
    """Asks the backends. Its methods raise BackendError."""

    def __init__(self, stack: RunningStack, *, http: httpx.Client) -> None:
        self._prometheus = Prometheus(stack.url("prometheus"), http=http)
        self._loki = Loki(stack.url("loki"), http=http)
        self._jaeger = Jaeger(stack.url("jaeger"), http=http)
        targets = expected_targets(stack.root, stack.started)
        self.services: Mapping[str, str] = {one.labels["job"]: one.service for one in targets}
        """The compose service of each job."""
        slices = stack.root / "services"
        self.slices = sorted(one for one in stack.started if (slices / one / "signals.py").is_file())
        """The demo services that run."""

    def seen_seconds(self, window: float) -> float:
        """For how many of the last `window` seconds Prometheus has been scraping."""
        config = yaml.safe_load(self._prometheus.get("/api/v1/status/config")["data"]["yaml"])
        scrapes = self._prometheus.query(f'count_over_time(up{{job="prometheus"}}[{window:.0f}s])').total()
        return min(window, (scrapes or 0.0) * seconds(str(config["global"]["scrape_interval"])))

    def series(self, *, at: float) -> list[Mapping[str, str]]:
        """The labels of every series that has a sample at unix second `at`."""
        return [one.labels for one in self._prometheus.query('{__name__!=""}', at=at).series]

    def samples_per_second(self, length: float) -> float | None:
        """What Prometheus stores."""
        return self._prometheus.query(
            f"sum(rate(prometheus_tsdb_head_samples_appended_total[{length:.0f}s]))"
        ).total()

    def log_streams(self) -> float | None:
        """What Loki holds in memory."""
        return self._prometheus.query("sum(loki_ingester_memory_streams)").total()

    def flow(self, length: float, *, at: float) -> Flow:
        """Requests, lines and spans of the last `length` seconds before unix second `at`."""
        window = f"[{length:.0f}s]"
        requests = self._prometheus.query(f"sum by (job) (increase({REQUESTS}{window}))", at=at)
        weighed = {}
        for name, metrics in _WEIGHED.items():
            size, spans = (self._total(f"sum(increase({one}{window}))", at) for one in metrics)
            if size is not None and spans is not None:
                weighed[name] = (size, spans)
        return Flow(
            seconds=length,
            requests={
                self.services.get(one.labels["job"], one.labels["job"]): one.points[-1][1]
                for one in requests.series
            },
            lines=self._logs("count_over_time", window, at),
            line_bytes=self._logs("bytes_over_time", window, at),
            spans=self._total(f"sum(increase({_ACCEPTED}{window}))", at),
            span_bytes=weighed,
        )

    def traces(self, service: str, *, start: float, end: float) -> Sequence[Trace]:
        """Traces in which a service took part."""
        return self._jaeger.recent(service, start=start, end=end, limit=SAMPLED)

    def journeys(self, journey: Journey, *, start: float, end: float) -> list[Trace]:
        """Whole traces that begin as the journey does."""
        found = self._jaeger.recent(
            journey.service, start=start, end=end, limit=SAMPLED, operation=journey.operation
        )
        wanted = (journey.service, journey.operation, "")
        return [
            one
            for one in found
            if any((span.service, span.name, span.parent) == wanted for span in one.spans)
        ]

    def span_names(self, service: str) -> int:
        """How many names the spans of a service have in Jaeger."""
        return len(set(self._jaeger.get(f"/api/services/{service}/operations").get("data") or ()))

    def _total(self, promql: str, at: float) -> float | None:
        return self._prometheus.query(promql, at=at).total()

    def _logs(self, function: str, window: str, at: float) -> dict[str, float]:
        query: dict[str, str | int | float] = {
            "query": f"sum by (service) ({function}({_LOGS}{window}))",
            "time": int(at * 1e9),
        }
        found = series_of(self._loki.get("/loki/api/v1/query", query)["data"]["result"])
        return {one.labels.get("service", "?"): one.points[-1][1] for one in found}
