"""Runbooks: the page an alert links to, with its queries run against the stack as it is now."""

import asyncio
from collections.abc import Sequence
from urllib.parse import urlencode

from fastapi import Request
from nicegui import ui
from nicegui.element import Element

from console import fields, frame
from console.alerts.runbook import Block, Library, Piece
from console.frame import Console, Viewer
from console.traces.search import of_runbook
from firedrill.ask.metrics import split_labels
from firedrill.ask.text import number, sparkline
from firedrill.clients import Answer
from firedrill.drill.evidence import paced_logql
from firedrill.errors import FiredrillError, UsageError
from firedrill.pace import pace_expression

COURSE_SECONDS = 900.0
POINTS = 60
MOST_SERIES = 50
_LANGUAGES = {"promql": "PromQL", "logql": "LogQL", "traces": "traces", "traceql": "TraceQL"}


def install(console: Console) -> None:
    """Register the page."""
    library = Library(console.settings.slices, console.settings.platform)

    @ui.page("/runbooks/{slice_name}/{alert}")
    async def runbook(request: Request, slice_name: str, alert: str) -> None:
        with frame.page(console, request, alert, here="/alerts") as viewer:
            found = await asyncio.to_thread(library.read, slice_name, alert)
            if found is None:
                frame.text("No such runbook", tag="h1")
                frame.note(
                    f"There is no runbook {slice_name}/{alert}. The alerts page links to those there are."
                )
                return
            with ui.element("div").classes("fd-row rb-links"):
                frame.anchor("Alerts", "/alerts")
                frame.anchor("Its drill", f"/drills/{slice_name}/{alert}")
                frame.anchor("Its notices", f"/inbox?alert={alert}")
            with ui.element("article").classes("fd-box rb"):
                render(viewer, found)


def render(viewer: Viewer, blocks: Sequence[Block]) -> None:
    """A runbook's blocks; queries get a button or a link that asks them at the running pace."""
    for block in blocks:
        if block.kind == "code":
            _code(viewer, block)
        elif block.kind == "rule":
            ui.element("hr")
        else:
            _words(block)


def _words(block: Block) -> None:
    tag = f"h{min(block.level, 4)}" if block.kind == "heading" else "div"
    with ui.element(tag).classes(f"rb-{block.kind}") as box:
        if block.depth:
            box.style(f"margin-left: {1.4 * block.depth:g}em")
        if block.mark:
            frame.text(block.mark, tag="span", classes="rb-mark")
        for piece in block.pieces:
            _piece(piece)


def _piece(piece: Piece) -> None:
    if piece.kind == "link":
        frame.anchor(piece.text, piece.url, blank=piece.url.startswith("http"))
    else:
        frame.text(piece.text, tag={"text": "span"}.get(piece.kind, piece.kind))


def _code(viewer: Viewer, block: Block) -> None:
    with ui.element("div").classes("rb-code") as box:
        if block.depth:
            box.style(f"margin-left: {1.4 * block.depth:g}em")
        with ui.element("div").classes("rb-code-head"):
            frame.text(_LANGUAGES.get(block.language, block.language), tag="span", classes="fd-quiet")
            actions = ui.element("span")
        frame.text(block.text, tag="pre")
        answer = ui.element("div").classes("rb-answer").props("aria-live=polite")
    with actions:
        _action(viewer, block, answer)


def _action(viewer: Viewer, block: Block, answer: Element) -> None:
    pace = viewer.console.settings.pace
    if block.language == "promql":

        async def run() -> None:
            await _show_promql(viewer, block.text, answer)

        fields.button("Run", run)
    elif block.language == "logql":
        frame.anchor("Run in Logs", "/logs?" + urlencode({"query": paced_logql(block.text, pace)}))
    elif block.language == "traces":
        try:
            query = of_runbook(block.text).query()
        except FiredrillError:
            return
        frame.anchor("Run in Traces", "/traces?" + urlencode(query))


async def _show_promql(viewer: Viewer, promql: str, place: Element) -> None:
    prometheus, now = viewer.console.sources.prometheus, frame.now()
    try:
        paced = pace_expression(promql, viewer.console.settings.pace)
    except ValueError as error:
        raise UsageError("the query has no known pace", str(error)) from None
    answer = await prometheus.query(paced)
    course = await prometheus.query_range(
        paced, start=now - COURSE_SECONDS, end=now, step=COURSE_SECONDS / POINTS
    )
    place.clear()
    with place:
        _table(answer, course)


def _table(answer: Answer, course: Answer) -> None:
    if not answer.series:
        frame.text("No series now: nothing matches, which may be the good news.", classes="fd-quiet")
        return
    courses = {frozenset(one.labels.items()): one.points for one in course.series}
    common, columns = split_labels(answer.series)
    if common:
        frame.text(", ".join(f"{name}={value}" for name, value in common.items()), classes="fd-quiet")
    with ui.element("div").classes("fd-scroll"), ui.element("table").classes("fd-table"):
        with ui.element("tr"):
            for name in (*columns, "value", "the last 15 minutes"):
                frame.text(name, tag="th", classes="fd-number" if name == "value" else "")
        for one in sorted(answer.series, key=lambda each: -each.points[-1][1])[:MOST_SERIES]:
            with ui.element("tr"):
                for name in columns:
                    frame.text(one.labels.get(name, ""), tag="td")
                frame.text(number(one.points[-1][1]), tag="td", classes="fd-number")
                values = [value for _, value in courses.get(frozenset(one.labels.items()), ())]
                frame.text(sparkline(values), tag="td", classes="rb-course")
