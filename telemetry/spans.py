"""Spans that cost little to make: numbers and a dictionary, until they are exported.

The SDK decides what it decides (sampler, limits, resource); the span itself, of which a service makes
thousands in a second, is ours. It keeps the whole contract of `opentelemetry.trace.Span`.
"""

from __future__ import annotations

import logging
import time
import traceback
from collections.abc import Mapping, Sequence
from random import getrandbits
from typing import TYPE_CHECKING

from opentelemetry import trace
from opentelemetry.attributes import BoundedAttributes
from opentelemetry.context import Context, get_current
from opentelemetry.sdk.trace import Event, SpanLimits
from opentelemetry.trace import Link, SpanContext, SpanKind, Status, StatusCode, TraceFlags, TraceState
from opentelemetry.util.types import AnyValue, Attributes

if TYPE_CHECKING:
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.util.instrumentation import InstrumentationScope

    from telemetry.tracers import RecordingTracer

SAMPLED = TraceFlags.SAMPLED
_FLAGS = tuple(map(TraceFlags, range(4)))
_UNSET = Status()
EMPTY = Context()
_QUICK = frozenset((str, int, float, bool))
SPAN_KEY = next(iter(trace.set_span_in_context(trace.INVALID_SPAN, Context())))
_log = logging.getLogger("opentelemetry.telemetry.spans")  # under this name it is rate-limited


def context_with(span: trace.Span, context: Context | None = None) -> Context:
    """The same as `trace.set_span_in_context`, in one step."""
    if context is EMPTY:
        return Context({SPAN_KEY: span})
    return Context({**(get_current() if context is None else context), SPAN_KEY: span})


def active_ids() -> tuple[int, int, int]:
    """Trace id, span id and flags of the active span; zeros when there is none."""
    span = get_current().get(SPAN_KEY)
    if isinstance(span, IdSpan):
        return span.trace_id, span.span_id, span.flags
    if not isinstance(span, trace.Span):
        return 0, 0, 0
    context = span.get_span_context()
    return context.trace_id, context.span_id, context.trace_flags


class IdSpan(trace.Span):
    """A span that is not recorded: it only passes its ids on."""

    __slots__ = ("_context", "flags", "span_id", "state", "trace_id")

    def __init__(self, trace_id: int, span_id: int, flags: int, state: TraceState | None) -> None:
        self.trace_id = trace_id
        self.span_id = span_id
        self.flags = flags
        self.state = state
        self._context: SpanContext | None = None

    def get_span_context(self) -> SpanContext:
        """See opentelemetry.trace.Span; made when it is first asked for."""
        made = self._context
        if made is None:
            made = SpanContext(self.trace_id, self.span_id, False, _FLAGS[self.flags], self.state)
            self._context = made
        return made

    @property
    def context(self) -> SpanContext:
        """The same, under the SDK's name."""
        return self.get_span_context()

    def is_recording(self) -> bool:
        """Whether what is set on the span goes anywhere."""
        return False

    def end(self, end_time: int | None = None) -> None:
        """End the span, at this moment or at a time in nanoseconds."""

    def set_attributes(self, attributes: Mapping[str, AnyValue]) -> None:
        """Set several attributes."""

    def set_attribute(self, key: str, value: AnyValue) -> None:
        """Set one attribute."""

    def add_event(self, name: str, attributes: Attributes = None, timestamp: int | None = None) -> None:
        """Add an event, now or at a time in nanoseconds."""

    def add_link(self, context: SpanContext, attributes: Attributes = None) -> None:
        """Point at another span."""

    def update_name(self, name: str) -> None:
        """Rename the span."""

    def set_status(self, status: Status | StatusCode, description: str | None = None) -> None:
        """Set the status; OK is final, UNSET is ignored."""

    def record_exception(
        self,
        exception: BaseException,
        attributes: Attributes = None,
        timestamp: int | None = None,
        escaped: bool = False,
    ) -> None:
        """Add the exception as an event, with its stack."""


NO_SPAN = IdSpan(0, 0, 0, None)
"""A span without ids."""


class RecordedSpan(IdSpan):
    """A span that is recorded; readable under the names of the SDK's ReadableSpan."""

    __slots__ = (
        "_parent", "_tracer", "attributes", "dropped_attributes", "dropped_events", "dropped_links",
        "end_time", "events", "kind", "links", "name", "start_time", "status",
    )  # fmt: skip

    def __init__(  # noqa: PLR0917 - made for every request; names would cost as much as the rest
        self,
        tracer: RecordingTracer,
        name: str,
        kind: SpanKind,
        parent: IdSpan | SpanContext | None,
        trace_id: int,
        flags: int,
        state: TraceState | None,
        start_time: int | None,
    ) -> None:
        self.trace_id = trace_id
        self.span_id = getrandbits(64) or 1
        self.flags = flags
        self.state = state
        self._context = None
        self._tracer = tracer
        self._parent = parent
        self.name = name
        self.kind = kind
        self.attributes: dict[str, AnyValue] = {}
        self.events: Sequence[Event] = ()
        self.links: Sequence[Link] = ()
        self.status = _UNSET
        self.dropped_attributes = self.dropped_events = self.dropped_links = 0
        self.end_time: int | None = None
        self.start_time = time.time_ns() if start_time is None else start_time

    @property
    def parent_id(self) -> int:
        """The parent's span id; 0 when there is no parent."""
        return 0 if self._parent is None else self._parent.span_id

    @property
    def parent(self) -> SpanContext | None:
        """The parent's context."""
        parent = self._parent
        return parent.get_span_context() if isinstance(parent, IdSpan) else parent

    @property
    def parent_is_remote(self) -> bool:
        """Whether the parent belongs to another process."""
        return isinstance(self._parent, SpanContext) and self._parent.is_remote

    @property
    def tracer(self) -> RecordingTracer:
        """The tracer that made the span."""
        return self._tracer

    @property
    def resource(self) -> Resource:
        """What the span's service says of itself."""
        return self._tracer.resource

    @property
    def instrumentation_scope(self) -> InstrumentationScope:
        """The library that made the span."""
        return self._tracer.scope

    def is_recording(self) -> bool:
        """Until its end."""
        return self.end_time is None

    def end(self, end_time: int | None = None) -> None:
        """See IdSpan; the second call changes nothing."""
        if self.end_time is not None:
            _log.warning("Calling end() on an ended span.")
            return
        self.end_time = time.time_ns() if end_time is None else end_time
        if self.flags & SAMPLED:
            self._tracer.ended(self)

    def adopt(self, attributes: dict[str, AnyValue]) -> None:
        """Take over a dictionary of str, int, float and bool values; what was set before stays."""
        limits = self._tracer.limits
        held = self.attributes
        if limits.max_span_attribute_length is None and _fits(
            len(held) + len(attributes), limits.max_span_attributes
        ):
            attributes.update(held)
            self.attributes = attributes
        else:
            self.set_attributes({**attributes, **held})

    def set_attributes(self, attributes: Mapping[str, AnyValue]) -> None:
        """See IdSpan."""
        for key, value in attributes.items():
            self.set_attribute(key, value)

    def set_attribute(self, key: str, value: AnyValue) -> None:
        """See IdSpan; what is no plain value is cleaned as the SDK does."""
        if self._has_ended():
            return
        limits = self._tracer.limits
        held = self.attributes
        quick = (
            type(value) in _QUICK and key and type(key) is str and limits.max_span_attribute_length is None
        )
        if quick and (key in held or _fits(len(held) + 1, limits.max_span_attributes)):
            held[key] = value
            return
        all_of_them = BoundedAttributes(
            limits.max_span_attributes, held, immutable=False, max_value_len=limits.max_span_attribute_length
        )
        all_of_them[key] = value
        self.attributes = dict(all_of_them)
        self.dropped_attributes += all_of_them.dropped

    def add_event(self, name: str, attributes: Attributes = None, timestamp: int | None = None) -> None:
        """See IdSpan."""
        limits = self._tracer.limits
        bounded = _bounded(attributes, limits.max_event_attributes, limits)
        if not self._has_ended():
            self.events, dropped = _appended(self.events, Event(name, bounded, timestamp), limits.max_events)
            self.dropped_events += dropped

    def add_link(self, context: SpanContext, attributes: Attributes = None) -> None:
        """See IdSpan; an invalid context is taken only with attributes or a trace state."""
        if not (context and (context.is_valid or attributes or context.trace_state)):
            return
        limits = self._tracer.limits
        bounded = _bounded(attributes, limits.max_link_attributes, limits)
        if not self._has_ended():
            self.links, dropped = _appended(self.links, Link(context, bounded), limits.max_links)
            self.dropped_links += dropped

    def update_name(self, name: str) -> None:
        """See IdSpan."""
        if not self._has_ended():
            self.name = name

    def set_status(self, status: Status | StatusCode, description: str | None = None) -> None:
        """See IdSpan."""
        new = status if isinstance(status, Status) else Status(status, description)
        if not (
            self._has_ended()
            or self.status.status_code is StatusCode.OK
            or new.status_code is StatusCode.UNSET
        ):
            self.status = new

    def record_exception(
        self,
        exception: BaseException,
        attributes: Attributes = None,
        timestamp: int | None = None,
        escaped: bool = False,
    ) -> None:
        """See IdSpan."""
        kind = type(exception)
        named = kind.__module__ and kind.__module__ != "builtins"
        described: dict[str, AnyValue] = {
            "exception.type": f"{kind.__module__}.{kind.__qualname__}" if named else kind.__qualname__,
            "exception.message": str(exception),
            "exception.stacktrace": "".join(traceback.format_exception(exception)),
            "exception.escaped": str(escaped),
            **(attributes or {}),
        }
        self.add_event("exception", described, timestamp)

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, stack: object) -> None:
        """As a context manager: an exception is recorded and makes the status an error."""
        if error is not None and self.is_recording():
            self.record_exception(error, escaped=True)
            self.set_status(StatusCode.ERROR, f"{type(error).__name__}: {error}")
        self.end()

    def _has_ended(self) -> bool:
        if self.end_time is not None:
            _log.warning("Changing an ended span.")
            return True
        return False


def _fits(count: int, limit: int | None) -> bool:
    return limit is None or count <= limit


def _bounded(attributes: Attributes, limit: int | None, limits: SpanLimits) -> BoundedAttributes:
    return BoundedAttributes(limit, attributes, max_value_len=limits.max_attribute_length)


def _appended(held: Sequence[object], new: object, limit: int | None) -> tuple[list, int]:  # type: ignore[type-arg]
    """The sequence with one more item, without its oldest when it is full; and how many were dropped."""
    both = [*held, new]
    return (
        (both, 0) if limit is None or len(both) <= limit else (both[len(both) - limit :], len(both) - limit)
    )
