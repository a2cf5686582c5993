"""The boards: a list of the dashboards, and each of them drawn live."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from urllib.parse import urlencode

from fastapi import Request, Response
from fastapi.responses import RedirectResponse
from nicegui import ui
from nicegui.element import Element

from console import frame
from console.boards.answers import Asker, Data, values, window_for
from console.boards.asking import Window, choice
from console.boards.colours import named
from console.boards.document import Board, BoardError, Variable, read_boards
from console.boards.links import here
from console.boards.panels import PanelView
from console.boards.series import Period
from console.boards.state import RANGES, REFRESHES, Chosen, chosen_of
from console.frame import Console, Viewer
from console.sources import SourceError

MOST_MARKS = 8
Choose = Callable[[str], Awaitable[None]]
_VALUE = "(event) => emit(event.target.value)"


def install(console: Console) -> None:
    """Register the pages."""

    @ui.page("/boards")
    async def boards(request: Request) -> None:
        with frame.page(console, request, "Boards", here="/boards"):
            frame.text("Boards", tag="h1", classes="fd-section")
            _list(console)

    @ui.page("/boards/{uid}")
    async def board(request: Request, uid: str) -> None:
        found = next((one for one in _boards(console) if one.uid == uid), None)
        with frame.page(console, request, found.title if found else "Boards", here="/boards") as viewer:
            if found is None:
                frame.note(f"There is no board {uid}. These there are:")
                _list(console)
                return
            await BoardPage(viewer, found, chosen_of(found, request.query_params.multi_items())).build()

    @ui.page("/d/{uid}")
    def as_in_grafana(uid: str) -> Response:
        """Where the links of alerts lead when there is no Grafana."""
        return RedirectResponse(f"/boards/{uid}")


def _boards(console: Console) -> tuple[Board, ...]:
    try:
        return read_boards(console.settings.boards)
    except BoardError as error:
        frame.note(f"A board cannot be read: {error}")
        return ()


def _list(console: Console) -> None:
    with ui.element("div").classes("fd-columns"):
        for one in _boards(console):
            with ui.element("section").classes("fd-box"):
                with ui.element("h2"):
                    frame.anchor(one.title, f"/boards/{one.uid}")
                frame.text(one.description)
                frame.text(f"{one.folder}, {len(one.panels)} panels", classes="fd-quiet")


@dataclass
class BoardPage:
    """One open board: what its viewer chose, its panels, and the refreshing."""

    viewer: Viewer
    board: Board
    chosen: Chosen
    _views: list[PanelView] = field(default_factory=list)
    _timer: ui.timer | None = None
    _marks: Element | None = None
    _selects: dict[str, Element] = field(default_factory=dict)

    async def build(self) -> None:
        """Build the page; what its backends say within a moment is in it."""
        shown = await self._window()
        with ui.element("div").classes("fd-head"):
            with ui.element("div"):
                frame.text(self.board.title, tag="h1")
                frame.text(self.board.description, classes="fd-quiet")
            ui.element("div").style("flex:1")
            self._choices(await self._values(shown))
        with ui.element("nav").classes("fd-row fd-section").props("aria-label=Links"):
            for link in self.board.links:
                frame.anchor(link.title, here(link.url))
        self._marks = ui.element("div").classes("fd-marks")
        with ui.element("div").classes("fd-board"):
            self._views = [PanelView(panel) for panel in self.board.panels]
        self._timer = await self.viewer.keep_fresh(self.chosen.refresh, self.update)
        self._timer.active = self.chosen.refreshes

    async def update(self) -> None:
        """Ask all panels at once, and draw each as soon as it is answered."""
        chosen, shown = self.chosen, await self._window()
        asker = Asker(self.viewer.console.sources, shown, self._filled(), ttl=self.chosen.ttl)
        marks = await self._periods(asker)
        await asyncio.gather(*(self._fill(view, asker, marks, chosen) for view in self._views))

    async def _fill(self, view: PanelView, asker: Asker, marks: list[Period], chosen: Chosen) -> None:
        data: Data = await asker.panel(view.panel)
        if chosen is self.chosen:  # nothing else was chosen meanwhile
            view.show(data, marks)

    async def _window(self) -> Window:
        return await window_for(
            self.viewer.console.sources, self.board, self.chosen.span, now=frame.now(), end=self.chosen.end
        )

    async def _values(self, shown: Window) -> dict[str, tuple[str, ...]]:
        asked = await asyncio.gather(
            *(values(self.viewer.console.sources, one, shown) for one in self.board.variables)
        )
        return {one.name: found for one, found in zip(self.board.variables, asked, strict=True)}

    def _filled(self) -> Mapping[str, str]:
        return {
            one.name: choice(list(self.chosen.variables.get(one.name, ())), one.all_value)
            for one in self.board.variables
        }

    async def _periods(self, asker: Asker) -> list[Period]:
        try:
            marks = await asker.marks(self.board.annotations)
        except SourceError:
            return []  # the notice of dead backends says it
        self._show_marks(marks)
        return marks

    def _show_marks(self, marks: list[Period]) -> None:
        place = self._marks
        if place is None:
            return
        place.clear()
        with place:
            if not marks:
                frame.text(
                    "No alert fired and no fault was set in this time.", tag="span", classes="fd-quiet"
                )
            for one in list(reversed(marks))[:MOST_MARKS]:
                with ui.element("span").classes("fd-mark").style(f"border-color:{named(one.colour)}"):
                    frame.text(f"{one.title} ", tag="span").props["title"] = one.text
                    frame.when(one.start)
                    frame.text(" to now" if one.open else " to ", tag="span")
                    if not one.open:
                        frame.when(one.end)
            if len(marks) > MOST_MARKS:
                frame.text(f"and {len(marks) - MOST_MARKS} earlier", tag="span", classes="fd-quiet")

    def _choices(self, known: Mapping[str, tuple[str, ...]]) -> None:
        for one in self.board.variables:
            options = {"": "All", **{value: value for value in known[one.name]}}
            options |= {value: value for value in self.chosen.variables.get(one.name, ())}
            now = ",".join(self.chosen.variables.get(one.name, ()))
            self._select(one.title, options, now, partial(self._choose_value, one))
        if self.chosen.end is not None:
            frame.anchor("back to now", f"/boards/{self.board.uid}")
        spans = {str(seconds): words for seconds, words in RANGES.items()}
        spans.setdefault(str(self.chosen.span), f"{self.chosen.span / 60:g} min")
        self._select("Time", spans, str(self.chosen.span), self._choose_span)
        refreshes = {str(seconds): words for seconds, words in REFRESHES.items()}
        now = str(self.chosen.refresh) if self.chosen.refreshes else "0.0"
        refreshes.setdefault(now, f"every {self.chosen.refresh:g} s")
        self._select("Refresh", refreshes, now, self._choose_refresh)

    def _select(self, title: str, options: Mapping[str, str], now: str, on_change: Choose) -> None:
        with ui.element("label").classes("fd-pick"):
            frame.text(title, tag="span")
            select = ui.element("select").classes("fd-select")
            select.props["aria-label"] = title
            with select:
                for value, words in options.items():
                    option = frame.text(words, tag="option")
                    option.props["value"] = value
                    if value == now:
                        option.props["selected"] = True
            select.on("change", lambda event: on_change(str(event.args)), js_handler=_VALUE)

    async def _choose_value(self, variable: Variable, value: str) -> None:
        chosen = {**self.chosen.variables, variable.name: (value,) if value else ()}
        await self._change(replace(self.chosen, variables=chosen))

    async def _choose_span(self, value: str) -> None:
        await self._change(replace(self.chosen, span=float(value)))

    async def _choose_refresh(self, value: str) -> None:
        seconds = float(value)
        await self._change(
            replace(self.chosen, refreshes=seconds > 0, refresh=seconds or self.chosen.refresh)
        )

    async def _change(self, chosen: Chosen) -> None:
        """Show another choice, and have the page's address say it."""
        self.chosen = chosen
        address = f"/boards/{self.board.uid}?{urlencode(chosen.query(self.board))}"
        ui.navigate.history.replace(address.rstrip("?"))
        if self._timer is not None:
            self._timer.active, self._timer.interval = chosen.refreshes, chosen.refresh
        await self.update()
