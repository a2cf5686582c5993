"""Logs: search by service, level, text, trace id and time, and the live tail."""

from collections.abc import Sequence
from typing import Any

from fastapi import Request
from nicegui import ui
from nicegui.element import Element

from console import fields, frame
from console.frame import Console, Viewer
from console.logs.lines import Lines
from console.logs.search import LEVELS, Search
from console.logs.tail import Tail
from console.logs.volume import options, query_of, step_of
from console.sources import SourceError, Sources
from firedrill.errors import FiredrillError

LIVE_SECONDS = 1.5
LOOK_BACK_SECONDS = 3_600.0


def install(console: Console) -> None:
    """Register the page."""

    @ui.page("/logs")
    async def logs(request: Request) -> None:
        search = Search.of(request.query_params)
        with frame.page(console, request, "Logs", here="/logs") as viewer:
            await _page(viewer, search, live=request.query_params.get("live") == "1")


async def _page(viewer: Viewer, search: Search, *, live: bool) -> None:
    frame.text("Logs", tag="h1", classes="fd-title")
    _form(search, await _services(viewer.console.sources))
    with ui.element("div").classes("fd-row fd-count"):
        count = frame.text("", classes="fd-quiet")
        live_place = ui.element("span")
    chart = ui.element("div").classes("lg-volume")
    place = ui.element("div").classes("fd-box lg-lines").props("aria-live=off")
    shown = _Results(viewer.console.sources, search, count=count, chart=chart, place=place)
    if not search.until:
        with live_place:
            button = fields.button("Follow live", shown.follow)
            shown.button = button
        if live:
            await shown.follow()
    await viewer.keep_fresh(LIVE_SECONDS, shown.update)


async def _services(sources: Sources) -> Sequence[str]:
    """The services that have written lines, none where Loki does not answer."""
    now = frame.now()
    try:
        return await sources.loki.label_values("service", start=now - LOOK_BACK_SECONDS, end=now)
    except SourceError:
        return ()


def _form(search: Search, services: Sequence[str]) -> None:
    levels = {"": "any", **{level: f"{level} and worse" for level in LEVELS[1:]}, "DEBUG": "DEBUG and all"}
    with fields.search("/logs"):
        with fields.labelled("Service"):
            fields.choice("service", {"": "any", **{one: one for one in services}}, search.service)
        with fields.labelled("Level"):
            fields.choice("level", levels, search.level)
        with fields.labelled("Text", classes="fd-wide"):
            fields.entry("text", search.text, kind="search", placeholder="anything in the line")
        with fields.labelled("Trace id", classes="fd-wide"):
            fields.entry("trace_id", search.trace_id, placeholder="32 hex digits")
        with fields.labelled("In the last"):
            fields.choice("since", fields.SINCE, search.since)
        with fields.labelled("Lines"):
            fields.choice("limit", {"200": "200", "500": "500", "1000": "1000"}, str(search.limit))
        fields.submit("Search")
        more = ui.element("details").classes("fd-more")
        if search.query:
            more.props["open"] = True
        with more:
            frame.text("LogQL of your own", tag="summary")
            fields.entry("query", search.query, placeholder=_logql(search)).classes("fd-mono lg-query")
            frame.text("In place of the fields above; empty takes them.", tag="span", classes="fd-hint")


def _logql(search: Search) -> str:
    try:
        return search.logql()
    except FiredrillError:
        return ""


class _Results:
    """What a search gives, once; or what comes, for as long as it is followed."""

    def __init__(
        self, sources: Sources, search: Search, *, count: frame.Words, chart: Element, place: Element
    ) -> None:
        self._sources, self._search = sources, search
        self._count, self._chart, self._place = count, chart, place
        self._tail = Tail()
        self._live, self._done = False, False
        self._lines: Lines | None = None
        self._plot: ui.echart | None = None
        self._ticks = 0
        self.button: Element | None = None

    async def follow(self) -> None:
        """Begin to follow, or stop."""
        self._live = not self._live
        if self.button is not None:
            self.button.classes(add="fd-on" if self._live else "", remove="" if self._live else "fd-on")
            if isinstance(self.button, frame.Words):
                self.button.set_text("Following: stop" if self._live else "Follow live")

    async def update(self) -> None:
        """Search, unless it is done and nobody follows."""
        if self._done and not self._live:
            return
        try:
            if self._done:
                await self._more()
            else:
                await self._first()
        except SourceError as error:
            if self._lines is None:
                self._say(error)
            raise
        except FiredrillError as error:
            self._say(error)
        self._done = True

    async def _first(self) -> None:
        start, end = self._search.span(frame.now())
        logql = self._search.logql()
        answer = await self._sources.loki.search(logql, start=start, end=end + 1, limit=self._search.limit)
        if answer.series:
            self._show_series(answer.series, start, end)
            return
        self._tail.take(answer.lines)
        self._draw([])
        await self._volume(start, end)

    async def _more(self) -> None:
        now = frame.now()
        logql = self._search.logql()
        answer = await self._sources.loki.search(
            logql, start=self._tail.since(now), end=now + 1, limit=self._search.limit, ttl=1.0
        )
        new = self._tail.take(answer.lines)
        if new or self._lines is None:
            self._draw(new)
        self._ticks += 1
        if self._ticks % 4 == 0:
            start, end = self._search.span(now)
            await self._volume(start, end)

    def _draw(self, new: Sequence[Any]) -> None:
        rows = self._tail.rows
        if not rows:
            self._lines = None
            self._place.clear()
            with self._place:
                frame.no_data(None, todo="Try a longer time, another level, or fewer words.")
        elif self._lines is None:
            self._place.clear()
            with self._place:
                self._lines = Lines(rows)
        else:
            self._lines.show(rows, new=new)
        words = f"{len(rows)} line{'s' if len(rows) > 1 else ''}, newest first"
        if len(rows) >= self._search.limit and not self._live:
            words += "; there are more: narrow the search, or raise Lines"
        self._count.set_text(words)

    async def _volume(self, start: float, end: float) -> None:
        step = step_of(start, end)
        query = query_of(self._search.logql(), step)
        answer = await self._sources.loki.search(query, start=start, end=end, step=step, limit=5_000)
        if not answer.series:
            return
        drawn = dict(options(answer.series, start=start, end=end, step=step))
        if self._plot is None:
            with self._chart:
                self._plot = ui.echart(drawn).classes("lg-chart")
        else:
            self._plot.options.clear()
            self._plot.options.update(drawn)
            self._plot.update()

    def _show_series(self, series: Sequence[Any], start: float, end: float) -> None:
        self._place.clear()
        with self._place, ui.element("table").classes("fd-table"):
            for one in series[:200]:
                with ui.element("tr"):
                    frame.text(
                        ", ".join(f"{k}={v}" for k, v in sorted(one.labels.items())) or "all", tag="td"
                    )
                    frame.text(f"{one.points[-1][1]:g}", tag="td", classes="fd-number")
        self._count.set_text(f"{len(series)} series, the last value of each")

    def _say(self, error: FiredrillError) -> None:
        self._count.set_text("")
        self._place.clear()
        with self._place:
            frame.note(": ".join(part for part in (error.what, error.why, error.todo) if part))
