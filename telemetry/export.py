"""The way of a span out of the process: a bounded queue, masking, export, and a count of losses."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

from opentelemetry.context import Context, attach, detach
from opentelemetry.instrumentation.utils import suppress_instrumentation
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult

from telemetry.background import Background
from telemetry.masked_spans import readable
from telemetry.otlp import Encoder
from telemetry.spans import RecordedSpan

CLOSE_SECONDS = 3.0
_MAX_BYTES = 64 * 1024 * 1024  # as the SDK's exporter has it
_log = logging.getLogger("opentelemetry.export")  # under this name it is rate-limited like the SDK's


class Losses(Protocol):
    """Hears what became of finished spans."""

    def exported(self, count: int) -> None:
        """These reached the collector."""

    def dropped(self, reason: str, count: int) -> None:
        """These did not: queue_full, export_failed, failed or shutdown."""


class ExportQueue:
    """Batches finished spans by OTEL_BSP_*, like the SDK's own processor.

    That one neither tells what it drops nor stops in time when the collector is dead: its
    `shutdown` may wait 30 s, and `force_flush` ignores its timeout (opentelemetry-python #4568).
    """

    def __init__(self, exporter: SpanExporter, losses: Losses, otel: Mapping[str, str]) -> None:
        self._exporter = exporter
        self._send = _sender(exporter)
        self._losses = losses
        capacity = _number(otel, "OTEL_BSP_MAX_QUEUE_SIZE", 2048)
        self._queue: Background[RecordedSpan] = Background(
            "telemetry-spans",
            self._export,
            dropped=losses.dropped,
            capacity=capacity,
            batch=min(capacity, _number(otel, "OTEL_BSP_MAX_EXPORT_BATCH_SIZE", 512)),
            linger_seconds=_number(otel, "OTEL_BSP_SCHEDULE_DELAY", 5000) / 1000,
        )

    def take(self, span: RecordedSpan) -> None:
        """Queue a finished span."""
        self._queue.put(span)

    def flush(self, timeout_seconds: float) -> bool:
        """Export what has ended so far; False when time ran out."""
        return self._queue.flush(timeout_seconds)

    def shutdown(self) -> None:
        """Export what is queued for at most CLOSE_SECONDS, then count the rest as lost."""
        stopped = False

        def stop() -> None:
            nonlocal stopped
            stopped = True
            self._exporter.shutdown()

        self._queue.close(CLOSE_SECONDS, interrupt=stop)
        if not stopped:
            self._exporter.shutdown()

    def _export(self, batch: list[RecordedSpan]) -> None:
        token = attach(Context())
        try:
            with suppress_instrumentation():  # the exporter's own requests are no spans
                result = self._send(batch)
        except Exception as error:  # an exporter's own boundary
            _log.warning("Exporting spans failed: %s: %s", type(error).__name__, error)
            result = SpanExportResult.FAILURE
        finally:
            detach(token)
        if result is SpanExportResult.SUCCESS:
            self._losses.exported(len(batch))
        else:
            self._losses.dropped("export_failed", len(batch))


def _sender(exporter: SpanExporter) -> Callable[[Sequence[RecordedSpan]], SpanExportResult]:
    """How batches go through this exporter: as bytes of our own when it is the SDK's for OTLP over HTTP.

    Encoding with its message objects takes seven times as long. Endpoint, headers, certificates,
    compression, timeout and repeats stay the exporter's, whose HTTP client has no public name.
    """
    post: Callable[[bytes], Any] | None = getattr(getattr(exporter, "_client", None), "export", None)
    if type(exporter).__name__ != "OTLPSpanExporter" or post is None:
        return lambda batch: exporter.export([readable(span) for span in batch])
    encode = Encoder()

    def send(batch: Sequence[RecordedSpan]) -> SpanExportResult:
        data = encode(batch)
        if len(data) > _MAX_BYTES:
            _log.warning("A batch of spans is too large: lower OTEL_BSP_MAX_EXPORT_BATCH_SIZE")
            return SpanExportResult.FAILURE
        return SpanExportResult.SUCCESS if post(data).success else SpanExportResult.FAILURE

    return send


def _number(otel: Mapping[str, str], name: str, default: int) -> int:
    try:
        number = int(otel.get(name) or default)
    except ValueError:
        number = 0
    if number <= 0:
        _log.warning("%s=%s is no positive whole number: %s is used", name, otel.get(name), default)
        return default
    return number
