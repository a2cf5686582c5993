"""The way of a span out of the process: a bounded queue, masking, export, and a count of losses."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Protocol

from opentelemetry.context import Context, attach, detach
from opentelemetry.instrumentation.utils import suppress_instrumentation
from opentelemetry.sdk.trace import Event, ReadableSpan, Span, SpanProcessor
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult
from opentelemetry.trace import Link, Status
from opentelemetry.util.types import AnyValue, Attributes

from telemetry.background import Background
from telemetry.masking import mask_pair, mask_text

CLOSE_SECONDS = 3.0
_SMALL = 2**40  # far from a card number and from what OTLP cannot hold
_log = logging.getLogger("opentelemetry.export")  # under this name it is rate-limited like the SDK's


class Losses(Protocol):
    """Hears what became of finished spans."""

    def exported(self, count: int) -> None:
        """These reached the collector."""

    def dropped(self, reason: str, count: int) -> None:
        """These did not: queue_full, export_failed, failed or shutdown."""


class ExportQueue(SpanProcessor):
    """Batches finished, sampled spans by OTEL_BSP_*, like the SDK's own processor.

    That one neither tells what it drops nor stops in time when the collector is dead: its
    `shutdown` may wait 30 s, and `force_flush` ignores its timeout (opentelemetry-python #4568).
    """

    def __init__(self, exporter: SpanExporter, losses: Losses, otel: Mapping[str, str]) -> None:
        self._exporter = exporter
        self._losses = losses
        capacity = _number(otel, "OTEL_BSP_MAX_QUEUE_SIZE", 2048)
        self._queue: Background[ReadableSpan] = Background(
            "telemetry-spans",
            self._export,
            dropped=losses.dropped,
            capacity=capacity,
            batch=min(capacity, _number(otel, "OTEL_BSP_MAX_EXPORT_BATCH_SIZE", 512)),
            linger_seconds=_number(otel, "OTEL_BSP_SCHEDULE_DELAY", 5000) / 1000,
        )

    def on_start(self, span: Span, parent_context: Context | None = None) -> None:
        """Nothing happens at the start of a span."""

    def on_end(self, span: ReadableSpan) -> None:
        """Queue a finished span when its trace is sampled."""
        context = span.context
        if context is not None and context.trace_flags & 1:
            self._queue.put(span)

    def force_flush(self, timeout_millis: int = 30000) -> bool:
        """Export what has ended so far; False when time ran out."""
        return self._queue.flush(timeout_millis / 1000)

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

    def _export(self, batch: list[ReadableSpan]) -> None:
        token = attach(Context())
        try:
            with suppress_instrumentation():  # the exporter's own requests are no spans
                result = self._exporter.export([mask_span(span) for span in batch])
        except Exception as error:  # an exporter's own boundary
            _log.warning("Exporting spans failed: %s: %s", type(error).__name__, error)
            result = SpanExportResult.FAILURE
        finally:
            detach(token)
        if result is SpanExportResult.SUCCESS:
            self._losses.exported(len(batch))
        else:
            self._losses.dropped("export_failed", len(batch))


def _number(otel: Mapping[str, str], name: str, default: int) -> int:
    try:
        number = int(otel.get(name) or default)
    except ValueError:
        number = 0
    if number <= 0:
        _log.warning("%s=%s is no positive whole number: %s is used", name, otel.get(name), default)
        return default
    return number


def mask_span(span: ReadableSpan) -> ReadableSpan:
    """The finished span when no text in it holds a secret, or else a masked copy."""
    if not (span.events or span.links or span.status.description) and _is_clean(span):
        return span
    events = [Event(_text(event.name), _masked(event.attributes), event.timestamp) for event in span.events]
    return ReadableSpan(
        name=_text(span.name),
        context=span.context,
        parent=span.parent,
        resource=span.resource,
        attributes=_masked(span.attributes),
        events=events,
        links=[Link(link.context, _masked(link.attributes)) for link in span.links],
        kind=span.kind,
        status=_masked_status(span.status),
        start_time=span.start_time,
        end_time=span.end_time,
        instrumentation_scope=span.instrumentation_scope,
    )


def _is_clean(span: ReadableSpan) -> bool:
    """Whether a span without events and links can go out as it is, as most can."""
    for key, value in (span.attributes or {}).items():
        if isinstance(value, str):
            fits = value.isascii()
        else:
            fits = isinstance(value, bool | int | float) and -_SMALL < value < _SMALL
        if not fits or mask_pair(key, value) != value or mask_text(key) != key or not key.isascii():
            return False
    return span.name.isascii() and mask_text(span.name) == span.name


def _masked_status(status: Status) -> Status:
    if not status.description:
        return status
    return Status(status.status_code, _text(status.description))


def _masked(attributes: Attributes) -> dict[str, AnyValue]:
    return {_text(key): _masked_attribute(key, value) for key, value in (attributes or {}).items()}


def _masked_attribute(key: str, value: AnyValue) -> AnyValue:
    masked = mask_pair(key, value)
    if isinstance(masked, list | tuple):
        # An attribute's items are all of one type.
        old = [*value] if isinstance(value, list | tuple) else []
        same = all(type(item) is type(before) for item, before in zip(masked, old, strict=False))
        return tuple(_plain(item) if same else _text(str(item)) for item in masked)
    return _plain(masked)


def _plain(value: object) -> AnyValue:
    """What OTLP can hold; anything else would make it refuse the whole batch."""
    if isinstance(value, bool | float) or value is None:
        return value
    if isinstance(value, int) and -(2**63) <= value < 2**63:
        return value
    return _encodable(str(value))


def _text(text: str) -> str:
    return _encodable(mask_text(text))


def _encodable(text: str) -> str:
    return text if text.isascii() else text.encode("utf-8", "replace").decode("utf-8")
