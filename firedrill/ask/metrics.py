"""Metrics as a table: the labels that differ as columns, then value and time, or the course over a range."""

import time
from collections.abc import Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from firedrill.ask.text import clean, clock, number, seconds_of, sparkline
from firedrill.clients import Answer, Prometheus, Series

POINTS = 40
EMPTY = (
    "No series: nothing has this name and these labels now.\n"
    "  try: the name alone, without labels; `firedrill query up`; or a range that looks back: --since 15m"
)


def show_query(promql: str, prometheus: Prometheus, console: Console, *, since: str | None = None) -> int:
    """Print what `promql` gives now, or over the last `since` (like 15m); 0 also when that is nothing.

    Raises BackendError when Prometheus does not answer or refuses the query, UsageError on a bad `since`.
    """
    if since is None:
        answer = prometheus.query(promql)
    else:
        span, end = seconds_of(since), time.time()
        answer = prometheus.query_range(promql, start=end - span, end=end, step=max(1.0, span / POINTS))
    for warning in answer.warnings:
        console.print(Text(f"warning: {clean(warning)}", style="yellow"))
    if answer.kind == "string":
        console.print(Text(clean(answer.text)))
    elif not answer.series:
        console.print(Text(EMPTY))
    else:
        show_series(answer, console)
    return 0


def show_series(answer: Answer, console: Console) -> None:
    """Print the series of an answer, in the order of their labels."""
    common, columns = split_labels(answer.series)
    if common:
        console.print(Text(_labels(common), style="dim"))
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for column in columns:
        table.add_column(Text(clean(column)), overflow="fold")
    table.add_column("value", justify="right", no_wrap=True)
    if answer.kind == "matrix":
        for heading in ("min", "max"):
            table.add_column(heading, justify="right", no_wrap=True)
        table.add_column("course", no_wrap=True)
    table.add_column("time", no_wrap=True)
    for series in sorted(answer.series, key=lambda one: [one.labels.get(name, "") for name in columns]):
        cells = [Text(clean(series.labels.get(column, ""))) for column in columns]
        table.add_row(*cells, *_values(series, matrix=answer.kind == "matrix"))
    console.print(table)


def _values(series: Series, *, matrix: bool) -> list[str]:
    values = [value for _, value in series.points]
    when = clock(series.points[-1][0])
    if not matrix:
        return [number(values[-1]), when]
    return [number(values[-1]), number(min(values)), number(max(values)), sparkline(values), when]


def split_labels(series: Sequence[Series]) -> tuple[dict[str, str], list[str]]:
    """The labels that all series share, and the names of those that differ."""
    names = sorted({name for one in series for name in one.labels})
    differing = [name for name in names if len({one.labels.get(name) for one in series}) > 1]
    common = {name: series[0].labels[name] for name in names if name not in differing}
    return common, sorted(differing, key=lambda name: (name != "__name__", name))


def _labels(labels: dict[str, str]) -> str:
    rest = ", ".join(f'{clean(key)}="{clean(value)}"' for key, value in labels.items() if key != "__name__")
    return clean(labels.get("__name__", "")) + (f"{{{rest}}}" if rest else "")
