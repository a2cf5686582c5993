"""Traces out of Jaeger and Tempo, in one form."""

import base64
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

import httpx

from firedrill.clients.http import Backend, Refused

_HEX = re.compile(r"[0-9a-f]+")
_NOT_FOUND = 404


@dataclass(frozen=True)
class Span:
    """One span; times in nanoseconds; `parent` is empty for a root; attribute values as text.

    `resource` holds what its service says of itself, as the store hands it out: Jaeger without service.name.
    """

    trace_id: str
    span_id: str
    parent: str
    name: str
    service: str
    start: int
    duration: int
    kind: str = ""
    error: bool = False
    attributes: Mapping[str, str] = field(default_factory=dict)
    resource: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Trace:
    """The spans of one trace, earliest first."""

    trace_id: str
    spans: tuple[Span, ...]

    def names(self, service: str) -> frozenset[str]:
        """The span names of one service."""
        return frozenset(span.name for span in self.spans if span.service == service)


class TraceBackend(Protocol):
    """What a store of traces must offer."""

    name: str

    def trace(self, trace_id: str) -> Trace | None:
        """The trace, or None when it is not (yet) there."""


class Jaeger(Backend):
    """The HTTP API of Jaeger's query service."""

    def __init__(self, base_url: str, *, http: httpx.Client) -> None:
        super().__init__("Jaeger", base_url, http=http)

    def services(self) -> tuple[str, ...]:
        """The names of the services that have sent spans."""
        return tuple(self.get("/api/services").get("data") or ())

    def trace(self, trace_id: str) -> Trace | None:
        """The trace, or None when it is not (yet) there."""
        try:
            body = self.get(f"/api/traces/{trace_id}")
        except Refused as refusal:
            if refusal.status == _NOT_FOUND:
                return None
            raise
        return next(iter(jaeger_traces(body)), None)

    def text_of(self, trace_id: str) -> str:
        """The stored trace as one text, for searching; empty when it is not (yet) there."""
        return _text_of(self, f"/api/traces/{trace_id}")

    def recent_text(self, service: str, *, start: float, end: float, limit: int) -> str:
        """The same traces as `recent`, as one text."""
        return json.dumps(self._recent(service, start, end, limit), ensure_ascii=False)

    def recent(
        self, service: str, *, start: float, end: float, limit: int = 5, operation: str = ""
    ) -> tuple[Trace, ...]:
        """Up to `limit` traces of a service between two unix seconds, or those with the span `operation`."""
        return jaeger_traces({"data": self._recent(service, start, end, limit, operation)})

    def _recent(self, service: str, start: float, end: float, limit: int, operation: str = "") -> list[Any]:
        params: dict[str, str | int | float] = {
            "service": service,
            "start": int(start * 1e6),
            "end": int(end * 1e6),
            "limit": limit,
        }
        if operation:
            params["operation"] = operation
        return list(self.get("/api/traces", params).get("data") or ())


class Tempo(Backend):
    """The HTTP API of Tempo."""

    def __init__(self, base_url: str, *, http: httpx.Client) -> None:
        super().__init__("Tempo", base_url, http=http)

    def trace(self, trace_id: str) -> Trace | None:
        """The trace, or None when it is not (yet) there."""
        try:
            body = self.get(f"/api/v2/traces/{trace_id}", headers={"Accept": "application/json"})
        except Refused as refusal:
            if refusal.status == _NOT_FOUND:
                return None
            raise
        return _of_spans(trace_id, list(_otlp_spans(trace_id, body.get("trace") or {})))

    def text_of(self, trace_id: str) -> str:
        """The stored trace as one text, for searching; empty when it is not (yet) there."""
        return _text_of(self, f"/api/v2/traces/{trace_id}")


def jaeger_traces(body: Any) -> tuple[Trace, ...]:
    """The traces in the JSON body of Jaeger's answer; those without spans are left out."""
    return tuple(
        trace
        for one in body.get("data") or ()
        if (trace := _of_spans(one["traceID"], list(_jaeger_spans(one)))) is not None
    )


def _text_of(backend: Backend, path: str) -> str:
    try:
        return json.dumps(backend.get(path, headers={"Accept": "application/json"}), ensure_ascii=False)
    except Refused as refusal:
        if refusal.status == _NOT_FOUND:
            return ""
        raise


def _of_spans(trace_id: str, spans: list[Span]) -> Trace | None:
    ordered = tuple(sorted(spans, key=lambda span: (span.start, -span.duration)))
    return Trace(trace_id, ordered) if ordered else None


def _jaeger_spans(trace: Any) -> Iterator[Span]:
    services = {key: one["serviceName"] for key, one in trace["processes"].items()}
    resources = {key: _jaeger_tags(one) for key, one in trace["processes"].items()}
    for span in trace["spans"]:
        tags = _jaeger_tags(span)
        parents = [one["spanID"] for one in span.get("references") or () if one["refType"] == "CHILD_OF"]
        yield Span(
            trace_id=span["traceID"],
            span_id=span["spanID"],
            parent=parents[0] if parents else "",
            name=span["operationName"],
            service=services.get(span["processID"], "?"),
            start=int(span["startTime"]) * 1000,
            duration=int(span["duration"]) * 1000,
            kind=tags.pop("span.kind", ""),
            error=tags.get("error") == "true" or tags.get("otel.status_code") == "ERROR",
            attributes=tags,
            resource=resources.get(span["processID"], {}),
        )


def _jaeger_tags(holder: Any) -> dict[str, str]:
    return {tag["key"]: _text(tag["value"]) for tag in holder.get("tags") or ()}


def _otlp_spans(trace_id: str, trace: Any) -> Iterator[Span]:
    for resource in trace.get("resourceSpans") or trace.get("batches") or ():
        own = _attributes(resource.get("resource") or {})
        for scope in resource.get("scopeSpans") or ():
            for span in scope.get("spans") or ():
                start, end = int(span["startTimeUnixNano"]), int(span.get("endTimeUnixNano") or 0)
                status = span.get("status") or {}
                yield Span(
                    trace_id=trace_id,
                    span_id=_identifier(span["spanId"], 16),
                    parent=_identifier(span.get("parentSpanId") or "", 16),
                    name=span["name"],
                    service=own.get("service.name", "?"),
                    start=start,
                    duration=max(0, end - start),
                    kind=str(span.get("kind", "")).removeprefix("SPAN_KIND_").lower(),
                    error=status.get("code") in ("STATUS_CODE_ERROR", 2),
                    attributes=_attributes(span),
                    resource=own,
                )


def _attributes(holder: Any) -> dict[str, str]:
    """OTLP attributes; a value is a map of one entry that names its type."""
    return {
        one["key"]: _text(next(iter((one.get("value") or {"": ""}).values())))
        for one in holder.get("attributes") or ()
    }


def _text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _identifier(text: str, digits: int) -> str:
    """An id in hex: Tempo's JSON carries ids in base64, other OTLP JSON in hex."""
    if not text or (len(text) == digits and _HEX.fullmatch(text)):
        return text
    return base64.b64decode(text).hex()
