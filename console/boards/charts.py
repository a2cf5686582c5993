"""Options of ECharts for graphs and pies; `fd` says how chart.js writes numbers."""

from collections.abc import Mapping, Sequence
from typing import Any

from console.boards.answers import Data
from console.boards.colours import EXEMPLAR, INK, LINES, faint, named, of_series
from console.boards.document import Panel, Step
from console.boards.series import Named, Period, reduced

Options = dict[str, Any]
# A limit that is further away would flatten the lines; then it is left out and said in words.
LIMIT_IN_SIGHT = 8.0
PALE = 0.11
LIMIT, MARKS, TRACES = "limit", "marks", "traces, click to open"


def graph(panel: Panel, data: Data, marks: Sequence[Period]) -> Options:
    """A course over time with its limit, marked periods, and exemplars that lead to traces."""
    moments = [round(at * 1000) for at in data.shown.moments()]
    drawn = [
        _course(panel, one, colour_of(panel, one.name, place), moments)
        for place, one in enumerate(data.series)
    ]
    drawn += [_limit(step, moments) for step in limits_in_sight(panel, data)]
    if data.samples:
        drawn.append(_traces(data))
    if marks:
        drawn.append(_marks(marks, data))
    return {
        "fd": {"unit": panel.unit, "decimals": panel.decimals},
        "animation": False,
        "textStyle": {"color": INK},
        "grid": {"left": 6, "right": 14, "top": 12, "bottom": 34, "containLabel": True},
        "legend": _legend([one.name for one in data.series]),
        "tooltip": {
            "trigger": "axis",
            "confine": True,
            "order": "valueDesc",
            "className": "fd-tip",
            "axisPointer": {"type": "line", "lineStyle": {"color": INK, "type": "dotted"}},
        },
        "xAxis": {
            "type": "time",
            "min": moments[0],
            "max": moments[-1],
            "axisLabel": {"color": INK, "hideOverlap": True, "fontSize": 11},
            "axisLine": {"lineStyle": {"color": LINES}},
            "splitLine": {"show": False},
        },
        "yAxis": {
            "type": "value",
            "min": panel.least,
            "max": panel.most,
            "splitNumber": 4,
            "axisLabel": {"color": INK, "fontSize": 11},
            "splitLine": {"lineStyle": {"color": LINES}},
        },
        "series": drawn,
    }


def pie(panel: Panel, data: Data) -> Options:
    """Shares of a whole."""
    shares = [
        {
            "name": one.name,
            "value": value,
            "itemStyle": {"color": colour_of(panel, one.name, place)},
        }
        for place, one in enumerate(data.series)
        if (value := reduced(one.values, panel.calc)) is not None
    ]
    return {
        "fd": {"unit": panel.unit, "decimals": panel.decimals},
        "animation": False,
        "textStyle": {"color": INK},
        "legend": _legend([str(one["name"]) for one in shares]),
        "tooltip": {"trigger": "item", "confine": True, "className": "fd-tip"},
        "series": [
            {
                "type": "pie",
                "radius": ["42%", "68%"],
                "center": ["50%", "45%"],
                "data": shares,
                "percentPrecision": 0,
                "label": {"color": INK, "formatter": "{b}\n{d}%", "fontSize": 11, "lineHeight": 14},
                "labelLine": {"length": 8, "length2": 6},
                "stillShowZeroSum": False,
            }
        ],
    }


def colour_of(panel: Panel, name: str, place: int) -> str:
    """The colour of a series: that of its meaning, or of its place."""
    return named(panel.colours[name]) if name in panel.colours else of_series(place)


def limits(panel: Panel) -> tuple[Step, ...]:
    """Values at which something changes for the worse or the better."""
    return tuple(one for one in panel.steps if one.value is not None) if panel.draws_limit else ()


def limits_in_sight(panel: Panel, data: Data) -> list[Step]:
    """Limits that the graph can show without flattening its lines."""
    most = max((value for one in data.series for value in one.values if value is not None), default=0.0)
    return [one for one in limits(panel) if one.value is not None and one.value <= most * LIMIT_IN_SIGHT]


def _course(panel: Panel, series: Named, colour: str, moments: Sequence[int]) -> Options:
    options: Options = {
        "name": series.name,
        "type": "bar" if panel.bars else "line",
        "data": [list(pair) for pair in zip(moments, series.values, strict=True)],
        "itemStyle": {"color": colour},
        "z": 3,
    }
    if panel.stacked:
        options["stack"] = "all"
    if panel.bars:
        options["barMaxWidth"] = 12
        return options
    options["lineStyle"] = {"width": 1.8, "color": colour}
    options["areaStyle"] = {"opacity": panel.fill}
    # A value between gaps would not be seen without a point.
    options["showSymbol"] = sum(value is not None for value in series.values) <= 2
    options["symbolSize"] = 5
    options["emphasis"] = {"disabled": True}
    return options


def _limit(step: Step, moments: Sequence[int]) -> Options:
    colour = named(step.colour)
    return {
        "name": LIMIT,
        "type": "line",
        "data": [[moments[0], step.value], [moments[-1], step.value]],
        "symbol": "none",
        "silent": True,
        "itemStyle": {"color": colour},
        "lineStyle": {"color": colour, "type": "dashed", "width": 1.2},
        "tooltip": {"show": False},
        "z": 2,
    }


def _traces(data: Data) -> Options:
    return {
        "name": TRACES,
        "type": "scatter",
        "data": [
            {"value": [round(one.at * 1000), one.value], "trace": one.trace, "name": one.trace}
            for one in data.samples
        ],
        "symbol": "diamond",
        "symbolSize": 8,
        "cursor": "pointer",
        "itemStyle": {"color": EXEMPLAR, "opacity": 0.85},
        "z": 4,
    }


def _marks(marks: Sequence[Period], data: Data) -> Options:
    """Periods as pale areas, those of one colour that overlap as one; a single point is a step wide."""
    areas: list[list[Mapping[str, Any]]] = []
    for colour in dict.fromkeys(one.colour for one in marks):
        own = [one for one in marks if one.colour == colour]
        spans = _joined([(one.start, max(one.end, one.start + data.shown.step)) for one in own])
        pale = {"color": faint(named(colour), PALE)}
        areas += [
            [{"xAxis": round(start * 1000), "itemStyle": pale}, {"xAxis": round(end * 1000)}]
            for start, end in spans
        ]
    return {
        "name": MARKS,
        "type": "line",
        "data": [],
        "silent": True,
        "markArea": {"silent": True, "label": {"show": False}, "data": areas},
    }


def _joined(spans: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """The spans, overlapping ones as one."""
    joined: list[tuple[float, float]] = []
    for start, end in sorted(spans):
        if joined and start <= joined[-1][1]:
            joined[-1] = (joined[-1][0], max(joined[-1][1], end))
        else:
            joined.append((start, end))
    return joined


def _legend(names: Sequence[str]) -> Options:
    return {
        "type": "scroll",
        "bottom": 2,
        "left": 4,
        "right": 4,
        "icon": "roundRect",
        "itemWidth": 10,
        "itemHeight": 9,
        "itemGap": 12,
        "data": list(names),
        "textStyle": {"color": INK, "fontSize": 11},
        "pageTextStyle": {"color": INK},
        "pageIconColor": INK,
        "pageIconInactiveColor": LINES,
        "pageIconSize": 10,
    }
