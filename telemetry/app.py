"""Joins metrics, logs and traces for one service, and puts them around its application."""

from __future__ import annotations

import atexit
from collections.abc import Mapping, Sequence
from types import MappingProxyType

from fastapi import FastAPI
from fastapi.telemetry import TelemetryConfig
from opentelemetry.sdk.trace.export import SpanExporter

from telemetry import logs, traces
from telemetry.clients import instrument_engine, instrument_httpx, instrument_redis
from telemetry.errors import install_error_handlers
from telemetry.health import Check, install_health
from telemetry.metrics import Metrics
from telemetry.middleware import DEFAULT_MAX_BODY, TelemetryMiddleware
from telemetry.request_metrics import RequestMetricNames, RequestMetrics
from telemetry.scope import Place, process_place
from telemetry.settings import TelemetrySettings
from telemetry.sinks import Sink
from telemetry.tracers import Provider

__all__ = [
    "FASTAPI_TELEMETRY_OFF",
    "RequestMetricNames",
    "Telemetry",
    "instrument",
    "instrument_engine",
    "instrument_httpx",
    "instrument_redis",
]

FASTAPI_TELEMETRY_OFF: TelemetryConfig = {
    "tracing": False,
    "metrics": False,
    "logs": False,
    "auto_configure": False,
}
"""For `FastAPI(telemetry=...)`: its own spans would double ours as soon as anyone sets a global provider."""

_NO_CHECKS: Mapping[str, Check] = MappingProxyType({})
_NAMES = RequestMetricNames()


class _CountedSpans:
    """Counts what became of spans; made before the provider, which reports to it."""

    def __init__(self, metrics: Metrics) -> None:
        self._exported = metrics.counter("telemetry_spans_exported_total", "Spans that the collector took.")
        self._dropped = metrics.counter(
            "telemetry_spans_dropped_total", "Spans that were lost, by reason.", ("reason",)
        )
        self._dropped.preset(*((reason,) for reason in ("queue_full", "export_failed", "failed", "shutdown")))

    def exported(self, count: int) -> None:
        """See export.Losses."""
        self._exported.add(count)

    def dropped(self, reason: str, count: int) -> None:
        """See export.Losses."""
        self._dropped.add(count, reason)


class Telemetry:
    """The telemetry of one service: `Telemetry.start(settings)`, and `shutdown()` at its end."""

    def __init__(
        self, settings: TelemetrySettings, metrics: Metrics, pipeline: logs.Pipeline, provider: Provider
    ) -> None:
        self.settings = settings
        self.metrics = metrics
        self.place = Place(provider, provider.get_tracer(traces.SCOPE), pipeline)
        self._pipeline = pipeline
        self._provider = provider
        self._stopped = False

    @classmethod
    def start(
        cls,
        settings: TelemetrySettings,
        *,
        exporter: SpanExporter | None = None,
        sinks: Sequence[Sink] | None = None,
    ) -> Telemetry:
        """Start logs and traces by `settings`, with a registry of its own.

        `exporter` and `sinks` replace the collector and standard output, for tests. The last
        telemetry that was started also serves what happens outside requests. Raises SettingsError.
        """
        metrics = Metrics(multiprocess_dir=settings.multiprocess_dir)
        lines_dropped = metrics.counter(
            "telemetry_log_lines_dropped_total", "Log lines that were lost, by reason.", ("reason",)
        )
        lines_dropped.preset(*((reason,) for reason in logs.DROP_REASONS))
        pipeline = logs.configure(
            settings, sinks=sinks, dropped=lambda reason, count: lines_dropped.add(count, reason)
        )
        provider = traces.make_provider(settings, _CountedSpans(metrics), exporter=exporter)
        telemetry = cls(settings, metrics, pipeline, provider)
        process_place.provider, process_place.tracer = provider, telemetry.place.tracer
        atexit.register(telemetry.shutdown)
        for warning in settings.warnings:
            logs.get_logger("telemetry").warning("Setting accepted with a remark", remark=warning)
        return telemetry

    def flush(self, timeout_seconds: float = 3.0) -> bool:
        """Wait for ended spans to be exported and lines to be written; False when time ran out."""
        spans = self._provider.force_flush(int(timeout_seconds * 1000))
        return self._pipeline.flush(timeout_seconds) and spans

    def shutdown(self) -> None:
        """Export and write what is left, for at most about six seconds; blocks, may be called twice."""
        if self._stopped:
            return
        self._stopped = True
        atexit.unregister(self.shutdown)
        self._provider.shutdown()
        self._pipeline.close()
        self.metrics.close()


def instrument(
    app: FastAPI,
    telemetry: Telemetry,
    *,
    ready: Mapping[str, Check] = _NO_CHECKS,
    names: RequestMetricNames = _NAMES,
    max_body_bytes: int = DEFAULT_MAX_BODY,
) -> None:
    """Put the middleware, the error answers, /metrics, /health/live and /health/ready on `app`.

    `ready` maps the name of each dependency to a check that raises when it cannot be used.
    """
    install_error_handlers(app)
    install_health(app, telemetry.metrics, ready)
    app.add_middleware(
        TelemetryMiddleware,
        api=app,
        place=telemetry.place,
        metrics=RequestMetrics(telemetry.metrics, names),
        max_body_bytes=max_body_bytes,
    )
