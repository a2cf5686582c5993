"""A trace as a waterfall: nested spans, bars on one time axis, durations, errors and key attributes."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from rich.console import Console
from rich.text import Text

from firedrill.ask.screen import drawing_width
from firedrill.ask.text import clean, duration
from firedrill.clients import BackendError, Span, Trace, TraceBackend
from firedrill.errors import UsageError

_ID = re.compile(r"[0-9a-f]{16}|[0-9a-f]{32}")
_COLOURS = ("cyan", "magenta", "yellow", "blue", "green", "bright_red")
# Attributes that say the same on every span, or what the span's own columns say.
_HIDDEN = (
    *("otel.", "span.kind", "error", "internal.", "telemetry.", "thread.", "server.", "network.", "client."),
    *("user_agent.", "url.scheme", "url.full", "net.", "peer."),
)
_NOTE_LENGTH = 80  # in a terminal; a pipe gets values whole


@dataclass(frozen=True)
class Row:
    """A span and how deep it is nested."""

    span: Span
    depth: int


def parse_id(text: str) -> str:
    """The trace id in lower case; raises UsageError when it is not 16 or 32 hex digits."""
    trace_id = text.strip().lower()
    if not _ID.fullmatch(trace_id):
        todo = "take it from X-Trace-Id of an answer, or from trace_id in a log line (`firedrill search`)"
        raise UsageError(f"{clean(text)!r} is not a trace id", "one has 16 or 32 hex digits", todo)
    return trace_id


def show_trace(trace_id: str, backends: Sequence[TraceBackend], console: Console) -> int:
    """Print the trace from the first backend that has it; 1 when none has.

    Raises BackendError when no backend answers, UsageError on a bad id.
    """
    wanted = parse_id(trace_id)
    failures: list[BackendError] = []
    for backend in backends:
        try:
            found = backend.trace(wanted)
        except BackendError as error:
            failures.append(error)
            continue
        if found is not None:
            draw(found, backend.name, console)
            return 0
    if failures and len(failures) == len(backends):
        raise failures[0]
    names = " and ".join(backend.name for backend in backends)
    console.print(Text(f"{names}: no trace {wanted}"))
    console.print(
        Text('  try: again in a few seconds; `firedrill search \'{service=~".+"} | trace_id="…"\'`')
    )
    for failure in failures:
        console.print(Text(f"  {clean(failure.what)}: {clean(failure.why)}"))
    return 1


def rows_of(trace: Trace) -> list[Row]:
    """The spans in the order in which a reader wants them: parents first, children by start.

    A span whose parent is not in the trace (lost, or started outside) stands at the top.
    """
    known = {span.span_id for span in trace.spans}
    children: dict[str, list[Span]] = {}
    for span in trace.spans:
        parent = span.parent if span.parent in known and span.parent != span.span_id else ""
        children.setdefault(parent, []).append(span)

    def walk(parent: str, depth: int) -> Iterator[Row]:
        for span in children.pop(parent, ()):
            yield Row(span, depth)
            yield from walk(span.span_id, depth + 1)

    rows = list(walk("", 0))
    while children:  # spans that are each other's ancestors: show them all the same
        rows.extend(walk(next(iter(children)), 0))
    return rows


def draw(trace: Trace, backend: str, console: Console) -> None:
    """Print the trace: a head line with its total, then a line per span."""
    rows = rows_of(trace)
    begin = min(span.start for span in trace.spans)
    total = max(1, max(span.start + span.duration for span in trace.spans) - begin)
    services = sorted({span.service for span in trace.spans})
    errors = sum(1 for span in trace.spans if span.error)
    head = (
        f"trace {trace.trace_id}  {duration(total)}  {len(rows)} spans, {errors} with errors, from {backend}"
    )
    console.print(Text(head, style="bold"), soft_wrap=True)
    width = drawing_width(console)
    longest = max(len(_label(row)) for row in rows)
    name_width = min(longest, max(20, width // 2)) if console.is_terminal else longest
    service_width = max(len(clean(one)) for one in services)
    bar_width = max(10, min(40, width - name_width - service_width - 14))
    for row in rows:
        colour = _COLOURS[services.index(row.span.service) % len(_COLOURS)]
        text = Text(f"{_fit(_label(row), name_width)} ", style="bold red" if row.span.error else "")
        text.append(f"{clean(row.span.service):<{service_width}} ", colour)
        text.append(f"{duration(row.span.duration):>9} ")
        text.append(f"|{_bar(row.span, begin, total, bar_width)}|", "red" if row.span.error else colour)
        text.append(_notes(row.span, _NOTE_LENGTH if console.is_terminal else None), "dim")
        console.print(text, soft_wrap=True)


def _label(row: Row) -> str:
    return "  " * row.depth + ("✗ " if row.span.error else "") + clean(row.span.name)


def _fit(text: str, width: int) -> str:
    return f"{text:<{width}}" if len(text) <= width else f"{text[: width - 1]}…"


def _bar(span: Span, begin: int, total: int, width: int) -> str:
    """The span on the time axis; at least one column, however short it is."""
    left = min(width - 1, (span.start - begin) * width // total)
    length = max(1, min(width - left, round(span.duration * width / total)))
    return " " * left + "█" * length + " " * (width - left - length)


def _notes(span: Span, length: int | None) -> str:
    kept = {key: value for key, value in span.attributes.items() if not key.startswith(_HIDDEN)}
    message = span.attributes.get("otel.status_description", "")
    notes = "".join(f" {clean(key)}={clean(value)[:length]}" for key, value in sorted(kept.items()))
    return (f"  ERROR {clean(message)}" if message else "") + (f" {notes}" if notes else "")
