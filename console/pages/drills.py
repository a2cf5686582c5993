"""Drills: the list with the last result of each, and the way to the page of one."""

import asyncio

from fastapi import Request
from fastapi.responses import RedirectResponse, Response
from nicegui import app as pages
from nicegui import ui
from nicegui.element import Element

from console import frame
from console.drills.catalogue import Row, declared, drill_of, own_results, rows
from console.drills.events import Progress
from console.drills.runs import Runs, runs_for
from console.frame import Console, Viewer
from console.pages.one_drill import WORDS, DrillPage
from console.settings import Settings
from firedrill.drill.model import Drill
from firedrill.errors import FiredrillError, UsageError

LIST_SECONDS = 2.0


def install(console: Console) -> None:
    """Register the pages; a drill that runs is healed when the console ends."""
    runs = runs_for(own_results(console.settings))
    pages.on_shutdown(runs.close)

    @ui.page("/drills")
    async def drills(request: Request) -> None:
        with frame.page(console, request, "Drills", here="/drills") as viewer:
            await _list_page(viewer, runs)

    @ui.page("/drills/{slice_name}/{alert}")
    async def one(request: Request, slice_name: str, alert: str) -> None:
        with frame.page(console, request, alert, here="/drills") as viewer:
            drill = await _known(console.settings, f"{slice_name}/{alert}")
            if drill is not None:
                await DrillPage(viewer, drill, runs).begin()

    @ui.page("/drills/{name}")
    async def named(request: Request, name: str) -> Response | None:
        try:
            drill = drill_of(await asyncio.to_thread(declared, console.settings), name)
        except UsageError as error:
            with frame.page(console, request, name, here="/drills"):
                frame.note(f"{error.what}. The list of drills has them all.")
            return None
        return RedirectResponse(f"/drills/{drill.slice}/{drill.alert}")


async def _known(settings: Settings, name: str) -> Drill | None:
    try:
        return drill_of(await asyncio.to_thread(declared, settings), name)
    except FiredrillError as error:
        frame.text("No such drill", tag="h1")
        frame.note(f"{error.what}. The list of drills has them all.")
        return None


async def _list_page(viewer: Viewer, runs: Runs) -> None:
    settings = viewer.console.settings
    with ui.element("div").classes("fd-head"):
        frame.text("Drills", tag="h1")
        frame.text("Each breaks one thing on purpose and times how the alert of it comes and goes.",
                   tag="span", classes="fd-quiet")  # fmt: skip
    viewer.hint_at_token("Running a drill")
    running = ui.element("div").props("role=status aria-live=polite")
    place = ui.element("div").classes("fd-box fd-list")
    try:
        known = await asyncio.to_thread(declared, settings)
    except FiredrillError as error:
        frame.note(f"{error.what}: {error.why}")
        return
    was: list[object] = [None, None]

    async def update() -> None:
        found = await asyncio.to_thread(rows, known, settings)
        now = (runs.progress.drill, runs.progress.state) if runs.progress else None
        if was == [now, found]:
            return
        was[:] = [now, found]
        _running_note(running, runs.progress)
        place.clear()
        with place:
            for row in found:
                _row(row, runs.progress)

    await viewer.keep_fresh(LIST_SECONDS, update)


def _running_note(place: Element, progress: Progress | None) -> None:
    place.clear()
    if progress is None or progress.is_over:
        return
    with place, ui.element("div").classes("fd-note fd-row"):
        frame.text(f"{progress.drill} {WORDS[progress.state][0]} since", tag="span")
        frame.when(progress.began)
        frame.anchor("Watch it", f"/drills/{progress.drill}")


def _row(row: Row, progress: Progress | None) -> None:
    item = ui.element("a").classes("fd-item dr-item")
    item.props["href"] = f"/drills/{row.slice}/{row.alert}"
    is_on = progress is not None and not progress.is_over and progress.drill == row.name
    with item:
        with ui.element("span").classes("dr-what"):
            frame.text(row.alert, tag="strong")
            frame.text(f"{row.slice} · {row.severity} · {row.breaks}", tag="span", classes="fd-quiet")
        with ui.element("span").classes("dr-last"):
            _last(row, is_on=is_on)


def _last(row: Row, *, is_on: bool) -> None:
    last = row.last
    if is_on:
        frame.text("runs now", tag="span", classes="fd-badge fd-warn")
    elif last is None:
        frame.text("never run", tag="span", classes="fd-badge")
        frame.text(f"takes up to {row.takes:.0f} s", tag="span", classes="fd-quiet")
    else:
        frame.text("passed" if last.passed else f"failed at {last.failed_step}", tag="span",
                   classes=f"fd-badge {'fd-good' if last.passed else 'fd-bad'}")  # fmt: skip
        with ui.element("span").classes("fd-quiet"):
            frame.when(last.at, style="ago")
            frame.text(f" at {last.pace} pace", tag="span")
        for word, times in (("notified", last.notified), ("cleared", last.cleared)):
            if times is not None:
                frame.text(f"{word} in {_beside(times)}", tag="span", classes="fd-quiet")
    if row.why_not:
        frame.text("not from here", tag="span", classes="fd-badge").props["title"] = row.why_not


def _beside(times: tuple[float, float | None]) -> str:
    seconds, least = times
    return f"{seconds:.0f} s" + (f" (at the least {least:.0f})" if least is not None else "")
