"""Log lines, oldest first: time, level, service, message and the fields that matter."""

import json
import time

from rich.console import Console
from rich.text import Text

from firedrill.ask.metrics import show_series
from firedrill.ask.text import clean, clock, seconds_of
from firedrill.clients import Answer, LogLine, Loki

EMPTY = (
    "No lines in the last {since}.\n"
    '  try: a longer time (--since 1h); `{{service="fds"}}` alone; ids are found by `| trace_id="..."`'
)
_LEVELS = {
    "DEBUG": "dim",
    "INFO": "green",
    "WARNING": "yellow",
    "ERROR": "red",
    "CRITICAL": "bold white on red",
}
# Shown in columns of their own, or the same on every line.
_SHOWN = frozenset({"timestamp", "level", "service", "system", "message", "span_id"})
_LAST = ("request_id", "trace_id")


def show_search(logql: str, loki: Loki, console: Console, *, since: str, limit: int) -> int:
    """Print the newest `limit` lines of the last `since` (like 15m), or a table for a metric query.

    Raises BackendError when Loki does not answer or refuses the query, UsageError on a bad `since`.
    """
    end = time.time()
    answer = loki.search(logql, start=end - seconds_of(since), end=end + 1, limit=limit)
    if answer.series:
        show_series(Answer("matrix", answer.series), console)
        return 0
    if not answer.lines:
        console.print(Text(EMPTY.format(since=since)))
        return 0
    for line in answer.lines:
        console.print(render(line), soft_wrap=True)
    if len(answer.lines) >= limit:
        console.print(Text(f"the newest {limit} lines; more: --limit {limit * 10}", style="dim"))
    return 0


def render(line: LogLine) -> Text:
    """One line; text of the log is never markup and holds no control characters."""
    fields = fields_of(line)
    level = fields.get("level") or line.labels.get("level", "")
    service = fields.get("service") or line.labels.get("service") or line.labels.get("service_name", "")
    text = Text(clock(line.time / 1e9, decimals=True), style="dim")
    text.append(f" {clean(level):<8}", _LEVELS.get(level, ""))
    text.append(f" {clean(service):<9} ", "cyan")
    text.append(clean(fields.get("message", line.text)))
    named = [key for key in fields if key not in _SHOWN and key not in _LAST]
    for key in [*named, *(key for key in _LAST if fields.get(key))]:
        text.append(f" {clean(key)}=", "dim")
        text.append(clean(fields[key]))
    return text


def fields_of(line: LogLine) -> dict[str, str]:
    """The line's own keys; a line that is not a JSON object has none but its metadata."""
    try:
        data = json.loads(line.text)
    except ValueError:
        data = None
    if not isinstance(data, dict):
        return dict(line.metadata)
    return {
        str(key): value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
        for key, value in data.items()
        if value is not None
    }
