"""JSON log lines: built where they happen, masked and written on a thread of their own.

Every line has timestamp, level, service, system, component, message, trace_id and span_id (both
empty strings outside a span), then tenant_id, user_id (hashed) and request_id when known, then the
line's own fields. A field that would hide one of the first eight gets the prefix `field_`.
"""

from __future__ import annotations

import atexit
import logging
import time
import traceback
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import NamedTuple

import orjson
import structlog
from opentelemetry.trace import get_current_span

from telemetry.background import Background, Dropped
from telemetry.masking import hash_user_id, mask_pair, mask_text
from telemetry.scope import bind, bound_fields, current_place, process_place
from telemetry.settings import TelemetrySettings
from telemetry.sinks import FileSink, Sink, StdoutSink

__all__ = ["Logger", "Pipeline", "bind", "configure", "get_logger"]

QUEUE_LINES = 10_000
BATCH_LINES = 512
LINGER_SECONDS = 0.05
CLOSE_SECONDS = 2.0
_MAX_LINE = 128 * 1024

_RESERVED = frozenset(
    ("timestamp", "level", "service", "system", "component", "message", "trace_id", "span_id")
)
_PLAIN = (str, int, float, bool, type(None))
_LEVELS: Mapping[str, int] = {"DEBUG": 10, "INFO": 20, "WARNING": 30, "ERROR": 40, "CRITICAL": 50}
_NAMES = {number: name for name, number in _LEVELS.items()}


class Line(NamedTuple):
    """One log line before masking and encoding."""

    time_ns: int
    level: int
    component: str
    message: str
    trace_id: int
    span_id: int
    fields: dict[str, object]


class Pipeline:
    """Takes lines from any thread and writes them to its sinks, dropping rather than waiting."""

    def __init__(
        self, settings: TelemetrySettings, sinks: Sequence[Sink], *, dropped: Dropped, capacity: int = QUEUE_LINES
    ) -> None:
        self.level = _LEVELS[settings.log_level]
        self._sinks = tuple(sinks)
        self._dropped = dropped
        self._render = _Renderer(settings)
        self._queue: Background[Line] = Background(
            "telemetry-logs",
            self._write,
            dropped=dropped,
            capacity=capacity,
            batch=BATCH_LINES,
            linger_seconds=LINGER_SECONDS,
        )

    def emit(self, level: int, component: str, message: str, fields: dict[str, object]) -> None:
        """Queue one line; never blocks and never raises."""
        context = get_current_span().get_span_context()
        bound = bound_fields.get()
        if fields:
            fields = {key: _settled(key, value) for key, value in fields.items()}
        if bound:
            fields = {**bound, **fields}
        self._queue.put(
            Line(time.time_ns(), level, component, message, context.trace_id, context.span_id, fields)
        )

    def flush(self, timeout_seconds: float = CLOSE_SECONDS) -> bool:
        """Wait for what was logged so far to be written; False when time ran out."""
        return self._queue.flush(timeout_seconds)

    def close(self, timeout_seconds: float = CLOSE_SECONDS) -> None:
        """Write what is queued, for at most `timeout_seconds`, and let go of the sinks."""
        self._queue.close(timeout_seconds)
        for sink in self._sinks:
            sink.close()

    def _write(self, batch: list[Line]) -> None:
        lines = []
        for line in batch:
            try:
                lines.append(self._render(line))
            except Exception:  # whatever a value does, the other lines go on
                self._dropped("encode_failed", 1)
        for sink in self._sinks:
            try:
                sink.write(lines)
            except (OSError, ValueError):
                self._dropped("write_failed", len(lines))


def _settled(key: str, value: object) -> object:
    """A value that may change or act later, as it is now; what is plain is passed on as it is."""
    if isinstance(value, _PLAIN):
        return value
    if isinstance(value, BaseException):
        return value if key in ("exc", "exc_info") else f"{type(value).__name__}: {value}"
    return mask_pair(key, value)


class _Renderer:
    """Masks and encodes, on the writer's thread."""

    def __init__(self, settings: TelemetrySettings) -> None:
        self._service = settings.service
        self._system = settings.system
        self._second = 0
        self._prefix = ""
        self._encode = structlog.processors.JSONRenderer(serializer=_to_json)

    def __call__(self, line: Line) -> bytes:
        event: dict[str, object] = {
            "timestamp": self._timestamp(line.time_ns),
            "level": _NAMES.get(line.level, "INFO"),
            "service": self._service,
            "system": self._system,
            "component": line.component,
            "message": mask_text(line.message),
            "trace_id": f"{line.trace_id:032x}" if line.trace_id else "",
            "span_id": f"{line.span_id:016x}" if line.span_id else "",
        }
        for key, value in line.fields.items():
            if isinstance(value, BaseException):
                event.update(_exception(value))
                continue
            name = f"field_{key}" if key in _RESERVED else key
            event[mask_text(name)] = mask_pair(key, value)
        encoded = self._encode(None, "", event)
        data = encoded if isinstance(encoded, bytes) else encoded.encode("utf-8", "replace")
        if len(data) > _MAX_LINE:
            kept = {key: event[key] for key in _RESERVED}
            data = _to_json({**kept, "cut": "the line was too long", "bytes": len(data)})
        return data + b"\n"

    def _timestamp(self, time_ns: int) -> str:
        second, rest = divmod(time_ns, 1_000_000_000)
        if second != self._second:
            self._second = second
            self._prefix = datetime.fromtimestamp(second, UTC).strftime("%Y-%m-%dT%H:%M:%S")
        return f"{self._prefix}.{rest // 1_000_000:03d}Z"


def _exception(error: BaseException) -> dict[str, object]:
    return {
        "error_type": type(error).__name__,
        "error": mask_text(_text(error)),
        "stack": mask_text("".join(traceback.format_exception(error))),
    }


def _text(error: BaseException) -> str:
    try:
        return str(error)
    except Exception:  # an exception's own __str__ may fail
        return "<unprintable>"


def _to_json(event: object, **_: object) -> bytes:
    try:
        return orjson.dumps(event, default=str, option=orjson.OPT_NON_STR_KEYS)
    except (TypeError, ValueError):  # lone surrogates, or numbers beyond 64 bits
        return orjson.dumps(_encodable(event), default=str)


def _encodable(value: object) -> object:
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode("utf-8")
    if isinstance(value, dict):
        return {str(_encodable(str(key))): _encodable(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_encodable(item) for item in value]
    if isinstance(value, int) and not -(2**63) <= value < 2**64:
        return str(value)
    return value


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

    def log(self, level: int, message: str, /, **fields: object) -> None:
        """A line of a level by its number, as in the standard library."""
        self._log(level, message, fields)

    def _log(self, level: int, message: str, fields: dict[str, object]) -> None:
        pipeline = current_place().pipeline
        if pipeline is not None and level >= pipeline.level:
            pipeline.emit(level, self._component, message, fields)


def get_logger(component: str) -> Logger:
    """The logger of one component; lines before `configure` go nowhere."""
    return Logger(component)


class _ForeignHandler(logging.Handler):
    """Takes what libraries log through the standard library into the same pipe."""

    def __init__(self) -> None:
        super().__init__()
        self._limiter = _Limiter()

    def emit(self, record: logging.LogRecord) -> None:
        """Queue the record as a line of the component that bears its logger's name."""
        pipeline = current_place().pipeline
        if pipeline is None or record.levelno < pipeline.level or not self._limiter.admits(record):
            return
        try:
            message = record.getMessage()
        except Exception:  # wrong arguments in someone else's call
            message = str(record.msg)
        fields: dict[str, object] = {}
        if record.exc_info and record.exc_info[1] is not None:
            fields["exc"] = record.exc_info[1]
        level = max((number for number in _NAMES if number <= record.levelno), default=10)
        pipeline.emit(level, record.name, message, fields)


class _Limiter:
    """Lets each message of OpenTelemetry through once a minute: a dead collector repeats itself."""

    def __init__(self, seconds: float = 60.0, clock: Callable[[], float] = time.monotonic) -> None:
        self._seconds = seconds
        self._clock = clock
        self._seen: dict[tuple[str, str], float] = {}

    def admits(self, record: logging.LogRecord) -> bool:
        if not record.name.startswith(("opentelemetry", "urllib3")):
            return True
        key = (record.name, str(record.msg)[:120])
        now = self._clock()
        if now - self._seen.get(key, -self._seconds) < self._seconds:
            return False
        if len(self._seen) > 200:
            self._seen.clear()
        self._seen[key] = now
        return True


_LOUD = ("httpx", "httpcore", "asyncio", "sqlalchemy", "urllib3", "watchfiles")
_OWN_HANDLERS = ("uvicorn", "uvicorn.error", "uvicorn.access")


def _capture_standard_logging(level: int) -> None:
    root = logging.getLogger()
    for handler in list(root.handlers):
        if isinstance(handler, _ForeignHandler) or type(handler) is logging.StreamHandler:
            root.removeHandler(handler)
    root.addHandler(_ForeignHandler())
    root.setLevel(level)
    for name in _OWN_HANDLERS:
        logger = logging.getLogger(name)
        logger.handlers.clear()
        logger.propagate = True
    for name in _LOUD:
        logging.getLogger(name).setLevel(max(level, logging.WARNING))
    logging.captureWarnings(True)


def _capture_structlog() -> None:
    """Lines of anything that uses structlog itself take the same way."""

    def hand_over(_: object, method: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
        message = str(event.pop("event", ""))
        component = str(event.pop("component", "structlog"))
        level = _LEVELS.get({"warn": "WARNING", "exception": "ERROR"}.get(method, method.upper()), 20)
        Logger(component).log(level, message, **event)
        raise structlog.DropEvent

    structlog.configure(processors=[structlog.contextvars.merge_contextvars, hand_over])


def _ignore(reason: str, count: int) -> None:
    """Losses that nobody counts, when logs are configured without metrics."""


def configure(
    settings: TelemetrySettings,
    *,
    sinks: Sequence[Sink] | None = None,
    dropped: Dropped = _ignore,
    capacity: int = QUEUE_LINES,
) -> Pipeline:
    """Make a pipeline for these settings and the process's own; standard logging goes through it.

    `sinks` defaults to standard output and, when set, LOG_FILE. `dropped(reason, count)` hears of
    every lost line: queue_full, write_failed, encode_failed, failed or shutdown.
    """
    if sinks is None:
        sinks = [StdoutSink()]
        if settings.log_file is not None:
            sinks.append(FileSink(settings.log_file, max_bytes=settings.log_file_max_bytes))
    pipeline = Pipeline(settings, sinks, dropped=dropped, capacity=capacity)
    process_place.pipeline = pipeline
    atexit.register(pipeline.close)
    _capture_standard_logging(pipeline.level)
    _capture_structlog()
    return pipeline


def known_user(user_id: object) -> str:
    """The form in which a user id may be logged."""
    return hash_user_id(user_id)
