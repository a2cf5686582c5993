"""The same route five times: bare, with our telemetry, and with what others would use.

Every function is a factory for uvicorn. What only one of them needs, or only the bench's own
environment has, is imported inside.
"""

# ruff: noqa: PLC0415 - see above

from __future__ import annotations

import logging
import os
import time
from collections.abc import Awaitable, Callable
from importlib import import_module

from fastapi import FastAPI, Request, Response

PATH = "/items/42"


def _with_route(app: FastAPI) -> FastAPI:
    @app.get("/items/{item_id}")
    async def item(item_id: int) -> dict[str, int | str]:
        return {"item": item_id, "name": "a thing"}

    return app


def bare() -> FastAPI:
    """FastAPI as it comes."""
    return _with_route(FastAPI())


def quiet() -> FastAPI:
    """FastAPI with its own telemetry switched off; it asks for a provider in every request."""
    from telemetry.app import FASTAPI_TELEMETRY_OFF

    return _with_route(FastAPI(telemetry=FASTAPI_TELEMETRY_OFF))


def ours() -> FastAPI:
    """Metrics with exemplars, a JSON line, and a span for each request, as in every service here."""
    from telemetry.app import FASTAPI_TELEMETRY_OFF, Telemetry, instrument
    from telemetry.settings import TelemetrySettings

    telemetry = Telemetry.start(TelemetrySettings.from_environment(os.environ))
    app = _with_route(FastAPI(telemetry=FASTAPI_TELEMETRY_OFF))
    instrument(app, telemetry)
    return app


def instrumentator() -> FastAPI:
    """Metrics only, by prometheus-fastapi-instrumentator as its front page shows it."""
    package = import_module("prometheus_fastapi_instrumentator")
    app = _with_route(FastAPI())
    package.Instrumentator().instrument(app).expose(app)
    return app


def recipe() -> FastAPI:
    """Metrics with exemplars, traces and text logs, the way that tutorials join them."""
    from opentelemetry import trace
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor
    from prometheus_client import Counter, Gauge, Histogram, make_asgi_app
    from starlette.middleware.base import BaseHTTPMiddleware

    labels = ("method", "path", "app_name")
    requests = Counter("fastapi_requests_total", "Requests.", labels)
    responses = Counter("fastapi_responses_total", "Responses.", (*labels, "status_code"))
    seconds = Histogram("fastapi_requests_duration_seconds", "Duration.", labels)
    running = Gauge("fastapi_requests_in_progress", "Running.", labels)
    log = logging.getLogger("recipe")

    async def measure(request: Request, call_next: Callable[[Request], Awaitable[Response]]) -> Response:
        where = ("GET", "/items/{item_id}", "recipe")
        running.labels(*where).inc()
        requests.labels(*where).inc()
        begun = time.perf_counter()
        try:
            response = await call_next(request)
            context = trace.get_current_span().get_span_context()
            exemplar = {"TraceID": trace.format_trace_id(context.trace_id)}
            seconds.labels(*where).observe(time.perf_counter() - begun, exemplar)
        finally:
            running.labels(*where).dec()
        responses.labels(*where, response.status_code).inc()
        log.info("%s %s %s", request.method, request.url.path, response.status_code)
        return response

    provider = TracerProvider(resource=Resource.create({"service.name": "recipe"}))
    trace.set_tracer_provider(provider)
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    import_module("opentelemetry.instrumentation.logging").LoggingInstrumentor().instrument(
        set_logging_format=True, log_level=logging.INFO
    )
    app = _with_route(FastAPI())
    app.add_middleware(BaseHTTPMiddleware, dispatch=measure)
    app.mount("/metrics", make_asgi_app())
    instrumentation = import_module("opentelemetry.instrumentation.fastapi")
    instrumentation.FastAPIInstrumentor.instrument_app(app, tracer_provider=provider)
    return app
