"""The provider and the tracers of a service: they decide what is recorded, and hand ended spans on."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from random import getrandbits
from typing import Protocol

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import SpanLimits, TracerProvider
from opentelemetry.sdk.trace.sampling import Decision as SamplingDecision
from opentelemetry.sdk.trace.sampling import Sampler, TraceIdRatioBased
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import Link, SpanContext, SpanKind, TraceFlags, TraceState
from opentelemetry.util.types import Attributes

from telemetry.spans import EMPTY, SAMPLED, IdSpan, RecordedSpan

_RANDOM = TraceFlags.RANDOM_TRACE_ID
_RANDOM_SAMPLED = _RANDOM | SAMPLED
_LOW_BITS = TraceIdRatioBased.TRACE_ID_LIMIT
_BY_PARENT = (
    ",remoteParentSampled:AlwaysOnSampler,remoteParentNotSampled:AlwaysOffSampler"
    ",localParentSampled:AlwaysOnSampler,localParentNotSampled:AlwaysOffSampler}"
)
_ROOTS = re.compile(r"AlwaysOnSampler|AlwaysOffSampler|TraceIdRatioBased\{([0-9.e+-]+)\}")


class Receiver(Protocol):
    """Takes ended spans that are sampled; never blocks."""

    def take(self, span: RecordedSpan) -> None:
        """Queue one span."""

    def flush(self, timeout_seconds: float) -> bool:
        """Wait until what was taken has been handled; False when time ran out."""

    def shutdown(self) -> None:
        """Handle what is left, for a bounded time."""


class Decision:
    """What the SDK's own samplers would say, without the objects that they make for each answer.

    They tell by their description what they do; one that is unknown is asked each time.
    """

    def __init__(self, sampler: Sampler) -> None:
        text = sampler.get_description()
        self.by_parent = text.startswith("ParentBased{root:") and text.endswith(_BY_PARENT)
        root = text.removeprefix("ParentBased{root:").removesuffix(_BY_PARENT) if self.by_parent else text
        found = _ROOTS.fullmatch(root)
        self.sampler = None if found else sampler
        rate = float(found[1]) if found and found[1] else float(root == "AlwaysOnSampler")
        self.bound = TraceIdRatioBased.get_bound_for_rate(rate)
        """A trace without a parent is sampled when the low 64 bits of its id are below this."""


class RecordingTracer(trace.Tracer):
    """Makes the spans of one library."""

    def __init__(self, provider: Provider, scope: InstrumentationScope) -> None:
        self._provider = provider
        self._decision = provider.decision
        self.scope = scope
        self.limits = provider.limits
        self.ended: Callable[[RecordedSpan], None] = provider.ended

    @property
    def resource(self) -> Resource:
        """What the service says of itself; a forked process may say something else."""
        return self._provider.resource

    def start_span(  # noqa: PLR0917 - the order is OpenTelemetry's
        self,
        name: str,
        context: Context | None = None,
        kind: SpanKind = SpanKind.INTERNAL,
        attributes: Attributes = None,
        links: Sequence[Link] | None = None,
        start_time: int | None = None,
        record_exception: bool = True,
        set_status_on_exception: bool = True,
    ) -> trace.Span:
        """See opentelemetry.trace.Tracer."""
        return self.start(name, context, kind, attributes, links, start_time)

    def start(  # noqa: PLR0917 - see start_span
        self,
        name: str,
        context: Context | None,
        kind: SpanKind,
        attributes: Attributes = None,
        links: Sequence[Link] | None = None,
        start_time: int | None = None,
    ) -> IdSpan:
        """The same with another type."""
        parent = None if context is EMPTY else _parent(context)
        state: TraceState | None = None
        given = 0
        if parent is None:
            trace_id = getrandbits(128) or 1
            flags: int = _RANDOM
        else:
            trace_id = parent.trace_id
            given = parent.flags if isinstance(parent, IdSpan) else parent.trace_flags
            state = parent.state if isinstance(parent, IdSpan) else parent.trace_state
            flags = given & _RANDOM
        decision = self._decision
        if decision.sampler is not None:
            answer = decision.sampler.should_sample(context, trace_id, name, kind, attributes, links)
            recorded = answer.decision is not SamplingDecision.DROP
            sampled = answer.decision is SamplingDecision.RECORD_AND_SAMPLE
            attributes, state = answer.attributes, answer.trace_state
        elif parent is not None and decision.by_parent:
            recorded = sampled = bool(given & SAMPLED)
        else:
            recorded = sampled = trace_id & _LOW_BITS < decision.bound
        if sampled:
            flags |= SAMPLED
        if not recorded:
            return IdSpan(trace_id, getrandbits(64) or 1, flags, state)
        span = RecordedSpan(self, name, kind, parent, trace_id, flags, state, start_time)
        if attributes:
            span.set_attributes(attributes)
        for link in links or ():
            span.add_link(link.context, link.attributes)
        return span

    def root(self, name: str, kind: SpanKind) -> IdSpan:
        """The same as `start` without a parent and without attributes, in fewer steps."""
        decision = self._decision
        if decision.sampler is not None:
            return self.start(name, EMPTY, kind)
        trace_id = getrandbits(128) or 1
        if trace_id & _LOW_BITS >= decision.bound:
            return IdSpan(trace_id, getrandbits(64) or 1, _RANDOM, None)
        return RecordedSpan(self, name, kind, None, trace_id, _RANDOM_SAMPLED, None, None)

    def start_as_current_span(  # type: ignore[override]  # noqa: PLR0917 - the base class decorates its own
        self,
        name: str,
        context: Context | None = None,
        kind: SpanKind = SpanKind.INTERNAL,
        attributes: Attributes = None,
        links: Sequence[Link] | None = None,
        start_time: int | None = None,
        record_exception: bool = True,
        set_status_on_exception: bool = True,
        end_on_exit: bool = True,
    ) -> AbstractContextManager[trace.Span]:
        """See opentelemetry.trace.Tracer."""
        return self._current(
            self.start_span(name, context, kind, attributes, links, start_time),
            end_on_exit=end_on_exit,
            record_exception=record_exception,
            set_status_on_exception=set_status_on_exception,
        )

    @contextmanager
    def _current(self, span: trace.Span, **how: bool) -> Iterator[trace.Span]:
        with trace.use_span(span, **how):
            yield span


def _parent(context: Context | None) -> IdSpan | SpanContext | None:
    """The span of a context (by default the active one) when it has ids."""
    span = trace.get_current_span(context)
    if isinstance(span, IdSpan):
        return span if span.trace_id else None
    found = span.get_span_context()
    return found if found.is_valid else None


class Provider(trace.TracerProvider):
    """Gives the tracers of one service; `sdk` is the SDK's provider, which read OTEL_*."""

    def __init__(
        self,
        sdk: TracerProvider,
        receivers: Sequence[Receiver],
        *,
        disabled: bool = False,
        limits: SpanLimits | None = None,
    ) -> None:
        self._sdk = sdk
        self._disabled = disabled
        self._receivers = tuple(receivers)
        self._lock = threading.Lock()
        self._tracers: dict[InstrumentationScope, RecordingTracer] = {}
        self.decision = Decision(sdk.sampler)
        self.limits = limits or SpanLimits()
        self.ended: Callable[[RecordedSpan], None] = (
            self._receivers[0].take if len(self._receivers) == 1 else self._all_take
        )

    @property
    def resource(self) -> Resource:
        """What the service says of itself."""
        return self._sdk.resource

    def get_tracer(
        self,
        instrumenting_module_name: str,
        instrumenting_library_version: str | None = None,
        schema_url: str | None = None,
        attributes: Attributes = None,
    ) -> trace.Tracer:
        """See opentelemetry.trace.TracerProvider."""
        if self._disabled:
            return trace.NoOpTracer()
        scope = InstrumentationScope(
            instrumenting_module_name, instrumenting_library_version or "", schema_url, attributes
        )
        with self._lock:
            tracer = self._tracers.get(scope)
            if tracer is None:
                tracer = self._tracers[scope] = RecordingTracer(self, scope)
            return tracer

    def force_flush(self, timeout_millis: int = 30000) -> bool:
        """Export what has ended so far; False when time ran out."""
        done = [each.flush(timeout_millis / 1000) for each in self._receivers]  # all of them
        return all(done)

    def shutdown(self) -> None:
        """Export what is left, for at most about three seconds."""
        for each in self._receivers:
            each.shutdown()
        self._sdk.shutdown()

    def _all_take(self, span: RecordedSpan) -> None:
        for each in self._receivers:
            each.take(span)
