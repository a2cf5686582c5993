"""A page to ask Prometheus anything: the query, and its graph."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from nicegui import ui

from console import frame
from console.asking import duration_of
from console.frame import Console
from console.sandbox import looks
from console.sandbox.curves import curves
from console.sources import SourceRefused
from firedrill.ask.text import seconds_of

POINTS = 200
SINCE = "15m"
_GREY = "#8793a1"
_GO = """() => {
  const expr = document.getElementById("sb-expr").value;
  const since = document.getElementById("sb-range").value;
  window.location.href = "/sandbox/query?" + new URLSearchParams({expr, since});
}"""


@dataclass
class Query:
    """One viewer's query."""

    console: Console
    expr: str
    since: str
    _chart: ui.echart | None = None
    _words: frame.Words | None = None

    def build(self) -> None:
        """The form, and the graph when there is a query."""
        looks.style()
        frame.text("Ask Prometheus", tag="h1")
        with ui.element("div").classes("fd-box fd-section"):
            frame.text("PromQL", tag="label").props("for=sb-expr")
            area = ui.element("textarea").classes("fd-input sb-query").props("id=sb-expr spellcheck=false")
            area.props["value"] = self.expr
            with ui.element("div").classes("fd-row").style("margin-top: 8px"):
                with ui.element("select").classes("fd-select").props("id=sb-range aria-label='How far back'"):
                    for one in dict.fromkeys(("5m", "15m", "1h", "6h", self.since)):
                        option = frame.text(f"last {one}", tag="option").props(f"value={one}")
                        if one == self.since:
                            option.props["selected"] = True
                button = frame.text("Draw", tag="button", classes="fd-button fd-main-action").props(
                    "type=button"
                )
                button.on("click", js_handler=_GO)
        self._words = frame.text("", classes="fd-quiet")
        if self.expr:
            self._chart = ui.echart(_options([])).classes("sb-chart fd-box")

    async def update(self) -> None:
        """Ask anew. SourceDown when Prometheus does not answer."""
        if not self.expr or self._chart is None or self._words is None:
            return
        end, span = frame.now(), seconds_of(self.since)
        try:
            answer = await self.console.sources.prometheus.query_range(
                self.expr, start=end - span, end=end, step=max(1.0, round(span / POINTS))
            )
        except SourceRefused as error:
            self._words.set_text(error.why)
            return
        found = curves(answer.series)
        self._words.set_text("" if found else "No data: check the names, or there was none in this time.")
        self._chart.options.clear()
        self._chart.options.update(
            _options(
                [
                    {
                        "name": one.name, "type": "line", "showSymbol": False,
                        "data": [list(point) for point in one.points],
                    }
                    for one in found
                ]
            )
        )  # fmt: skip
        self._chart.update()

    @classmethod
    def of(cls, console: Console, asked: Mapping[str, str]) -> "Query":
        """From the address of the page."""
        return cls(console, asked.get("expr", "").strip()[:5000], duration_of(asked.get("since", ""), SINCE))


def _options(series: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "animation": False,
        "textStyle": {"color": _GREY},
        "grid": {"left": 12, "right": 16, "top": 16, "bottom": 48, "containLabel": True},
        "tooltip": {"trigger": "axis"},
        "legend": {"type": "scroll", "bottom": 0, "textStyle": {"color": _GREY}},
        "xAxis": {"type": "time", "axisLine": {"lineStyle": {"color": _GREY}}},
        "yAxis": {
            "type": "value",
            "scale": False,
            "splitLine": {"lineStyle": {"color": _GREY, "opacity": 0.25}},
        },
        "series": series,
    }
