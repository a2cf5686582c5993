"""Trace context that outlives a process: taken from the active span, kept as text, taken up again."""

from collections.abc import Iterator
from contextlib import contextmanager

from opentelemetry.context import Context, attach, detach
from opentelemetry.instrumentation.utils import suppress_instrumentation
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

__all__ = ["current_traceparent", "ids_of", "resumed", "suppress_instrumentation"]

HEADER = "traceparent"


def current_traceparent() -> str | None:
    """The active span as a W3C traceparent, or None outside any."""
    carrier: dict[str, str] = {}
    TraceContextTextMapPropagator().inject(carrier)
    return carrier.get(HEADER)


@contextmanager
def resumed(traceparent: str | None) -> Iterator[None]:
    """Spans inside the block are below that span, and of a new trace when there is none."""
    carrier = {HEADER: traceparent} if traceparent else {}
    token = attach(TraceContextTextMapPropagator().extract(carrier, context=Context()))
    try:
        yield
    finally:
        detach(token)


def ids_of(traceparent: str | None) -> tuple[str, str] | None:
    """The trace and span id in a traceparent."""
    parts = (traceparent or "").split("-")
    return (parts[1], parts[2]) if len(parts) == 4 else None
