"""One panel on the page: its frame, its links, and whatever is drawn in it."""

import json
from collections.abc import Callable, Mapping, Sequence

from nicegui import ui

from console import frame
from console.boards import charts
from console.boards.answers import Data
from console.boards.chart import Chart
from console.boards.document import Panel
from console.boards.drawings import draw_figures, draw_gauge
from console.boards.links import filled, here
from console.boards.series import Period
from console.boards.units import number
from console.sources import SourceDown

Draw = Callable[[Panel, Data, Sequence[Period]], None]
MOST_LINES = 100


class PanelView:
    """A panel; `show` draws what came, or says what is missing and since when."""

    def __init__(self, panel: Panel) -> None:
        self.panel = panel
        self._chart: Chart | None = None
        self._drawn: float | None = None
        self._content: object = None
        drawers: dict[str, Draw] = {
            "timeseries": self._graph,
            "piechart": self._pie,
            "stat": self._figures,
            "gauge": self._gauge,
            "table": self._table,
            "logs": self._logs,
            "text": self._text,
        }
        self._draw = drawers.get(panel.type, self._unknown)
        place = panel.place
        box = ui.element("section").classes("fd-box fd-panel")
        box.style(
            f"--x:{place.x};--y:{place.y};--w:{place.width};--h:{place.height};"
            f"--m:{24 if place.width > 8 else 12};--s:{24 if place.height > 6 or place.width > 6 else 12}"
        )
        box.props["data-panel"], box.props["aria-label"] = panel.title, panel.title
        self._box = box
        with box:
            with ui.element("div").classes("fd-panel-head"):
                frame.text(panel.title, tag="h2").props["title"] = panel.title
                self._stale = ui.element("span").classes("fd-stale")
                self._more()
            self._body = ui.element("div").classes("fd-panel-body")
            with self._body:
                self._place = ui.element("div").classes("fd-fill")
                self._empty = ui.element("div").classes("fd-fill")

    def show(self, data: Data, marks: Sequence[Period]) -> None:
        """Draw the data; with its backend away, keep what there was and say how old it is."""
        self._stale.clear()
        if data.error is not None:
            self._show_error(data)
            return
        self._drawn = data.shown.end
        self._box.props["data-end"] = str(data.shown.end)
        self._box.props["data-start"] = str(data.shown.start)
        self._box.props["data-step"] = str(data.shown.step)
        self._box.props["data-rate"] = str(data.shown.rate)
        nothing = data.empty and self.panel.type in {"timeseries", "piechart", "stat", "gauge", "logs"}
        self._place.set_visibility(not nothing)
        self._empty.clear()
        self._empty.set_visibility(nothing)
        if nothing:
            with self._empty:
                self._say_empty(data)
            return
        self._draw(self.panel, data, marks)

    def _say_empty(self, data: Data) -> None:
        if self.panel.type == "logs":
            with ui.element("div").classes("fd-empty"):
                frame.text("No such lines in this time")
            return
        frame.no_data(data.since, todo="" if data.since else "none within a day either")

    def _show_error(self, data: Data) -> None:
        error = data.error
        if error is None:
            return
        if isinstance(error, SourceDown) and self._drawn is not None:
            with self._stale:
                frame.text("as of ", tag="span")
                frame.when(self._drawn)
            return
        self._place.set_visibility(False)
        self._empty.clear()
        self._empty.set_visibility(True)
        with self._empty, ui.element("div").classes("fd-empty"):
            frame.text(error.what, classes="fd-bad")
            frame.text(error.why, classes="fd-quiet")

    def _more(self) -> None:
        """What the panel means, its links, and the queries to learn from."""
        with ui.element("details").classes("fd-about"):
            with ui.element("summary").props("aria-label='About this panel'"):
                frame.text("⋯", tag="span").props("aria-hidden=true")
            with ui.element("div").classes("fd-box fd-about-box"):
                frame.text(self.panel.description)
                for link in self.panel.links:
                    frame.anchor(link.title, here(link.url))
                for target in self.panel.targets:
                    frame.text(target.expr, tag="pre")
                self._traces = ui.element("div")

    def _graph(self, panel: Panel, data: Data, marks: Sequence[Period]) -> None:
        self._chart_of(charts.graph(panel, data, marks))
        self._place_limit(panel, data)
        self._traces.clear()
        with self._traces:
            for one in sorted(data.samples, key=lambda sample: -sample.value)[:5]:
                with ui.element("div"):
                    frame.anchor(f"trace of {number(one.value, panel.unit)}", f"/traces/{one.trace}")
                    frame.text(" at ", tag="span")
                    frame.when(one.at)

    def _place_limit(self, panel: Panel, data: Data) -> None:
        """Limits that are out of sight are said."""
        seen = charts.limits_in_sight(panel, data)
        away = [one for one in charts.limits(panel) if one not in seen]
        if away:
            words = ", ".join(number(one.value, panel.unit) for one in away)
            with self._stale:
                frame.text(f"limit {words}", tag="span", classes="fd-quiet")

    def _pie(self, panel: Panel, data: Data, _: Sequence[Period]) -> None:
        self._chart_of(charts.pie(panel, data))

    def _chart_of(self, options: charts.Options) -> None:
        if self._chart is None:
            with self._place:
                self._chart = Chart(options, label=f"{self.panel.title}. {self.panel.description}")
        else:
            self._chart.draw(options)

    def _figures(self, panel: Panel, data: Data, _: Sequence[Period]) -> None:
        self._place.clear()
        with self._place:
            draw_figures(panel, data)

    def _gauge(self, panel: Panel, data: Data, _: Sequence[Period]) -> None:
        self._place.clear()
        with self._place:
            draw_gauge(panel, data)

    def _same(self, content: object) -> bool:
        """Whether this is shown already; then it stays as it is, scrolled and focused."""
        before, self._content = self._content, content
        return before == content

    def _table(self, panel: Panel, data: Data, _: Sequence[Period]) -> None:
        if self._same([one.labels for one in data.rows]):
            return
        self._place.clear()
        columns = [name for name in panel.columns if name not in panel.hidden]
        with self._place:
            if not data.rows:
                with ui.element("div").classes("fd-empty"):
                    frame.text(panel.no_value or "Nothing")
                return
            with ui.element("div").classes("fd-scroll fd-fill"), ui.element("table").classes("fd-table"):
                with ui.element("thead"), ui.element("tr"):
                    for name in columns:
                        frame.text(name, tag="th")
                with ui.element("tbody"):
                    for row in data.rows:
                        with ui.element("tr"):
                            for name in columns:
                                self._cell(panel, name, row.labels)

    def _cell(self, panel: Panel, name: str, labels: Mapping[str, str]) -> None:
        value = labels.get(name, "")
        with ui.element("td"):
            link = panel.cell_links.get(name)
            if link is not None and value:
                frame.anchor(value, filled(link.url, labels, value))
            else:
                frame.text(value, tag="span")

    def _logs(self, _: Panel, data: Data, __: Sequence[Period]) -> None:
        if self._same(data.lines):
            return
        self._place.clear()
        with self._place, ui.element("div").classes("fd-lines fd-fill").props("tabindex=0"):
            for line in data.lines[:MOST_LINES]:
                with ui.element("div").classes("fd-log"):
                    frame.when(line.time / 1e9)
                    level = line.labels.get("level", "")
                    frame.text(level, tag="span", classes=_LEVELS.get(level, "fd-quiet"))
                    trace = line.metadata.get("trace_id", "")
                    if trace:
                        frame.anchor("trace", f"/traces/{trace}")
                    frame.text(_words(line.text), tag="span")

    def _text(self, panel: Panel, _: Data, __: Sequence[Period]) -> None:
        self._place.clear()
        with self._place:
            frame.text(panel.text)

    def _unknown(self, panel: Panel, _: Data, __: Sequence[Period]) -> None:
        self._place.clear()
        with self._place, ui.element("div").classes("fd-empty"):
            frame.text(f"Panels of the type “{panel.type}” are not drawn here")
            frame.text("Grafana draws it; its queries stand behind ⋯", classes="fd-quiet")


_LEVELS = {"ERROR": "fd-bad", "CRITICAL": "fd-bad", "WARNING": "fd-warn"}


def _words(line: str) -> str:
    """The message of a JSON line, or the line."""
    try:
        found = json.loads(line)
    except ValueError:
        return line
    if not isinstance(found, dict) or "message" not in found:
        return line
    return f"{found.get('service', '')}: {found['message']}"
