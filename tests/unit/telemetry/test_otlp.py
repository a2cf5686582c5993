"""OTLP bytes of our own: they parse into what the SDK's encoder makes of the same spans."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.sampling import ALWAYS_ON
from opentelemetry.trace import Link, SpanContext, SpanKind, Status, StatusCode, TraceFlags, TraceState

from telemetry.masked_spans import readable
from telemetry.otlp import Encoder, varint
from telemetry.spans import RecordedSpan
from telemetry.tracers import Provider
from tests.unit.telemetry.examples import examples

RESOURCE = Resource(
    {"service.name": "shop", "replica": 3, "share": 0.5, "on": True, "tags": ["a", "b"]},
    "https://schema.test/r",
)
PARENT = SpanContext(2**127 + 7, 2**63 + 5, True, TraceFlags(1), TraceState([("vendor", "a=1"), ("x", "y")]))


class Taken:
    """A receiver that keeps what it is given."""

    def __init__(self) -> None:
        self.spans: list[RecordedSpan] = []

    def take(self, span: RecordedSpan) -> None:
        self.spans.append(span)

    def flush(self, timeout_seconds: float) -> bool:
        return True

    def shutdown(self) -> None:
        pass


def recording() -> tuple[Provider, Taken]:
    taken = Taken()
    sdk = TracerProvider(sampler=ALWAYS_ON, resource=RESOURCE, shutdown_on_exit=False)
    return Provider(sdk, [taken]), taken


def parsed(spans: list[RecordedSpan], encoder: Encoder | None = None) -> ExportTraceServiceRequest:
    return ExportTraceServiceRequest.FromString((encoder or Encoder())(spans))


def by_the_sdk(spans: list[RecordedSpan]) -> ExportTraceServiceRequest:
    """What the SDK makes of the masked spans; it does not know what was dropped before masking."""
    request = encode_spans([readable(span) for span in spans])
    encoded = [one for scope in request.resource_spans[0].scope_spans for one in scope.spans]
    for span in spans:
        [own] = [one for one in encoded if one.span_id == span.span_id.to_bytes(8, "big")]
        own.dropped_attributes_count = span.dropped_attributes
        own.dropped_events_count = span.dropped_events
        own.dropped_links_count = span.dropped_links
        for event, held in zip(own.events, span.events, strict=True):
            event.dropped_attributes_count = held.attributes.dropped  # type: ignore[union-attr]
        for link, kept in zip(own.links, span.links, strict=True):
            link.dropped_attributes_count = kept.attributes.dropped  # type: ignore[union-attr]
    return request  # type: ignore[no-any-return]  # the encoder is not typed


texts = st.text(max_size=20) | st.sampled_from(
    ["user@example.com", "password=hunter22", "4111111111111111", "a\ud800", "x" * 700, "/items/42", ""]
)
plain = texts | st.integers(-(2**63), 2**63 - 1) | st.booleans() | st.floats(allow_nan=False)
values = (
    plain | st.none() | st.binary(max_size=5) | st.lists(plain, max_size=3) | st.integers() | st.just(2**80)
)
keys = st.sampled_from(
    ["http.route", "user_id", "api_key", "n", "user@example.com", "b@example.com", "é"]
) | (st.text(min_size=1, max_size=8))
attributes = st.dictionaries(
    keys, values | st.dictionaries(st.text(min_size=1, max_size=4), plain, max_size=2)
)
contexts = st.builds(
    SpanContext, st.integers(1, 2**128 - 1), st.integers(1, 2**64 - 1), st.booleans(), st.just(TraceFlags(1))
)
times = st.integers(0, 2**63)
statuses = st.builds(Status, st.sampled_from([StatusCode.UNSET, StatusCode.OK])) | st.builds(
    Status, st.just(StatusCode.ERROR), st.none() | texts
)


def make(draw: Callable[[Any], Any], tracer: trace.Tracer) -> None:
    """One span of any shape, ended."""
    parent = draw(st.none() | st.just(PARENT) | contexts)
    context = Context()
    if parent is not None:
        context = trace.set_span_in_context(trace.NonRecordingSpan(parent), context)
    span = tracer.start_span(
        draw(texts), context, draw(st.sampled_from(SpanKind)), draw(attributes), start_time=draw(times)
    )
    for name, given_attributes, at in draw(st.lists(st.tuples(texts, attributes, times), max_size=2)):
        span.add_event(name, given_attributes, at)
    for linked, given_attributes in draw(st.lists(st.tuples(contexts, attributes), max_size=2)):
        span.add_link(linked, given_attributes)
    for key, value in draw(attributes).items():
        span.set_attribute(key, value)
    span.set_status(draw(statuses))
    span.end(draw(times))


@settings(max_examples=examples(300), deadline=None)
@given(st.data())
def test_any_spans_parse_into_what_the_sdk_makes_of_them(data: st.DataObject) -> None:
    """Attributes of every type, events, links, status, trace state, scopes and remote parents, masked."""
    provider, taken = recording()

    def tracer(name: str) -> trace.Tracer:
        return provider.get_tracer(name, "1.2" if name == "b" else None, "https://schema.test/s", {"k": name})

    for _ in range(data.draw(st.integers(1, 4))):
        make(data.draw, tracer(data.draw(st.sampled_from(["a", "b"]))))
    # Twice, because the second time finds what the first one remembered.
    encoder = Encoder()
    expected = by_the_sdk(taken.spans)
    assert parsed(taken.spans, encoder) == expected
    assert parsed(taken.spans, encoder) == expected


def test_numbers_that_are_equal_but_of_different_types_stay_apart() -> None:
    """1, True and 1.0 are one key of a dictionary, and three values of OTLP."""
    provider, taken = recording()
    tracer = provider.get_tracer("t")
    for value in (1, True, 1.0, 0, False, -0.0, "1"):
        tracer.start_span("s", attributes={"v": value}).end()
    encoder = Encoder()
    for _ in range(2):
        request = parsed(taken.spans, encoder)
        kinds = [
            one.attributes[0].value.WhichOneof("value")
            for one in request.resource_spans[0].scope_spans[0].spans
        ]
        numbers = ["int_value", "bool_value", "double_value"]
        assert kinds == [*numbers, *numbers, "string_value"]


def test_what_is_remembered_is_bounded() -> None:
    """A client that sends ever new paths cannot fill the memory, and its bytes are still right."""
    provider, taken = recording()
    tracer = provider.get_tracer("t")
    encoder = Encoder()
    for number in range(9000):
        tracer.start_span(f"s{number}", attributes={"url.path": f"/{number}", "n": number}).end()
    request = parsed(taken.spans, encoder)
    assert max(len(held) for held in vars(encoder).values() if isinstance(held, dict)) <= 4096
    last = request.resource_spans[0].scope_spans[0].spans[-1]
    assert (last.name, last.attributes[0].value.string_value) == ("s8999", "/8999")


@pytest.mark.parametrize(
    ("number", "encoded"),
    [(0, b"\0"), (127, b"\x7f"), (128, b"\x80\x01"), (300, b"\xac\x02"), (-1, b"\xff" * 9 + b"\x01")],
)
def test_varints(number: int, encoded: bytes) -> None:
    """As protobuf's documentation has them."""
    assert varint(number) == encoded


def test_no_spans_are_no_bytes() -> None:
    """Which is an empty request."""
    assert Encoder()([]) == b""


def test_links_given_at_the_start_are_kept() -> None:
    """And an invalid one is not."""
    provider, taken = recording()
    good, bad = Link(PARENT, {"why": "retry"}), Link(trace.INVALID_SPAN_CONTEXT)
    provider.get_tracer("t").start_span("s", links=[good, bad]).end()
    assert [link.context for link in taken.spans[0].links] == [PARENT]
