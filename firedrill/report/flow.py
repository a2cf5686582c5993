"""Logs and spans: how much a request leaves behind, and how much a day is at the present rate."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import fmean

from firedrill.clients import Trace

from .model import Budgets, Figure

DAY = 86_400
REQUESTS = 20  # fewer say nothing of a request: what runs by itself outweighs them
TRACES = 5  # the same for whole traces
SERVER = "server"


@dataclass(frozen=True)
class Flow:
    """What came in `seconds`: by service requests, log lines and their bytes; spans and bytes by backend."""

    seconds: float
    requests: Mapping[str, float] = field(default_factory=dict)
    lines: Mapping[str, float] = field(default_factory=dict)
    line_bytes: Mapping[str, float] = field(default_factory=dict)
    spans: float | None = None
    span_bytes: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    """Where spans are weighed: (bytes, spans) there."""


def log_figures(flow: Flow, budgets: Budgets) -> Iterator[Figure]:
    """Lines and bytes per request and bytes a day, of every service that logs."""
    for measure, amounts in (
        ("log_lines_per_request", flow.lines),
        ("log_bytes_per_request", flow.line_bytes),
    ):
        for name in sorted(amounts):
            requests = flow.requests.get(name, 0.0)
            few = requests < REQUESTS
            note = f"not yet: {requests:.0f} requests, {REQUESTS} are needed" if few else ""
            value = None if few else amounts[name] / requests
            yield Figure(measure, name, value, budgets.of(measure, name), note)
    total = 0.0
    for name in sorted(flow.line_bytes):
        total += flow.line_bytes[name]
        yield _daily("log_bytes_per_day", name, flow.line_bytes[name], flow.seconds, budgets)
    yield _daily("log_bytes_per_day", "all", total, flow.seconds, budgets)


def request_spans(traces: Iterable[Trace], services: Sequence[str], budgets: Budgets) -> Iterator[Figure]:
    """Of each service: its spans per request that it answered, in the traces that were looked at."""
    own: Counter[str] = Counter()
    answered: Counter[str] = Counter()
    for trace in traces:
        for span in trace.spans:
            own[span.service] += 1
            answered[span.service] += span.kind == SERVER
    for name in services:
        few = answered[name] < REQUESTS
        note = f"{answered[name]} requests looked at"
        value = None if few else own[name] / answered[name]
        note = f"not yet: {note}, {REQUESTS} are needed" if few else note
        yield Figure("spans_per_request", name, value, budgets.of("spans_per_request", name), note)


def journey_spans(name: str, traces: Sequence[Trace], budgets: Budgets) -> Figure:
    """The mean number of spans of a journey's whole traces."""
    budget = budgets.of("spans_per_journey", name)
    if len(traces) < TRACES:
        return Figure(
            "spans_per_journey", name, None, budget, f"not yet: {len(traces)} traces, {TRACES} needed"
        )
    counts = [len(one.spans) for one in traces]
    services = sorted({span.service for one in traces for span in one.spans})
    note = f"{len(traces)} traces, {min(counts)} to {max(counts)} spans; {', '.join(services)}"
    return Figure("spans_per_journey", name, fmean(counts), budget, note)


def span_figures(flow: Flow, budgets: Budgets) -> Iterator[Figure]:
    """Spans per request over all, and the bytes of a span where a backend weighs them."""
    requests = sum(flow.requests.values())
    if flow.spans is not None:
        value = flow.spans / requests if requests >= REQUESTS else None
        note = "what the Collector took, by what the services answered" if value is not None else "not yet"
        yield Figure("spans_per_request", "all", value, budgets.of("spans_per_request", "all"), note)
    for where, (size, spans) in sorted(flow.span_bytes.items()):
        each = size / spans if spans else None
        note = "" if spans else "not yet: no spans"
        yield Figure("bytes_per_span", where, each, budgets.of("bytes_per_span", where), note)
        yield _daily("span_bytes_per_day", where, size, flow.seconds, budgets)


def _daily(measure: str, name: str, amount: float, seconds: float, budgets: Budgets) -> Figure:
    return Figure(measure, name, amount / seconds * DAY, budgets.of(measure, name))
