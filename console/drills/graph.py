"""The signal of a drill over its time as ECharts options: the line, its limit, and the steps on it."""

from collections.abc import Mapping, Sequence
from typing import Any

from console.chart import QUIET, over_time
from firedrill.drill.model import Drill, Signal
from firedrill.drill.result import Step

# One blue and one red that can be told from each other and from both backgrounds.
LINE, LIMIT = "#3b82f6", "#dc2626"
FAULT = "rgba(220, 38, 38, 0.08)"
# What is worth a mark of its own; the others follow at once.
MARKED = ("fault", "signal", "pending", "firing", "notified", "heal", "resolved", "cleared")


def options(
    drill: Drill, points: Sequence[tuple[float, float]], steps: Sequence[Step], *, start: float, end: float
) -> dict[str, Any]:
    """The chart of `points` (unix seconds, value) between two unix seconds; the page gives it its size."""
    signal = drill.signal
    return {
        **over_time(start=start, end=end, value_axis={"max": _top(signal, points), "min": _bottom(points)}),
        "grid": {"left": 8, "right": 16, "top": 52, "bottom": 8, "containLabel": True},
        "tooltip": {"trigger": "axis", "confine": True},
        "series": [
            {
                "name": signal.means if signal else "",
                "type": "line",
                "showSymbol": False,
                "itemStyle": {"color": LINE},
                "lineStyle": {"width": 2, "color": LINE},
                "data": [[round(at * 1000), value] for at, value in points],
                "markLine": {"symbol": "none", "silent": True, "data": [*_limit(signal), *_marks(steps)]},
                "markArea": {"silent": True, "itemStyle": {"color": FAULT}, "data": _faulty(steps, end)},
            }
        ],
    }


def scrape_seconds(pace: str) -> float:
    """How often Prometheus scrapes: more points are none."""
    return 1.5 if pace == "demo" else 15.0


def span(steps: Sequence[Step], *, began: float, now: float, ended: float | None) -> tuple[float, float]:
    """From when to when the graph goes, in unix seconds: a little before the fault, to now or the end."""
    times = {step.name: step.at for step in steps}
    start = times.get("fault", began) - 30
    return start, max(start + 90, ended if ended is not None else now)


def _limit(signal: Signal | None) -> list[Mapping[str, Any]]:
    if signal is None:
        return []
    value = signal.above if signal.above is not None else signal.below
    word = "above" if signal.above is not None else "below"
    return [
        {
            "yAxis": value,
            "lineStyle": {"color": LIMIT, "type": "dashed"},
            "label": {
                "formatter": f"{word} {value:g}",
                "position": "insideStartTop",
                "color": LIMIT,
            },
        }
    ]


def _marks(steps: Sequence[Step]) -> list[Mapping[str, Any]]:
    """A line at each step, its name above; names in two rows, for steps are close to each other."""
    marked = [step for step in steps if step.name in MARKED]
    return [
        {
            "xAxis": round(step.at * 1000),
            "lineStyle": {"color": QUIET, "type": "solid", "width": 1},
            "label": {
                "formatter": step.name,
                "position": "end",
                "color": QUIET,
                "distance": 4 + 13 * (index % 3),
            },
        }
        for index, step in enumerate(marked)
    ]


def _faulty(steps: Sequence[Step], end: float) -> list[Any]:
    times = {step.name: step.at for step in steps}
    if "fault" not in times:
        return []
    until = times.get("heal", end)
    return [[{"xAxis": round(times["fault"] * 1000)}, {"xAxis": round(until * 1000)}]]


def _top(signal: Signal | None, points: Sequence[tuple[float, float]]) -> float | None:
    """The limit stays in sight however low the line is."""
    limit = (signal.above if signal.above is not None else signal.below) if signal else None
    highest = max((value for _, value in points), default=0.0)
    if limit is None or highest > 1.05 * limit:
        return None
    return round(1.2 * limit, 6) if limit > 0 else 1.0


def _bottom(points: Sequence[tuple[float, float]]) -> float | None:
    return 0.0 if all(value >= 0 for _, value in points) else None
