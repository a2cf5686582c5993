"""One pure ASGI middleware: request count, duration, in-progress, log line, server span and ids."""

from __future__ import annotations

from collections.abc import Awaitable
from typing import Any

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
_IDLE = frozenset(
    (
        ("starlette.middleware.errors", "ServerErrorMiddleware"),
        ("fastapi.telemetry._asgi", "ExceptionTelemetryMiddleware"),
        ("fastapi._body_limit", "AppBodyLimitMiddleware"),
    )
)
"""What FastAPI puts around every application for errors and body sizes, both of which end here."""


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
        self._api: FastAPI | None = api
        tracer = place.tracer if isinstance(place.tracer, RecordingTracer) else None  # OTEL_SDK_DISABLED
        self._site = Site(
            app,
            place,
            tracer,
            metrics,
            max_body=max_body_bytes,
            routes=Routes(api),
            carriers=carrier_names(),
        )

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        """Handle one ASGI connection."""
        if self._api is not None:
            self._leave_out_idle_layers(self._api)
        if scope["type"] != "http":
            return self.app(scope, receive, send)
        if scope["path"] in QUIET_PATHS:
            return self._quietly(scope, receive, send)
        return Exchange(self._site, scope, send).run(receive)

    def _leave_out_idle_layers(self, api: FastAPI) -> None:
        """Become the application's outermost layer when those around this one have nothing to do.

        Each would wrap every message of every answer. One that was told to do something stays, and so
        do all when anything unknown stands among them.
        """
        self._api = None
        layer: Any = api.middleware_stack
        while layer is not self:
            kind = (type(layer).__module__, type(layer).__name__)
            told = getattr(layer, "debug", False) or getattr(layer, "handler", None) is not None
            if kind not in _IDLE or told:
                return
            layer = layer.app
        api.middleware_stack = self

    async def _quietly(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Neither counted, nor logged, nor traced: nor are the checks' own queries."""
        with suppress_instrumentation():
            await self.app(scope, receive, send)
