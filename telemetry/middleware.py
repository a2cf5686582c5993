"""One pure ASGI middleware: request count, duration, in-progress, log line, server span and ids."""

from __future__ import annotations

from collections.abc import Awaitable

from fastapi import FastAPI
from opentelemetry.instrumentation.utils import suppress_instrumentation

from telemetry.exchange import App, Exchange, Receive, Scope, Send, Site
from telemetry.health import QUIET_PATHS
from telemetry.incoming import carrier_names
from telemetry.request_metrics import RequestMetrics
from telemetry.routes import Routes
from telemetry.scope import Place
from telemetry.tracers import RecordingTracer

DEFAULT_MAX_BODY = 1024 * 1024


class TelemetryMiddleware:
    """Wraps the application; everything it does for a request is finished when the request is."""

    def __init__(
        self,
        app: App,
        *,
        api: FastAPI,
        place: Place,
        metrics: RequestMetrics,
        max_body_bytes: int = DEFAULT_MAX_BODY,
    ) -> None:
        if place.tracer is None:
            raise ValueError("start the telemetry before it is put around an application")
        self.app = app
        tracer = place.tracer if isinstance(place.tracer, RecordingTracer) else None  # OTEL_SDK_DISABLED
        self._site = Site(app, place, tracer, metrics, max_body_bytes, Routes(api), carrier_names())

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        """Handle one ASGI connection."""
        if scope["type"] != "http":
            return self.app(scope, receive, send)
        if scope["path"] in QUIET_PATHS:
            return self._quietly(scope, receive, send)
        return Exchange(self._site, scope, send).run(receive)

    async def _quietly(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Neither counted, nor logged, nor traced: nor are the checks' own queries."""
        with suppress_instrumentation():
            await self.app(scope, receive, send)
