"""OTLP's protobuf bytes straight from spans, masked, without a message object for each part.

Field numbers are those of opentelemetry/proto/trace/v1/trace.proto. A test compares the parsed bytes
with what the SDK's encoder makes of the same spans.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Mapping, Sequence

from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import Event
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import Link, Status, StatusCode
from opentelemetry.util.types import AnyValue, Attributes

from telemetry.masked_spans import masked, masked_attribute, text
from telemetry.rendering import remember
from telemetry.spans import RecordedSpan

_SHORT = 512
_KINDS = (b"\x30\x01", b"\x30\x02", b"\x30\x03", b"\x30\x04", b"\x30\x05")  # as SpanKind counts, plus one
_TIMES = struct.Struct("<BQBQ")
_NO_STATUS = b"\x7a\x00"
_LOCAL, _REMOTE = 0x100, 0x300
_FLAGS = {flags: b"\x85\x01" + struct.pack("<I", flags) for flags in (_LOCAL, _REMOTE)}


def varint(number: int) -> bytes:
    """Base-128, low digits first; a negative number as 64 bits."""
    number &= 0xFFFFFFFFFFFFFFFF
    if number < 0x80:
        return bytes((number,))
    out = bytearray()
    while number >= 0x80:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)


def _field(tag: bytes, content: bytes) -> bytes:
    """A length-delimited field."""
    return tag + varint(len(content)) + content


def _count(tag: bytes, number: int) -> bytes:
    return tag + varint(number) if number else b""


def _any_value(value: object) -> bytes:  # noqa: PLR0911 - one line a type
    if value is None:
        return b""
    if isinstance(value, bool):
        return b"\x10\x01" if value else b"\x10\x00"
    if isinstance(value, str):
        return _field(b"\x0a", value.encode())
    if isinstance(value, int):
        return b"\x18" + varint(value)
    if isinstance(value, float):
        return b"\x21" + struct.pack("<d", value)
    if isinstance(value, bytes):
        return _field(b"\x3a", value)
    if isinstance(value, Mapping):
        pairs = (_field(b"\x0a", _pair(str(key), item)) for key, item in value.items())
        return _field(b"\x32", b"".join(pairs))
    if isinstance(value, Sequence):
        items = (_field(b"\x0a", _any_value(item)) for item in value)
        return _field(b"\x2a", b"".join(items))
    return _field(b"\x0a", str(value).encode())


def _pair(key: str, value: object) -> bytes:
    return _field(b"\x0a", key.encode()) + _field(b"\x12", _any_value(value))


def _attributes(tag: bytes, attributes: Mapping[str, AnyValue]) -> bytes:
    return b"".join([_field(tag, _pair(key, value)) for key, value in attributes.items()])


class Encoder:
    """Encodes batches of one service; what repeats from span to span is masked and encoded once."""

    def __init__(self) -> None:
        self._pairs: dict[tuple[str, str | int], bytes] = {}
        self._names: dict[tuple[str, int], bytes] = {}
        self._scopes: dict[InstrumentationScope, bytes] = {}
        self._resource: tuple[Resource, bytes, bytes] | None = None

    def __call__(self, spans: Iterable[RecordedSpan]) -> bytes:
        """An ExportTraceServiceRequest; all spans must have the same resource."""
        by_scope: dict[int, tuple[InstrumentationScope, list[bytes]]] = {}
        resource = None
        for span in spans:
            tracer = span.tracer
            held = by_scope.get(id(tracer))
            if held is None:
                resource = tracer.resource
                held = by_scope[id(tracer)] = (tracer.scope, [self._scope(tracer.scope)])
            held[1].append(self._span(span))
        if resource is None:
            return b""
        head, tail = self._resource_fields(resource)
        bodies = [head]
        for scope, parts in by_scope.values():
            if scope.schema_url:
                parts.append(_field(b"\x1a", scope.schema_url.encode()))
            bodies.append(_field(b"\x12", b"".join(parts)))
        bodies.append(tail)
        return _field(b"\x0a", b"".join(bodies))

    def _resource_fields(self, resource: Resource) -> tuple[bytes, bytes]:
        if self._resource is None or self._resource[0] is not resource:
            head = _field(b"\x0a", _attributes(b"\x0a", resource.attributes))
            tail = _field(b"\x1a", resource.schema_url.encode()) if resource.schema_url else b""
            self._resource = (resource, head, tail)
        return self._resource[1:]

    def _scope(self, scope: InstrumentationScope) -> bytes:
        known = self._scopes.get(scope)
        if known is None:
            known = _field(b"\x0a", scope.name.encode()) if scope.name else b""
            if scope.version:
                known += _field(b"\x12", scope.version.encode())
            known += _attributes(b"\x1a", scope.attributes or {})
            known = self._scopes[scope] = _field(b"\x0a", known)
        return known

    def _span(self, span: RecordedSpan) -> bytes:
        parts = [
            b"\x0a\x10", span.trace_id.to_bytes(16, "big"), b"\x12\x08", span.span_id.to_bytes(8, "big"),
            self._name(span), _TIMES.pack(0x39, span.start_time, 0x41, span.end_time or 0),
        ]  # fmt: skip
        remote = _LOCAL
        if parent := span.parent_id:
            parts += (b"\x22\x08", parent.to_bytes(8, "big"))
            if span.parent_is_remote:
                remote = _REMOTE
        parts += self._span_attributes(span.attributes)
        if span.state or span.events or span.links or span.dropped_attributes:
            parts.append(_rare(span))
        parts.append(_NO_STATUS if span.status.status_code is StatusCode.UNSET else _status(span.status))
        parts.append(_FLAGS[remote])
        return _field(b"\x12", b"".join(parts))

    def _span_attributes(self, attributes: Mapping[str, AnyValue]) -> list[bytes]:
        pairs = self._pairs
        found = []
        for key, value in attributes.items():
            kind = type(value)
            # A number that equals another of another type would find that one's bytes.
            pair = pairs.get((key, value)) if kind is str or kind is int else None  # type: ignore[arg-type]
            if pair is None:
                pair = self._new_pair(key, value)
                if pair is None:  # two names may become the same text: a dictionary knows
                    return [_attributes(b"\x4a", masked(attributes))]
            found.append(pair)
        return found

    def _name(self, span: RecordedSpan) -> bytes:
        key = (span.name, span.kind.value)
        known = self._names.get(key)
        if known is None:
            name = text(span.name).encode()
            known = (_field(b"\x2a", name) if name else b"") + _KINDS[span.kind.value]
            if len(known) <= _SHORT:
                remember(self._names, key, known)
        return known

    def _new_pair(self, key: str, value: AnyValue) -> bytes | None:
        """One attribute of a span; None when its name holds a secret."""
        if text(key) != key:
            return None
        pair = _field(b"\x4a", _pair(key, masked_attribute(key, value)))
        if (type(value) is str or type(value) is int) and len(pair) <= _SHORT:
            remember(self._pairs, (key, value), pair)
        return pair


def _rare(span: RecordedSpan) -> bytes:
    """The fields that most spans do not have."""
    parts = [_event(event) for event in span.events]
    parts += [_link(link) for link in span.links]
    if span.state:
        parts.append(_field(b"\x1a", span.state.to_header().encode()))
    parts.append(_count(b"\x50", span.dropped_attributes))
    parts.append(_count(b"\x60", span.dropped_events))
    parts.append(_count(b"\x70", span.dropped_links))
    return b"".join(parts)


def _event(event: Event) -> bytes:
    name = text(event.name).encode()
    parts = [
        b"\x09" + struct.pack("<Q", event.timestamp),
        _field(b"\x12", name) if name else b"",
        _attributes(b"\x1a", masked(event.attributes)),
        _count(b"\x20", _dropped(event.attributes)),
    ]
    return _field(b"\x5a", b"".join(parts))


def _link(link: Link) -> bytes:
    context = link.context
    parts = [
        b"\x0a\x10" + context.trace_id.to_bytes(16, "big"),
        b"\x12\x08" + context.span_id.to_bytes(8, "big"),
        _attributes(b"\x22", masked(link.attributes)),
        _count(b"\x28", _dropped(link.attributes)),
        b"\x35" + struct.pack("<I", _REMOTE if context.is_remote else _LOCAL),
    ]
    return _field(b"\x6a", b"".join(parts))


def _dropped(attributes: Attributes) -> int:
    return getattr(attributes, "dropped", 0)


def _status(status: Status) -> bytes:
    message = text(status.description).encode() if status.description else b""
    content = (_field(b"\x12", message) if message else b"") + b"\x18" + varint(status.status_code.value)
    return _field(b"\x7a", content)
