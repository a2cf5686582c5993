"""Spans: a provider from the OTEL_* variables, and one way to open a span."""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib.metadata import entry_points
from types import TracebackType

from opentelemetry import trace
from opentelemetry.context import attach, detach
from opentelemetry.distro import OpenTelemetryDistro
from opentelemetry.instrumentation.utils import is_instrumentation_enabled
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SpanExporter
from opentelemetry.trace import StatusCode
from opentelemetry.util.types import AttributeValue

from telemetry.export import ExportQueue, Losses
from telemetry.rendering import text_of
from telemetry.scope import current_place
from telemetry.settings import SettingsError, TelemetrySettings
from telemetry.spans import active_ids, context_with
from telemetry.tracers import Provider

SCOPE = "telemetry"
_environment_lock = threading.Lock()
_NO_TRACER = trace.NoOpTracer()


class Span:
    """One open span; what it is given is masked before it leaves the process."""

    __slots__ = ("_span",)

    def __init__(self, span: trace.Span) -> None:
        self._span = span

    def set(self, key: str, value: object) -> None:
        """Set one attribute; None is left out, and what is no plain value becomes text."""
        if value is not None:
            self._span.set_attribute(key, _attribute(value))

    def error(self, reason: BaseException | str) -> None:
        """Mark the span as failed, with the exception as an event or the text as its reason."""
        if isinstance(reason, BaseException):
            mark_failed(self._span, reason)
        else:
            self._span.set_status(StatusCode.ERROR, reason)

    def link(self, trace_id: str, span_id: str) -> None:
        """Point at another span by its lower-case hex ids; ValueError when they are none."""
        context = trace.SpanContext(int(trace_id, 16), int(span_id, 16), is_remote=True)
        self._span.add_link(context)

    @property
    def trace_id(self) -> str:
        """32 lower-case hex digits."""
        return f"{self._span.get_span_context().trace_id:032x}"

    @property
    def span_id(self) -> str:
        """16 lower-case hex digits."""
        return f"{self._span.get_span_context().span_id:016x}"


def mark_failed(span: trace.Span, error: BaseException) -> None:
    """Record an exception on a span, with its type and its text as the reason; never raises."""
    name = type(error).__name__
    span.set_attribute("error.type", name)
    span.set_status(StatusCode.ERROR, f"{name}: {text_of(error)}")
    with contextlib.suppress(Exception):  # the SDK asks the exception for its text
        span.record_exception(error)


class _OpenSpan:
    """The context manager behind `span`; a class, because it is on the path of every request."""

    __slots__ = ("_attributes", "_name", "_span", "_token")

    def __init__(self, name: str, attributes: Mapping[str, object]) -> None:
        self._name = name
        self._attributes = attributes

    def __enter__(self) -> Span:
        tracer = (is_instrumentation_enabled() and current_place().tracer) or _NO_TRACER
        attributes = {key: _attribute(value) for key, value in self._attributes.items() if value is not None}
        self._span = tracer.start_span(self._name, attributes=attributes)
        self._token = attach(context_with(self._span))
        return Span(self._span)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, stack: TracebackType | None
    ) -> None:
        if isinstance(error, Exception):
            Span(self._span).error(error)
        self._span.end()
        detach(self._token)


def span(name: str, /, **attributes: object) -> _OpenSpan:
    """Open a span below the active one: `with span("judgment.execute", policy=p) as it: ...`.

    An exception that leaves the block marks the span as failed and goes on.
    """
    return _OpenSpan(name, attributes)


def current_trace_id() -> str | None:
    """The active trace's id as 32 lower-case hex digits."""
    trace_id, span_id, _ = active_ids()
    return f"{trace_id:032x}" if trace_id and span_id else None


def _attribute(value: object) -> AttributeValue:
    if isinstance(value, str | bool | int | float):
        return value
    if isinstance(value, list | tuple):
        alike = len({type(item) for item in value}) == 1 and isinstance(value[0], str | bool | int | float)
        return [*value] if alike else [text_of(item) for item in value]
    return text_of(value)


def make_provider(
    settings: TelemetrySettings, losses: Losses, *, exporter: SpanExporter | None = None
) -> Provider:
    """A provider configured by `settings.otel` alone; it is not made the process's global one.

    `exporter` replaces those that OTEL_TRACES_EXPORTER names. Raises SettingsError for an exporter
    that is not installed.
    """
    with _otel_environment(settings):
        resource = _resource(settings)
        sdk = TracerProvider(resource=resource, shutdown_on_exit=False)
        disabled = os.environ.get("OTEL_SDK_DISABLED", "").strip().lower() == "true"
        exporters = [exporter] if exporter is not None else [] if disabled else _named_exporters()
        queues = [ExportQueue(each, losses, settings.otel) for each in exporters]
        return Provider(sdk, queues, disabled=disabled)


def _resource(settings: TelemetrySettings) -> Resource:
    own = Resource(
        {
            "service.version": settings.version,
            "service.namespace": settings.system,
            "deployment.environment.name": settings.environment,
        }
    )
    # What the environment says (OTEL_RESOURCE_ATTRIBUTES) wins over what we know.
    return own.merge(Resource.create({}))


@contextmanager
def _otel_environment(settings: TelemetrySettings) -> Iterator[None]:
    """The SDK reads OTEL_* from the process while it is built: let it see the settings, no more."""
    with _environment_lock:
        before = {name: value for name, value in os.environ.items() if name.startswith("OTEL_")}
        # The distro's own default protocol is gRPC, whose exporter is not installed here.
        ours = {"OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf"}
        _replace_otel({**ours, **settings.otel, "OTEL_SERVICE_NAME": settings.service})
        try:
            OpenTelemetryDistro().configure()
            yield
        finally:
            _replace_otel(before)


def _replace_otel(variables: Mapping[str, str]) -> None:
    for name in [name for name in os.environ if name.startswith("OTEL_") and name not in variables]:
        del os.environ[name]
    os.environ.update(variables)


def _named_exporters() -> list[SpanExporter]:
    names = [name.strip() for name in os.environ.get("OTEL_TRACES_EXPORTER", "").split(",")]
    return [_named_exporter(name) for name in names if name and name.lower() != "none"]


def _named_exporter(name: str) -> SpanExporter:
    general = os.environ["OTEL_EXPORTER_OTLP_PROTOCOL"]
    protocol = os.environ.get("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL") or general
    entry = name
    if name == "otlp":
        entry = {"http/protobuf": "otlp_proto_http", "grpc": "otlp_proto_grpc"}.get(protocol, protocol)
    for found in entry_points(group="opentelemetry_traces_exporter", name=entry):
        try:
            made = found.load()()
        except ImportError:
            continue
        if isinstance(made, SpanExporter):
            return made
    raise SettingsError(
        f"OTEL_TRACES_EXPORTER={name!r} (protocol {protocol!r}) is not installed: "
        "use otlp with OTEL_EXPORTER_OTLP_PROTOCOL=http/protobuf, console or none"
    )
