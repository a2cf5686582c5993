"""How many lines of each level came when: a query and the chart of its answer."""

from collections.abc import Mapping, Sequence
from typing import Any

from console.chart import over_time
from firedrill.clients import Series

BARS = 60
# From quiet to loud, so that what is bad stands on top; greys and one hue each, told apart on both grounds.
COLOURS = {
    "DEBUG": "#94a3b8",
    "INFO": "#5b8fd6",
    "WARNING": "#d99a1c",
    "ERROR": "#d6403f",
    "CRITICAL": "#9b1c5b",
}
OTHER = "#7c8896"


def step_of(start: float, end: float) -> int:
    """Seconds of one bar."""
    return max(1, round((end - start) / BARS))


def query_of(logql: str, step: int) -> str:
    """Lines of each level in each `step` seconds, for a query of lines."""
    return f"sum by (level) (count_over_time({logql} [{step}s]))"


def options(series: Sequence[Series], *, start: float, end: float, step: int) -> Mapping[str, Any]:
    """The bars between two unix seconds as ECharts options; the page gives them their size."""
    known = {one.labels.get("level", ""): one for one in series}
    names = [*(level for level in COLOURS if level in known), *sorted(set(known) - set(COLOURS))]
    return {
        **over_time(start=start, end=end, value_axis={"minInterval": 1, "splitNumber": 2}),
        "grid": {"left": 4, "right": 12, "top": 6, "bottom": 2, "containLabel": True},
        "tooltip": {"trigger": "axis", "confine": True, "axisPointer": {"type": "shadow"}},
        "series": [
            {
                "name": name or "no level",
                "type": "bar",
                "stack": "lines",
                "barCategoryGap": "10%",
                "itemStyle": {"color": COLOURS.get(name, OTHER)},
                # A point counts the time before it: the bar stands in its middle.
                "data": [[round((at - step / 2) * 1000), value] for at, value in known[name].points],
            }
            for name in names
        ],
    }
