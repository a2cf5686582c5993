"""What is asked of the trace backend: a form, its address in the browser, and the rows that come back."""

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

from console.asking import count_of, duration_of, moment_of
from console.sources import TraceSearch
from firedrill.ask.text import duration, seconds_of
from firedrill.clients import Trace
from firedrill.drill.evidence import search_of
from firedrill.errors import UsageError

SINCE = "15m"
LIMIT = 20
MOST = 200
_DURATION = re.compile(r"([0-9]{1,9}(?:\.[0-9]{1,9})?)\s*(us|µs|ms|s|m)")
_UNITS = {"us": 1e-6, "µs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0}
_TAG = re.compile(r'\s*([\w.-]+)=("(?:\\.|[^"\\])*"|\S+)')


@dataclass(frozen=True)
class Search:
    """A search as the form holds it; empty means any. `tags` are written `key=value key="two words"`.

    `until` is the end of the time looked at in unix seconds, 0 for now.
    """

    service: str = ""
    operation: str = ""
    shortest: str = ""
    longest: str = ""
    tags: str = ""
    errors: bool = False
    since: str = SINCE
    limit: int = LIMIT
    until: float = 0.0

    @classmethod
    def of(cls, query: Mapping[str, str]) -> "Search":
        """From the address of a page; what is not understood there is left out."""
        known = {name: query.get(name, "").strip()[:200] for name in _TEXTS}
        return cls(
            **known,
            errors=query.get("errors", "") in {"1", "true", "on"},
            since=duration_of(query.get("since", ""), SINCE),
            limit=count_of(query.get("limit", ""), LIMIT, MOST),
            until=moment_of(query.get("until", "")),
        )

    def query(self) -> dict[str, str]:
        """For an address: only what differs from an empty form."""
        empty = asdict(Search())
        return {
            name: "1" if value is True else str(value)
            for name, value in asdict(self).items()
            if value != empty[name]
        }

    def wanted(self, now: float) -> TraceSearch:
        """What to ask for. Raises UsageError for a duration or attribute that cannot be read."""
        if not self.service:
            raise UsageError("choose a service", "traces are found by a service that took part", "")
        end = self.until or now
        return TraceSearch(
            service=self.service,
            start=end - seconds_of(self.since),
            end=end,
            operation=self.operation,
            tags=read_tags(self.tags) | ({"error": "true"} if self.errors else {}),
            at_least=_seconds(self.shortest),
            at_most=_seconds(self.longest),
            limit=self.limit,
        )


_TEXTS = ("service", "operation", "shortest", "longest", "tags")


def of_runbook(query: str) -> Search:
    """The search of a runbook's `traces` block. Raises CheckFailed for one that cannot be read."""
    found = search_of(query)
    tags = {str(name): str(value) for name, value in json.loads(found.get("tags", "{}")).items()}
    errors = tags.pop("error", "") == "true"
    return Search(
        service=found["service"],
        operation=found.get("operation", ""),
        shortest=found.get("minDuration", ""),
        longest=found.get("maxDuration", ""),
        tags=" ".join(f"{name}={json.dumps(value, ensure_ascii=False)}" for name, value in tags.items()),
        errors=errors,
    )


def read_tags(text: str) -> dict[str, str]:
    """The tags of a form. Raises UsageError for what is not key=value."""
    found, at = {}, 0
    while text[at:].strip():
        tag = _TAG.match(text, at)
        if tag is None:
            raise UsageError(
                f"{text[at:].strip()[:60]!r} is no attribute",
                "attributes are written key=value",
                'http.route=/v1/orders, or name="two words"',
            )
        value = tag[2]
        found[tag[1]] = json.loads(value) if value.startswith('"') and value.endswith('"') else value
        at = tag.end()
    return found


@dataclass(frozen=True)
class Found:
    """A trace in the list; `began` in unix seconds, `share` is its duration in percent of the longest."""

    trace_id: str
    name: str
    service: str
    began: float
    lasts: str
    nanoseconds: int
    spans: int
    errors: int
    services: tuple[str, ...]
    share: float = 0.0

    def as_props(self) -> dict[str, Any]:
        """For the page's script."""
        return asdict(self)


def listed(traces: Iterable[Trace], *, most: int = MOST) -> list[Found]:
    """The rows of a list, newest first, at most so many."""
    rows = [_found(trace) for trace in traces if trace.spans]
    rows = sorted(rows, key=lambda row: -row.began)[:most]
    longest = max((row.nanoseconds for row in rows), default=1)
    return [replace(row, share=round(100 * row.nanoseconds / max(1, longest), 1)) for row in rows]


def _found(trace: Trace) -> Found:
    begin = min(span.start for span in trace.spans)
    end = max(span.start + span.duration for span in trace.spans)
    known = {span.span_id for span in trace.spans}
    root = next((span for span in trace.spans if span.parent not in known), trace.spans[0])
    return Found(
        trace_id=trace.trace_id,
        name=root.name,
        service=root.service,
        began=begin / 1e9,
        lasts=duration(end - begin),
        nanoseconds=end - begin,
        spans=len(trace.spans),
        errors=sum(span.error for span in trace.spans),
        services=tuple(dict.fromkeys(span.service for span in trace.spans)),
    )


def _seconds(text: str) -> float | None:
    if not text:
        return None
    found = _DURATION.fullmatch(text)
    if not found:
        raise UsageError(f"{text[:40]!r} is not a duration", "", "write it like 100ms, 2s or 1m")
    return float(found[1]) * _UNITS[found[2]]
