"""What the charts over time have in common, as ECharts options."""

from collections.abc import Mapping
from typing import Any

# A grey that can be read on both backgrounds, for what only helps.
QUIET = "#8b95a1"


def over_time(*, start: float, end: float, value_axis: Mapping[str, Any]) -> dict[str, Any]:
    """The options of a chart between two unix seconds, without its grid, tooltip and series."""
    return {
        "animation": False,
        "textStyle": {"fontFamily": "inherit"},
        "xAxis": {
            "type": "time",
            "min": start * 1000,
            "max": end * 1000,
            "axisLabel": {"color": QUIET, "hideOverlap": True},
            "axisLine": {"lineStyle": {"color": QUIET}},
            "splitLine": {"show": False},
        },
        "yAxis": {
            "type": "value",
            "axisLabel": {"color": QUIET},
            "splitLine": {"lineStyle": {"color": QUIET, "opacity": 0.25}},
            **value_axis,
        },
    }
