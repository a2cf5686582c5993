"""Log lines as rows: time, level, service, message, and the fields that a click shows."""

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any

from firedrill.ask.logs import fields_of
from firedrill.clients import LogLine

LONGEST = 10_000  # characters of one value; a page with more of them stalls
# Columns of their own.
_SHOWN = frozenset({"timestamp", "level", "service", "message"})
_LAST = ("logger", "component", "system", "log_type", "request_id", "span_id", "trace_id")


@dataclass(frozen=True)
class Row:
    """One line; `at` in unix seconds, `key` tells it from all others."""

    key: str
    at: float
    nanoseconds: str
    level: str
    service: str
    message: str
    trace_id: str
    fields: tuple[tuple[str, str], ...]

    def as_props(self) -> dict[str, Any]:
        """For the page's script."""
        return asdict(self)


def row_of(line: LogLine) -> Row:
    """The row of one line; what is not JSON is a message as it is."""
    fields = {**line.labels, **line.metadata, **fields_of(line)}
    level = fields.get("level", "")
    service = fields.get("service") or fields.get("service_name", "")
    message = fields.get("message", line.text)
    return Row(
        key=f"{line.time}-{hash((line.text, tuple(sorted(line.labels.items())))) & 0xFFFFFFFFFF:x}",
        at=line.time / 1e9,
        nanoseconds=str(line.time),
        level=level.upper()[:20],
        service=service,
        message=message[:LONGEST],
        trace_id=fields.get("trace_id", ""),
        fields=_ordered(fields),
    )


def rows_of(lines: Iterable[LogLine]) -> list[Row]:
    """Newest first, each line once."""
    found = {row.key: row for row in map(row_of, lines)}
    return sorted(found.values(), key=lambda row: int(row.nanoseconds), reverse=True)


def _ordered(fields: dict[str, str]) -> tuple[tuple[str, str], ...]:
    """What the line says first, ids and origin last; empty ones are left out."""
    first = [name for name in fields if name not in _SHOWN and name not in _LAST]
    names = [*first, *(name for name in _LAST if name in fields)]
    return tuple((name, fields[name][:LONGEST]) for name in names if fields[name] != "")
