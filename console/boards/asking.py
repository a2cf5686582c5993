"""What a board asks: its time, its variables, and the queries with both filled in."""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass

# About as many points as a graph of a browser's width can show.
MOST_POINTS = 240
_STEPS = (1, 2, 5, 10, 15, 20, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 86400)
# What was scraped a moment ago may still be on its way into the storage.
SETTLED_SECONDS = 1.0
# rate() needs two scrapes and two may be late; below that one lost scrape makes a hole.
LEAST_SCRAPES, LEAST_RATE_SECONDS = 4, 20.0
_VARIABLE = re.compile(r"\$(?:\{(\w+)(?::(\w+))?\}|(\w+))")


@dataclass(frozen=True)
class Window:
    """The time that a board shows; all in seconds, `start` and `end` since 1970 and multiples of `step`."""

    start: float
    end: float
    step: float
    rate: float

    @property
    def span(self) -> float:
        """How long it is."""
        return self.end - self.start

    def moments(self) -> list[float]:
        """Every time at which a range query gives a point."""
        return [self.start + self.step * place for place in range(round(self.span / self.step) + 1)]


def window(span: float, *, now: float, scrape: float, end: float | None = None) -> Window:
    """The last `span` seconds, or those before `end`; aligned, so that viewers ask for the same."""
    step = next((one for one in _STEPS if span / one <= MOST_POINTS and one >= scrape / 2), _STEPS[-1])
    last = math.floor((now - SETTLED_SECONDS if end is None else end) / step) * step
    count = max(1, round(span / step))
    rate = max(LEAST_SCRAPES * scrape, step + scrape, LEAST_RATE_SECONDS)
    return Window(float(last - count * step), float(last), float(step), rate)


def fill(expr: str, shown: Window, chosen: Mapping[str, str]) -> str:
    """The query with Grafana's macros for this window and the chosen values (regular expressions)."""
    durations = {
        "__rate_interval": _duration(shown.rate),
        "__interval": _duration(shown.step),
        "__range": _duration(shown.span),
    }

    def value(found: re.Match[str]) -> str:
        name = found[1] or found[3]
        return durations.get(name, chosen.get(name, found[0]))

    return _VARIABLE.sub(value, expr)


def choice(values: list[str], everything: str) -> str:
    """What stands for some chosen values of a variable; for none chosen, `everything`."""
    if not values:
        return everything
    # In PromQL and LogQL strings a backslash is doubled.
    return "|".join(re.escape(one).replace("\\", "\\\\").replace('"', '\\"') for one in values)


def _duration(seconds: float) -> str:
    return f"{math.ceil(seconds)}s"
