"""What is measured: one application each, and how it is started."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

TRACES = "OTEL_TRACES_SAMPLER"
_OTLP = {
    "OTEL_TRACES_EXPORTER": "otlp",
    "OTEL_METRICS_EXPORTER": "none",
    "OTEL_LOGS_EXPORTER": "none",
    "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf",
    TRACES: "parentbased_traceidratio",
    "OTEL_TRACES_SAMPLER_ARG": "1.0",
    "OTEL_SERVICE_NAME": "bench",
}


@dataclass(frozen=True, kw_only=True)
class Case:
    """One way to serve the same route; `least` and `goal` are shares of bare throughput."""

    name: str
    what: str
    factory: str
    wrapper: tuple[str, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict)
    least: float | None = None
    goal: float | None = None


CASES = (
    Case(name="bare", what="FastAPI on uvicorn", factory="bare"),
    Case(name="bare-quiet", what="the same, its own telemetry off", factory="quiet"),
    Case(
        name="ours-100",
        what="metrics, exemplars, JSON line, every request traced",
        factory="ours",
        environment=_OTLP,
        least=0.55,
        goal=0.70,
    ),
    Case(
        name="ours-10",
        what="the same, one trace in ten",
        factory="ours",
        environment={**_OTLP, "OTEL_TRACES_SAMPLER_ARG": "0.1"},
        least=0.72,
        goal=0.85,
    ),
    Case(name="instrumentator", what="prometheus-fastapi-instrumentator: metrics", factory="instrumentator"),
    Case(
        name="otel-instrument",
        what="opentelemetry-instrument: traces",
        factory="bare",
        wrapper=("opentelemetry-instrument",),
        environment=_OTLP,
    ),
    Case(
        name="recipe",
        what="the common recipe: metrics, traces, text logs",
        factory="recipe",
        environment=_OTLP,
    ),
)
