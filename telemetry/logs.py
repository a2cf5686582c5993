"""JSON log lines: built where they happen, masked and written on a thread of their own.

Every line has timestamp, level, service, system, component, message, trace_id and span_id (both
empty strings outside a span), then tenant_id, user_id (hashed) and request_id when known, then the
line's own fields. A field that would hide one of the first eight gets the prefix `field_`.
"""

from __future__ import annotations

import atexit
import sys
import time
from collections.abc import Callable, Sequence

from telemetry.background import Background, Dropped
from telemetry.foreign_logs import capture_standard_logging, capture_structlog
from telemetry.masking import mask_pair, set_masking
from telemetry.rendering import LEVELS, PLAIN, Handled, Line, Renderer, text_of
from telemetry.scope import bind, current_place, fields_of_the_moment, process_place
from telemetry.settings import TelemetrySettings
from telemetry.sinks import FileSink, Sink, StdoutSink
from telemetry.spans import active_ids

__all__ = ["DROP_REASONS", "Logger", "Pipeline", "bind", "configure", "get_logger"]

QUEUE_LINES = 10_000
BATCH_LINES = 512
LINGER_SECONDS = 0.05
CLOSE_SECONDS = 2.0
MASKING_OFF = "Masking is off: secrets are written to logs and traces as they come"
DROP_REASONS = ("queue_full", "write_failed", "encode_failed", "failed", "shutdown")


class Pipeline:
    """Takes lines from any thread and writes them to its sinks, dropping rather than waiting.

    A line that one of two sinks cannot take counts as lost once.
    """

    def __init__(
        self,
        settings: TelemetrySettings,
        sinks: Sequence[Sink],
        *,
        dropped: Dropped,
        capacity: int = QUEUE_LINES,
    ) -> None:
        self.level = LEVELS[settings.log_level]
        self._sinks = tuple(sinks)
        self._dropped = dropped
        self._render = Renderer(settings)
        self._queue: Background[Line | Handled] = Background(
            "telemetry-logs",
            self._write,
            dropped=dropped,
            capacity=capacity,
            batch=BATCH_LINES,
            linger_seconds=LINGER_SECONDS,
        )
        self.put: Callable[[Line | Handled], bool] = self._queue.put
        """Queue a line whose fields are settled; never blocks."""
        atexit.register(self.close)

    def emit(self, level: int, component: str, message: str, fields: dict[str, object]) -> None:
        """Queue one line; never blocks and never raises."""
        trace_id, span_id, _ = active_ids()
        for key, value in fields.items():
            if not isinstance(value, PLAIN):
                fields[key] = settled(key, value)
        if fields.get("exc_info") is True:
            fields["exc_info"] = sys.exc_info()[1]
        bound = fields_of_the_moment()
        if bound:
            fields = {**bound, **fields}
        self._queue.put(Line(time.time_ns(), level, component, message, trace_id, span_id, fields))

    def flush(self, timeout_seconds: float = CLOSE_SECONDS) -> bool:
        """Wait for what was logged so far to be written; False when time ran out."""
        return self._queue.flush(timeout_seconds)

    def close(self, timeout_seconds: float = CLOSE_SECONDS) -> None:
        """Write what is queued, for at most `timeout_seconds`, and let go of the sinks."""
        atexit.unregister(self.close)
        if self._queue.close(timeout_seconds):
            for sink in self._sinks:
                sink.close()

    def _write(self, batch: list[Line | Handled]) -> None:
        lines = []
        for line in batch:
            try:
                lines.append(self._render.handled(line) if isinstance(line, Handled) else self._render(line))
            except Exception:  # whatever one value does, the other lines go on
                self._dropped("encode_failed", 1)
        for sink in self._sinks:
            try:
                sink.write(lines)
            except (OSError, ValueError):
                self._dropped("write_failed", len(lines))


def settled(key: str, value: object) -> object:
    """A plain value, or a masked copy of one that may change or act later; exceptions are described later."""
    if isinstance(value, PLAIN):
        return value
    if not isinstance(value, BaseException):
        return mask_pair(key, value)
    return value if key in ("exc", "exc_info") else f"{type(value).__name__}: {text_of(value)}"


class Logger:
    """Writes lines of one component: a constant message, and fields."""

    __slots__ = ("_component",)

    def __init__(self, component: str) -> None:
        self._component = component

    def debug(self, message: str, /, **fields: object) -> None:
        """For development only."""
        self._log(10, message, fields)

    def info(self, message: str, /, **fields: object) -> None:
        """Normal."""
        self._log(20, message, fields)

    def warning(self, message: str, /, **fields: object) -> None:
        """Degraded, or tried again."""
        self._log(30, message, fields)

    def error(self, message: str, /, **fields: object) -> None:
        """Failed and recoverable; `exc=error` adds error_type, error and stack."""
        self._log(40, message, fields)

    def critical(self, message: str, /, **fields: object) -> None:
        """The service stops."""
        self._log(50, message, fields)

    def _log(self, level: int, message: str, fields: dict[str, object]) -> None:
        pipeline = current_place().pipeline
        if pipeline is not None and level >= pipeline.level:
            pipeline.emit(level, self._component, message, fields)


def get_logger(component: str) -> Logger:
    """The logger of one component; lines before `configure` go nowhere."""
    return Logger(component)


def _uncounted(reason: str, count: int) -> None:
    """Losses when logs are configured without metrics."""


def configure(
    settings: TelemetrySettings,
    *,
    sinks: Sequence[Sink] | None = None,
    dropped: Dropped = _uncounted,
    capacity: int = QUEUE_LINES,
) -> Pipeline:
    """Make a pipeline for these settings and the process's own; standard logging goes through it.

    `sinks` defaults to standard output and, when set, LOG_FILE. `dropped(reason, count)` hears of
    every lost line; the reasons are DROP_REASONS.
    """
    if sinks is None:
        sinks = [StdoutSink()]
        if settings.log_file is not None:
            sinks.append(FileSink(settings.log_file, max_bytes=settings.log_file_max_bytes))
    set_masking(on=settings.masking)
    pipeline = Pipeline(settings, sinks, dropped=dropped, capacity=capacity)
    process_place.pipeline = pipeline
    capture_standard_logging(pipeline.level)
    capture_structlog()
    if not settings.masking:
        pipeline.emit(LEVELS["ERROR"], "telemetry", MASKING_OFF, {"setting": "TELEMETRY_MASKING=off"})
    return pipeline
