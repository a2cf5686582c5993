"""From one log line to one line of JSON, masked."""

from __future__ import annotations

import traceback
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import NamedTuple, TypeVar

import orjson
import structlog

from telemetry.masking import mask_pair, mask_text
from telemetry.patterns import IDENTIFIER
from telemetry.settings import TelemetrySettings

LEVELS: Mapping[str, int] = {"DEBUG": 10, "INFO": 20, "WARNING": 30, "ERROR": 40, "CRITICAL": 50}
_NAMES = {number: name for name, number in LEVELS.items()}
RESERVED = ("timestamp", "level", "service", "system", "component", "message", "trace_id", "span_id")
PLAIN = (str, int, float, bool, type(None))
_MAX_LINE = 128 * 1024
_SHORT = 512
_REMEMBERED = 4096
_IDS = frozenset(("request_id", "execution_id"))  # all different: remembering them would be in vain
K = TypeVar("K")


def remember(known: dict[K, bytes], key: K, value: bytes) -> None:
    """Keep bytes that are likely to be asked for again, a bounded number of them."""
    if len(known) >= _REMEMBERED:
        known.clear()
    known[key] = value


class Line(NamedTuple):
    """One log line before masking and encoding; ids are 0 outside a span."""

    time_ns: int
    level: int
    component: str
    message: str
    trace_id: int
    span_id: int
    fields: Mapping[str, object]


class Handled(NamedTuple):
    """The line of a request that went as most do: without an exception and without bound fields."""

    time_ns: int
    level: int
    trace_id: int
    span_id: int
    request_id: str
    """Of letters, digits and ._:- only, and no secret."""
    method: str
    endpoint: str
    status: int
    path: str
    seconds: float

    def line(self) -> Line:
        """The same in the general form."""
        return handled(*self[:5], self.method, self.endpoint, self.status, self.path, self.seconds, {})


def handled(  # noqa: PLR0917 - in the order of Handled
    time_ns: int,
    level: int,
    trace_id: int,
    span_id: int,
    request_id: str,
    method: str,
    endpoint: str,
    status: int,
    path: str,
    seconds: float,
    more: Mapping[str, object],
) -> Line:
    """The line of any request, with fields that are settled."""
    fields: dict[str, object] = {
        "request_id": request_id,
        **more,
        "method": method,
        "endpoint": endpoint,
        "status": status,
        "path": path,
        "duration_ms": round(seconds * 1000, 3),
    }
    return Line(time_ns, level, "http", "Request handled", trace_id, span_id, fields)


class Renderer:
    """Masks and encodes lines of one service, on the writer's thread."""

    def __init__(self, settings: TelemetrySettings) -> None:
        self._service = settings.service
        self._system = settings.system
        self._second = 0
        self._prefix = ""
        self._heads: dict[tuple[int, str, str], bytes] = {}
        self._pairs: dict[tuple[str, object], bytes] = {}
        self._kinds: dict[tuple[str, str, int], bytes] = {}
        self._encode = structlog.processors.JSONRenderer(serializer=to_json)

    def __call__(self, line: Line) -> bytes:
        """The line as JSON, ending in a newline."""
        head = self._heads.get(line[1:4])
        parts = [b'{"timestamp":"', self._timestamp(line.time_ns).encode(), head or self._head(line)]
        parts.append(b'"trace_id":"%032x",' % line.trace_id if line.trace_id else b'"trace_id":"",')
        parts.append(b'"span_id":"%016x"' % line.span_id if line.span_id else b'"span_id":""')
        pairs = self._pairs
        for key, value in line.fields.items():
            kind = type(value)
            # A number that equals another of another type would find that one's text.
            pair = pairs.get((key, value)) if kind is str or kind is int else None
            if pair is None:
                pair = self._pair(key, value)
                if pair is None:
                    return self._slowly(line)
            parts.append(pair)
        parts.append(b"}\n")
        data = b"".join(parts)
        return data if len(data) <= _MAX_LINE else self._slowly(line)

    def handled(self, one: Handled) -> bytes:
        """The same as of `one.line()`, from fewer pieces."""
        kind = one[5:8]
        where = self._kinds.get(kind)
        if where is None:
            fields = {"method": one.method, "endpoint": one.endpoint, "status": one.status}
            where = b"".join([self._pair(key, value) or b"" for key, value in fields.items()])
            remember(self._kinds, kind, where)
        path = self._pairs.get(("path", one.path)) or self._pair("path", one.path) or b""
        head = self._heads.get((one.level, "http", "Request handled")) or self._head(one.line())
        data = (
            b'{"timestamp":"%b%b"trace_id":"%b","span_id":"%b","request_id":"%b"%b%b,"duration_ms":%.3f}\n'
            % (
                self._timestamp(one.time_ns).encode(),
                head,
                b"%032x" % one.trace_id if one.trace_id else b"",
                b"%016x" % one.span_id if one.span_id else b"",
                one.request_id.encode(),
                where,
                path,
                one.seconds * 1000,
            )
        )
        return data if len(data) <= _MAX_LINE else self._slowly(one.line())

    def _head(self, line: Line) -> bytes:
        """From the end of the timestamp to the ids; the same for every line of one kind."""
        event = {
            "level": _NAMES.get(line.level, "INFO"),
            "service": self._service,
            "system": self._system,
            "component": line.component,
            "message": mask_text(str(line.message)),
        }
        head = b'",' + to_json(event)[1:-1] + b","
        if len(head) <= _SHORT:
            remember(self._heads, (line.level, line.component, line.message), head)
        return head

    def _pair(self, key: str, value: object) -> bytes | None:
        """One field with the comma before it; None when it must be written together with the others."""
        if key in _IDS and isinstance(value, str) and IDENTIFIER.fullmatch(value):
            return b',"%b":"%b"' % (key.encode(), value.encode())
        if isinstance(value, BaseException) or key in RESERVED or mask_text(key) != key:
            return None
        # What is not plain was masked when it was logged.
        pair = b"," + to_json({key: mask_pair(key, value) if isinstance(value, PLAIN) else value})[1:-1]
        if type(value) in (str, int) and len(pair) <= _SHORT:
            remember(self._pairs, (key, value), pair)
        return pair

    def _slowly(self, line: Line) -> bytes:
        """A line with exceptions, with a field that would hide one of ours, or one that is too long."""
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
