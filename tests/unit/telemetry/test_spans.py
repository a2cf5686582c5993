"""Spans of our own keep the contract of OpenTelemetry: compared with the SDK's on the same calls."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from opentelemetry import context as otel_context
from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, SpanLimits, TracerProvider
from opentelemetry.sdk.trace import export as sdk_export
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.trace.sampling import (
    ALWAYS_OFF,
    ALWAYS_ON,
    DEFAULT_OFF,
    DEFAULT_ON,
    AlwaysRecordSampler,
    ParentBased,
    ParentBasedTraceIdRatio,
    Sampler,
    TraceIdRatioBased,
)
from opentelemetry.trace import SpanContext, SpanKind, Status, StatusCode, TraceFlags
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from telemetry.masked_spans import readable
from telemetry.spans import IdSpan, RecordedSpan, active_ids
from telemetry.tracers import Decision, Provider
from tests.unit.telemetry.examples import examples
from tests.unit.telemetry.test_otlp import Taken

Calls = Callable[[trace.Tracer], None]
REMOTE = trace.set_span_in_context(
    trace.NonRecordingSpan(SpanContext(2**100 + 3, 77, True, TraceFlags(1))), Context()
)


def ours(sampler: Sampler = ALWAYS_ON, *, limits: SpanLimits | None = None) -> tuple[trace.Tracer, Taken]:
    taken = Taken()
    sdk = TracerProvider(sampler=sampler, resource=Resource({}), shutdown_on_exit=False)
    return Provider(sdk, [taken], limits=limits).get_tracer("t"), taken


def both(calls: Calls) -> tuple[ReadableSpan, ReadableSpan]:
    """The last ended span after the same calls: the SDK's and ours."""
    exporter = InMemorySpanExporter()
    sdk = TracerProvider(sampler=ALWAYS_ON, resource=Resource({}), shutdown_on_exit=False)
    sdk.add_span_processor(sdk_export.SimpleSpanProcessor(exporter))
    calls(sdk.get_tracer("t"))
    tracer, taken = ours()
    calls(tracer)
    return exporter.get_finished_spans()[-1], readable(taken.spans[-1])


def shape(span: ReadableSpan) -> dict[str, Any]:
    """What two spans of the same calls have in common; a stack names its own lines."""
    return {
        "name": span.name,
        "kind": span.kind,
        "parent": span.parent,
        "attributes": dict(span.attributes or {}),
        "status": (span.status.status_code, span.status.description),
        "events": [
            (event.name, {k: v for k, v in (event.attributes or {}).items() if "stack" not in k})
            for event in span.events
        ],
        "links": [(link.context, dict(link.attributes or {})) for link in span.links],
        "flags": span.context.trace_flags,
        "scope": span.instrumentation_scope,
    }


def raises(tracer: trace.Tracer) -> None:
    with pytest.raises(KeyError), tracer.start_as_current_span("s"):
        raise KeyError("lost")


def raises_in_a_plain_with(tracer: trace.Tracer) -> None:
    with pytest.raises(ZeroDivisionError), tracer.start_span("s"):
        raise ZeroDivisionError("never")


def ends_twice(tracer: trace.Tracer) -> None:
    span = tracer.start_span("s")
    span.set_status(StatusCode.OK)
    span.set_status(StatusCode.ERROR, "too late")
    span.end(5)
    span.end(6)
    span.set_attribute("late", 1)
    span.add_event("late")
    span.update_name("late")
    span.add_link(SpanContext(1, 2, False))


def fills_up(tracer: trace.Tracer) -> None:
    limits = SpanLimits()
    span = tracer.start_span("s", attributes={f"first{n}": n for n in range(100)})
    for number in range(limits.max_span_attributes or 0):
        span.set_attribute(f"n{number}", number)
    for number in range((limits.max_events or 0) + 3):
        span.add_event(f"e{number}")
    for number in range((limits.max_links or 0) + 3):
        span.add_link(SpanContext(number + 1, 1, False))
    span.end()


def odd_values(tracer: trace.Tracer) -> None:
    span = tracer.start_span("s", REMOTE, SpanKind.CLIENT, {"a": [1, 2], "": "no name", "n": None})
    span.set_attributes({"mapping": {"k": (1, 2)}, "a": "again", "bytes": b"raw"})
    span.set_status(Status(StatusCode.UNSET))
    span.update_name("renamed")
    span.record_exception(ValueError("bad"), {"more": 1}, escaped=True)
    span.end()


@pytest.mark.parametrize("calls", [raises, raises_in_a_plain_with, ends_twice, fills_up, odd_values])
def test_the_same_calls_make_the_same_span(calls: Calls) -> None:
    """As the SDK makes it: exceptions, the end, limits, cleaning of values."""
    theirs, own = both(calls)
    assert shape(own) == {**shape(theirs), **masked_like_ours(theirs)}


def masked_like_ours(span: ReadableSpan) -> dict[str, Any]:
    """The SDK leaves bytes and mappings as they are; ours makes text of both, as masking must."""
    texts = {"mapping": "{'k': (1, 2)}", "bytes": "raw"}
    return {
        "attributes": {
            **(span.attributes or {}),
            **{k: v for k, v in texts.items() if k in (span.attributes or {})},
        }
    }


@pytest.mark.parametrize(
    "sampler",
    [
        ALWAYS_ON,
        ALWAYS_OFF,
        DEFAULT_ON,
        DEFAULT_OFF,
        TraceIdRatioBased(0.3),
        ParentBasedTraceIdRatio(0.3),
        ParentBasedTraceIdRatio(1e-05),
        ParentBased(ALWAYS_ON, remote_parent_sampled=ALWAYS_OFF),
        AlwaysRecordSampler(ALWAYS_OFF),
    ],
    ids=lambda sampler: sampler.get_description()[:40],
)
@settings(max_examples=examples(100), deadline=None)
@given(
    trace_id=st.integers(1, 2**128 - 1),
    flags=st.sampled_from([0, 1, 2, 3]),
    remote=st.booleans(),
    root=st.booleans(),
)
def test_sampling_is_what_the_sdk_would_decide(
    sampler: Sampler, trace_id: int, flags: int, remote: bool, root: bool
) -> None:
    """For every sampler that OTEL_TRACES_SAMPLER can name, and for others that are asked each time."""
    parent = SpanContext(trace_id, 5, remote, TraceFlags(flags))
    context = Context() if root else trace.set_span_in_context(trace.NonRecordingSpan(parent), Context())
    tracer, taken = ours(sampler)
    span = tracer.start_span("s", context)
    asked = sampler.should_sample(context, span.get_span_context().trace_id, "s")
    assert span.is_recording() is asked.decision.is_recording()
    assert span.get_span_context().trace_flags.sampled is asked.decision.is_sampled()
    assert root or span.get_span_context().trace_id == trace_id
    span.end()
    assert len(taken.spans) == asked.decision.is_sampled()


def test_the_samplers_of_the_environment_are_decided_without_asking() -> None:
    """All six; a sampler that describes itself otherwise is asked."""
    known = [
        ALWAYS_ON,
        ALWAYS_OFF,
        DEFAULT_ON,
        DEFAULT_OFF,
        TraceIdRatioBased(0.5),
        ParentBasedTraceIdRatio(0.5),
    ]
    assert [Decision(each).sampler for each in known] == [None] * 6
    assert Decision(ParentBased(AlwaysRecordSampler(ALWAYS_OFF))).sampler is not None


def test_children_of_the_sdks_instrumentation_find_their_parent() -> None:
    """Through OpenTelemetry's own functions, from a remote parent down, with the trace state."""
    propagator = TraceContextTextMapPropagator()
    header = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    context = propagator.extract({"traceparent": header, "tracestate": "v=1"}, Context())
    tracer, taken = ours(DEFAULT_ON)
    token = otel_context.attach(context)
    try:
        with tracer.start_as_current_span("outer", kind=SpanKind.SERVER) as outer:
            assert trace.get_current_span() is outer
            assert active_ids()[:2] == (outer.get_span_context().trace_id, outer.get_span_context().span_id)
            with tracer.start_as_current_span("inner"):
                carrier: dict[str, str] = {}
                propagator.inject(carrier)
    finally:
        otel_context.detach(token)
    inner, parent = taken.spans
    assert inner.parent == parent.get_span_context()
    assert inner.parent is not None
    assert (parent.parent_is_remote, inner.parent_is_remote) == (True, False)
    assert carrier == {
        "traceparent": f"00-0af7651916cd43dd8448eb211c80319c-{inner.span_id:016x}-01",
        "tracestate": "v=1",
    }


def test_a_span_that_is_not_recorded_takes_everything_and_keeps_nothing() -> None:
    """And passes its ids on."""
    tracer, taken = ours(ALWAYS_OFF)
    with tracer.start_as_current_span("s") as span:
        assert isinstance(span, IdSpan)
        assert not isinstance(span, RecordedSpan)
        span.set_attribute("a", 1)
        span.set_attributes({"b": 2})
        span.add_event("e")
        span.add_link(SpanContext(1, 2, False))
        span.update_name("n")
        span.set_status(StatusCode.ERROR)
        span.record_exception(ValueError())
        child = tracer.start_span("child")
    assert child.get_span_context().trace_id == span.get_span_context().trace_id
    assert not child.get_span_context().trace_flags.sampled
    assert taken.spans == []


def test_outside_any_span_there_are_no_ids() -> None:
    """Zeros."""
    assert active_ids() == (0, 0, 0)


def test_limits_of_attributes_hold() -> None:
    """Of their length and their number, for what the request's span takes over too."""
    tracer, taken = ours(limits=SpanLimits(max_span_attributes=2, max_span_attribute_length=3))
    span = tracer.start_span("s")
    assert isinstance(span, RecordedSpan)
    span.adopt({"a": "abcdef", "b": "xyzu", "c": 1})
    span.end()
    assert taken.spans[0].attributes == {"b": "xyz", "c": 1}
    assert taken.spans[0].dropped_attributes == 1
