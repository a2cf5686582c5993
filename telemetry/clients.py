"""Client spans of the database, the cache and HTTP peers, with context passed on to peers."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary, WeakSet

from opentelemetry import trace
from opentelemetry.metrics import NoOpMeterProvider

from telemetry.scope import current_place

if TYPE_CHECKING:
    from httpx import Request
    from sqlalchemy.ext.asyncio import AsyncEngine

_SEMCONV = "OTEL_SEMCONV_STABILITY_OPT_IN"
_lock = threading.Lock()
_done: set[str] = set()
_engines: WeakSet[Any] = WeakSet()
_NO_TRACER = trace.NoOpTracer()


class RoutedProvider(trace.TracerProvider):
    """Gives tracers that follow the running request to its own provider.

    The instrumentation of httpx and redis is one for the process; providers are one per service.
    """

    def get_tracer(self, instrumenting_module_name: str, *args: Any, **kwargs: Any) -> trace.Tracer:
        """A tracer for one instrumentation; the arguments are those of OpenTelemetry."""
        return _RoutedTracer(instrumenting_module_name, args, kwargs)


class _RoutedTracer(trace.Tracer):
    def __init__(self, name: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        self._name = name
        self._args = args
        self._kwargs = kwargs
        self._tracers: WeakKeyDictionary[trace.TracerProvider, trace.Tracer] = WeakKeyDictionary()

    def _tracer(self) -> trace.Tracer:
        provider = current_place().provider
        if provider is None:
            return _NO_TRACER
        tracer = self._tracers.get(provider)
        if tracer is None:
            tracer = self._tracers[provider] = provider.get_tracer(self._name, *self._args, **self._kwargs)
        return tracer

    def start_span(self, name: str, *args: Any, **kwargs: Any) -> trace.Span:
        """See opentelemetry.trace.Tracer."""
        return self._tracer().start_span(name, *args, **kwargs)

    def start_as_current_span(  # type: ignore[override]  # the base class decorates its own
        self, name: str, *args: Any, **kwargs: Any
    ) -> AbstractContextManager[trace.Span]:
        """See opentelemetry.trace.Tracer."""
        return self._tracer().start_as_current_span(name, *args, **kwargs)


_PROVIDER = RoutedProvider()


def _first_time(what: str) -> Iterator[None]:
    """Yield once in a process, with the stable names of HTTP and database attributes chosen."""
    with _lock:
        if what not in _done:
            _done.add(what)
            os.environ.setdefault(_SEMCONV, "http,database")
            yield


def instrument_httpx() -> None:
    """A client span for each httpx request, which carries trace context and baggage to the peer."""
    from opentelemetry.instrumentation.httpx import HTTPXClientInstrumentor  # noqa: PLC0415 - optional

    for _ in _first_time("httpx"):
        HTTPXClientInstrumentor().instrument(
            tracer_provider=_PROVIDER,
            meter_provider=NoOpMeterProvider(),
            request_hook=_name_peer,
            async_request_hook=_name_peer_later,
        )


def _name_peer(span: trace.Span, request: Request) -> None:
    host = request.url.host
    span.set_attribute("peer.service", host.decode() if isinstance(host, bytes) else str(host))


async def _name_peer_later(span: trace.Span, request: Request) -> None:
    _name_peer(span, request)


def instrument_redis() -> None:
    """A client span for each Redis command; arguments are not recorded."""
    from opentelemetry.instrumentation.redis import RedisInstrumentor  # noqa: PLC0415 - optional

    for _ in _first_time("redis"):
        RedisInstrumentor().instrument(tracer_provider=_PROVIDER, response_hook=_name_batch)


def _name_batch(span: trace.Span, instance: Any, _: object) -> None:
    """A pipeline's span is named by its kinds of command: one name, however many commands there are."""
    name = getattr(span, "name", "")
    if hasattr(instance, "command_stack") and name:
        commands = name.split()
        span.update_name(f"PIPELINE {' '.join(dict.fromkeys(commands))}")
        span.set_attribute("db.operation.batch.size", len(commands))


def uninstrument_clients() -> None:
    """Take back what instrument_httpx and instrument_redis did to this process."""
    with _lock:
        if "httpx" in _done:
            from opentelemetry.instrumentation.httpx import HTTPXClientInstrumentor  # noqa: PLC0415 - optional

            HTTPXClientInstrumentor().uninstrument()
        if "redis" in _done:
            from opentelemetry.instrumentation.redis import RedisInstrumentor  # noqa: PLC0415 - optional

            RedisInstrumentor().uninstrument()
        _done.clear()


def instrument_engine(engine: AsyncEngine) -> None:
    """A client span for each SQL statement of this engine; parameter values are not recorded.

    Make the engine with `hide_parameters=True`, or its exceptions repeat the values.
    """
    from opentelemetry.instrumentation.sqlalchemy.engine import EngineTracer  # noqa: PLC0415 - optional

    os.environ.setdefault(_SEMCONV, "http,database")
    sync_engine = engine.sync_engine
    with _lock:
        if sync_engine in _engines:
            return
        _engines.add(sync_engine)
    meter = NoOpMeterProvider().get_meter(__name__)
    tracer = _PROVIDER.get_tracer("opentelemetry.instrumentation.sqlalchemy")
    EngineTracer(tracer, sync_engine, meter.create_up_down_counter("db.client.connections.usage"))  # type: ignore[no-untyped-call]
