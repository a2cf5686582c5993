"""One trace laid out for a page: bars on one time axis, nested, with what a click on one shows."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from firedrill.ask.text import duration
from firedrill.ask.waterfall import rows_of
from firedrill.clients import Span, Trace

COLOURS = 8  # the page has as many for services; more services share them
MOST_BARS = 1_000  # a page with more is slow, and nobody reads them
TICKS = 4
_NARROWEST = 0.25  # percent: a span of microseconds stays visible in a trace of seconds
# What a bar says itself.
_SAID = frozenset({"error", "otel.status_code", "otel.status_description", "span.kind"})


@dataclass(frozen=True)
class Bar:
    """One span: `left` and `width` in percent of the trace, times as texts; `colour` its service's."""

    id: str
    name: str
    service: str
    colour: int
    kind: str
    depth: int
    children: int
    left: float
    width: float
    starts: str
    lasts: str
    alone: str
    error: bool
    message: str
    attributes: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Share:
    """A service of the trace, with its number of spans and of errors."""

    name: str
    colour: int
    spans: int
    errors: int


@dataclass(frozen=True)
class Waterfall:
    """A trace for a page; `began` in unix seconds, `ticks` are (percent, text), `left_out` counts spans."""

    trace_id: str
    name: str
    began: float
    lasts: str
    spans: int
    errors: int
    services: tuple[Share, ...]
    ticks: tuple[tuple[float, str], ...]
    bars: tuple[Bar, ...]
    left_out: int

    def as_props(self) -> dict[str, Any]:
        """For the page's script."""
        return asdict(self)


def waterfall(trace: Trace) -> Waterfall:
    """The layout of a trace that has a span at least."""
    rows = rows_of(trace)
    begin = min(span.start for span in trace.spans)
    total = max(1, max(span.start + span.duration for span in trace.spans) - begin)
    shares = _shares(trace.spans)
    colours = {share.name: share.colour for share in shares}
    children = _children(trace.spans)
    bars = tuple(
        _bar(
            row.span,
            row.depth,
            begin=begin,
            total=total,
            colour=colours[row.span.service],
            children=children.get(row.span.span_id, ()),
        )
        for row in rows[:MOST_BARS]
    )
    return Waterfall(
        trace_id=trace.trace_id,
        name=rows[0].span.name,
        began=begin / 1e9,
        lasts=duration(total),
        spans=len(rows),
        errors=sum(span.error for span in trace.spans),
        services=shares,
        ticks=tuple((100 * at / TICKS, duration(total * at // TICKS)) for at in range(TICKS + 1)),
        bars=bars,
        left_out=len(rows) - len(bars),
    )


def own_time(span: Span, children: Iterable[Span]) -> int:
    """Nanoseconds of a span in which none of its children ran."""
    covered, reached = 0, span.start
    end = span.start + span.duration
    for child in sorted(children, key=lambda one: one.start):
        begins, ends = max(child.start, reached), min(child.start + child.duration, end)
        if ends > begins:
            covered += ends - begins
            reached = ends
    return span.duration - covered


def _bar(span: Span, depth: int, *, begin: int, total: int, colour: int, children: Sequence[Span]) -> Bar:
    width = max(_NARROWEST, min(100.0, 100 * span.duration / total))
    left = min(100 * (span.start - begin) / total, 100 - width)
    return Bar(
        id=span.span_id,
        name=span.name,
        service=span.service,
        colour=colour,
        kind=span.kind,
        depth=depth,
        children=len(children),
        left=round(left, 3),
        width=round(width, 3),
        starts=duration(span.start - begin),
        lasts=duration(span.duration),
        alone=duration(own_time(span, children)),
        error=span.error,
        message=span.attributes.get("otel.status_description", ""),
        attributes=tuple(sorted((key, value) for key, value in span.attributes.items() if key not in _SAID)),
    )


def _children(spans: Iterable[Span]) -> Mapping[str, list[Span]]:
    found: dict[str, list[Span]] = {}
    for span in spans:
        if span.parent and span.parent != span.span_id:
            found.setdefault(span.parent, []).append(span)
    return found


def _shares(spans: Sequence[Span]) -> tuple[Share, ...]:
    """In the order of appearance, so that the caller stands first."""
    names = list(dict.fromkeys(span.service for span in spans))
    return tuple(
        Share(
            name,
            index % COLOURS,
            sum(span.service == name for span in spans),
            sum(span.service == name and span.error for span in spans),
        )
        for index, name in enumerate(names)
    )
