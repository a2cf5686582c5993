"""What can be found afterwards: orders in the shop, lines in Loki, spans in Jaeger, and counted losses."""

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import httpx

from firedrill.clients import Jaeger, Loki
from firedrill.clients.traces import Span
from tests.integration.resilience.load import Answer

MOST_LINES = 5000  # what Loki gives at once
MOST_TRACES = 5000
SLICE_SECONDS = 10.0
LONGEST_SPAN_SECONDS = 60.0
_EXPORTED = re.compile(r"^telemetry_spans_exported_total (\S+)$", re.M)
_DROPPED = re.compile(r"^telemetry_spans_dropped_total\{[^}]*\} (\S+)$", re.M)


@dataclass(frozen=True)
class Line:
    """A line as a service wrote it."""

    at: float
    text: str
    request_id: str


@dataclass(frozen=True)
class SpanCounts:
    """What a process says of its finished spans."""

    exported: float = 0.0
    dropped: float = 0.0


def lines_written(folder: Path, service: str) -> Iterator[Line]:
    """The whole lines in a service's log files, the rotated one first; a line torn by a kill is none."""
    for path in (folder / f"{service}.log.1", folder / f"{service}.log"):
        for text in path.read_text(encoding="utf-8").splitlines() if path.exists() else ():
            try:
                found = json.loads(text)
                at = datetime.fromisoformat(found["timestamp"]).timestamp()
            except (ValueError, KeyError, TypeError):
                continue
            yield Line(at, text, str(found.get("request_id", "")))


def lines_found(loki: Loki, service: str, *, start: float, end: float) -> set[str]:
    """The texts of a service's lines in Loki between two unix seconds."""
    found: set[str] = set()
    while start < end:
        until = min(end, start + SLICE_SECONDS)
        lines = loki.search(f'{{service="{service}"}}', start=start, end=until, limit=MOST_LINES).lines
        assert len(lines) < MOST_LINES, f"more lines of {service} than Loki gives at once: ask for less time"
        found.update(line.text for line in lines)
        start = until
    return found


def accepted_things(answers: Iterable[Answer]) -> Mapping[str, list[tuple[str, str]]]:
    """What services said they took, as (service, path where it must be found), by kind."""
    found: dict[str, list[tuple[str, str]]] = {"orders": [], "instances": [], "reviews": []}
    for answer in answers:
        if not answer.accepted:
            continue
        if answer.service == "ecommerce":
            found["orders"].append(("ecommerce", f"/api/v1/orders/{answer.body['order_id']}/status"))
        elif answer.service == "workflow":
            found["instances"].append(("workflow", f"/api/v1/instances/{answer.body['instance_id']}"))
        elif answer.service == "admin":
            found["reviews"].append(("admin", f"/api/v1/admin/reviews/{answer.request_id}"))
    return found


def spans_stored(jaeger: Jaeger, service: str, *, start: float, end: float) -> set[tuple[str, str]]:
    """Trace and span id of every stored span of a service whose trace it was in between two unix seconds."""
    return {(span.trace_id, span.span_id) for span in _spans(jaeger, service, start, end)}


def spans_ended(jaeger: Jaeger, service: str, *, start: float, end: float) -> set[tuple[str, str]]:
    """Trace and span id of every stored span of a service that ended between two unix seconds."""
    return {
        (span.trace_id, span.span_id)
        for span in _spans(jaeger, service, start - LONGEST_SPAN_SECONDS, end)
        if start * 1e9 <= span.start + span.duration < end * 1e9
    }


def _spans(jaeger: Jaeger, service: str, start: float, end: float) -> Iterator[Span]:
    while start < end:
        until = min(end, start + SLICE_SECONDS)
        traces = jaeger.recent(service, start=start, end=until, limit=MOST_TRACES)
        assert len(traces) < MOST_TRACES, (
            f"more traces of {service} than Jaeger gives at once: ask for less time"
        )
        yield from (span for trace in traces for span in trace.spans if span.service == service)
        start = until


def span_counts(http: httpx.Client, url: str) -> SpanCounts | None:
    """What the process at `url` says now; None when it does not answer."""
    try:
        text = http.get(f"{url}/metrics", timeout=2.0).text
    except httpx.HTTPError:
        return None
    exported = sum(float(number) for number in _EXPORTED.findall(text))
    return SpanCounts(exported, sum(float(number) for number in _DROPPED.findall(text)))
