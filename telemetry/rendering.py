"""From one log line to one line of JSON, masked."""

from __future__ import annotations

import traceback
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import NamedTuple

import orjson
import structlog

from telemetry.masking import mask_pair, mask_text
from telemetry.settings import TelemetrySettings

LEVELS: Mapping[str, int] = {"DEBUG": 10, "INFO": 20, "WARNING": 30, "ERROR": 40, "CRITICAL": 50}
_NAMES = {number: name for name, number in LEVELS.items()}
RESERVED = ("timestamp", "level", "service", "system", "component", "message", "trace_id", "span_id")
PLAIN = (str, int, float, bool, type(None))
_MAX_LINE = 128 * 1024


class Line(NamedTuple):
    """One log line before masking and encoding; ids are 0 outside a span."""

    time_ns: int
    level: int
    component: str
    message: str
    trace_id: int
    span_id: int
    fields: Mapping[str, object]


class Renderer:
    """Masks and encodes lines of one service, on the writer's thread."""

    def __init__(self, settings: TelemetrySettings) -> None:
        self._service = settings.service
        self._system = settings.system
        self._second = 0
        self._prefix = ""
        self._encode = structlog.processors.JSONRenderer(serializer=to_json)

    def __call__(self, line: Line) -> bytes:
        """The line as JSON, ending in a newline."""
        event: dict[str, object] = {
            "timestamp": self._timestamp(line.time_ns),
            "level": _NAMES.get(line.level, "INFO"),
            "service": self._service,
            "system": self._system,
            "component": line.component,
            "message": mask_text(str(line.message)),
            "trace_id": f"{line.trace_id:032x}" if line.trace_id else "",
            "span_id": f"{line.span_id:016x}" if line.span_id else "",
        }
        for key, value in line.fields.items():
            if isinstance(value, BaseException):
                event.update(_described(value))
            else:
                name = f"field_{key}" if key in RESERVED else mask_text(key)
                # What is not plain was masked when it was logged.
                event[name] = mask_pair(key, value) if isinstance(value, PLAIN) else value
        encoded = self._encode(None, "", event)
        data = encoded if isinstance(encoded, bytes) else encoded.encode("utf-8", "replace")
        if len(data) > _MAX_LINE:
            kept = {key: event[key] for key in RESERVED}
            data = to_json({**kept, "cut": "the line was too long", "bytes": len(data)})
        return data + b"\n"

    def _timestamp(self, time_ns: int) -> str:
        """RFC 3339 with milliseconds, in UTC."""
        second, rest = divmod(time_ns, 1_000_000_000)
        if second != self._second:
            self._second = second
            self._prefix = datetime.fromtimestamp(second, UTC).strftime("%Y-%m-%dT%H:%M:%S")
        return f"{self._prefix}.{rest // 1_000_000:03d}Z"


def _described(error: BaseException) -> dict[str, object]:
    return {
        "error_type": type(error).__name__,
        "error": mask_text(text_of(error)),
        "stack": mask_text("".join(traceback.format_exception(error))),
    }


def text_of(value: object) -> str:
    """What an exception or any other object says, even when it cannot say it."""
    try:
        return str(value)
    except Exception:  # the object's own __str__ failed
        return "<unprintable>"


def to_json(event: object, **_: object) -> bytes:
    """JSON of anything; what JSON or UTF-8 cannot hold is replaced."""
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
