"""Named series on one grid of time, and what comes of them: a panel's values."""

import math
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from console.boards.asking import Window
from firedrill.clients.prometheus import Exemplar, Series

_LEGEND = re.compile(r"\{\{\s*\.?(\w+)\s*\}\}")
_TRACE_ID = re.compile(r"[0-9a-f]{16,32}")
MOST_EXEMPLARS = 60


@dataclass(frozen=True)
class Named:
    """One series as it is drawn: a value, or None, for each moment of the window."""

    name: str
    values: tuple[float | None, ...]


@dataclass(frozen=True)
class Sample:
    """One exemplar that leads to a trace; `at` in unix seconds."""

    at: float
    value: float
    trace: str


@dataclass(frozen=True)
class Period:
    """From when until when (unix seconds) something was so; `open` if it still is at the window's end."""

    name: str
    title: str
    text: str
    colour: str
    start: float
    end: float
    open: bool


def title(series: Series, legend: str) -> str:
    """What a series is called: its legend with labels filled in, or its labels."""
    if legend and legend != "__auto":
        return _LEGEND.sub(lambda found: series.labels.get(found[1], ""), legend).strip() or "value"
    shown = ", ".join(
        f"{name}={value}" for name, value in sorted(series.labels.items()) if name != "__name__"
    )
    return shown or series.labels.get("__name__", "value")


def on_grid(series: Sequence[Series], legend: str, shown: Window) -> list[Named]:
    """Series with a place for each moment of the window, so that a gap is a gap; sorted by name."""
    count = len(shown.moments())
    found = []
    for one in series:
        values: list[float | None] = [None] * count
        for at, value in one.points:
            place = round((at - shown.start) / shown.step)
            if 0 <= place < count and math.isfinite(value):
                values[place] = value
        found.append(Named(title(one, legend), tuple(values)))
    return sorted(found, key=lambda one: one.name)


def unique(series: Iterable[Named]) -> list[Named]:
    """The same with a number behind each name that occurs again: a chart tells series apart by name."""
    seen: dict[str, int] = {}
    found = []
    for one in series:
        seen[one.name] = seen.get(one.name, 0) + 1
        name = one.name if seen[one.name] == 1 else f"{one.name} ({seen[one.name]})"
        found.append(Named(name, one.values))
    return found


_CALCS: Mapping[str, Callable[[list[float]], float]] = {
    "lastNotNull": lambda values: values[-1],
    "last": lambda values: values[-1],
    "max": max,
    "min": min,
    "mean": lambda values: sum(values) / len(values),
    "sum": sum,
}


def reduced(values: Sequence[float | None], calc: str) -> float | None:
    """One value for all: the last one and the like; None without any. Raises KeyError for another `calc`."""
    there = [one for one in values if one is not None]
    return _CALCS[calc](there) if there else None


def last_moment(series: Iterable[Named], shown: Window) -> float | None:
    """The last time (unix seconds) at which one of the series had a value."""
    places = [
        place for one in series for place, value in enumerate(one.values) if value is not None
    ]  # fmt: skip
    return shown.start + max(places) * shown.step if places else None


def samples(exemplars: Iterable[Exemplar], shown: Window) -> tuple[Sample, ...]:
    """Exemplars that lead to a trace; where there are many, the slowest of each stretch of time."""
    stretch = max(shown.span / MOST_EXEMPLARS, shown.step)
    best: dict[int, Sample] = {}
    for one in exemplars:
        trace = one.labels.get("trace_id", "")
        if not _TRACE_ID.fullmatch(trace) or not shown.start <= one.time <= shown.end + shown.step:
            continue
        place = int((one.time - shown.start) // stretch)
        if place not in best or one.value > best[place].value:
            best[place] = Sample(one.time, one.value, trace)
    return tuple(best[place] for place in sorted(best))


def periods(
    name: str, series: Sequence[Series], shown: Window, *, colour: str, titled: str, text: str
) -> list[Period]:
    """When each series was there; a gap of more than two steps ends a period."""
    found = []
    for one in series:
        spans: list[list[float]] = []
        for at, _ in one.points:
            if spans and at - spans[-1][1] <= 2 * shown.step:
                spans[-1][1] = at
            else:
                spans.append([at, at])
        words, more = title(one, titled), title(one, text) if text else ""
        found += [
            Period(name, words, more, colour, start, end, end > shown.end - 2 * shown.step)
            for start, end in spans
        ]
    return sorted(found, key=lambda period: (period.start, period.title))
