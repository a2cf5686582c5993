"""Somebody's own service: FastAPI with the public OpenTelemetry and Prometheus libraries, nothing of ours."""

import json
import logging
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI
from fastapi.responses import PlainTextResponse
from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from prometheus_client import Counter, make_asgi_app

ORDERS = Counter("bookshop_orders", "Orders that were looked at.")


class JsonLines(logging.Formatter):
    """One JSON object a line; `trace_id` is what leads from a line to its trace."""

    def format(self, record: logging.LogRecord) -> str:
        """The line."""
        trace_id = trace.get_current_span().get_span_context().trace_id
        line = {
            "level": record.levelname,
            "message": record.getMessage(),
            "trace_id": f"{trace_id:032x}" if trace_id else "",
        }
        return json.dumps(line)


provider = TracerProvider(resource=Resource.create({"service.name": "bookshop"}))
tracer = provider.get_tracer("bookshop")
log = logging.getLogger("bookshop")


@asynccontextmanager
async def lifespan(_: FastAPI) -> AsyncIterator[None]:
    """Spans go where OTEL_EXPORTER_OTLP_ENDPOINT says, lines to standard output."""
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(), schedule_delay_millis=500))
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(JsonLines())
    log.addHandler(handler)
    log.setLevel(logging.INFO)
    yield
    provider.shutdown()


app = FastAPI(lifespan=lifespan)
app.mount("/metrics", make_asgi_app())


@app.get("/orders/{number}", response_class=PlainTextResponse)
async def order(number: int) -> str:
    """Look at an order; the answer is the trace id."""
    with tracer.start_as_current_span("bookshop.order", attributes={"order.number": number}) as span:
        ORDERS.inc()
        log.info("Order %d was looked at", number)
        return f"{span.get_span_context().trace_id:032x}"
