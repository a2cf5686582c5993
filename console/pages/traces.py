"""Traces: the search, and one trace as a waterfall with its logs beside it."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import replace
from urllib.parse import urlencode

from fastapi import Request
from nicegui import ui
from nicegui.element import Element

from console import fields, frame
from console.frame import Console, Viewer
from console.logs.lines import Lines
from console.logs.rows import rows_of
from console.logs.search import Search as LogSearch
from console.sources import SourceError, Sources
from console.traces.bars import Bars
from console.traces.search import Found, Search, listed
from console.traces.waterfall import waterfall
from firedrill.clients import Trace
from firedrill.errors import FiredrillError

# Spans arrive after a second or two; for so long after its begin a trace may still grow.
GROWS_SECONDS = 30.0
AROUND_SECONDS = 120.0
MOST_LINES = 500


def install(console: Console) -> None:
    """Register the pages."""

    @ui.page("/traces")
    async def traces(request: Request) -> None:
        search = Search.of(request.query_params)
        with frame.page(console, request, "Traces", here="/traces") as viewer:
            await _search_page(viewer, search)

    @ui.page("/traces/{trace_id}")
    async def trace(request: Request, trace_id: str) -> None:
        with frame.page(console, request, f"Trace {trace_id[:8]}", here="/traces") as viewer:
            await _trace_page(viewer, trace_id.strip().lower())


async def _search_page(viewer: Viewer, search: Search) -> None:
    sources = viewer.console.sources
    frame.text("Traces", tag="h1", classes="fd-title")
    services, operations = await _known(sources, search.service)
    _form(search, services, operations)
    place = ui.element("div").classes("fd-results").props("aria-live=polite")
    done: list[bool] = []

    async def update() -> None:
        if done:
            return
        try:
            found = await find(sources, search)
        except SourceError as error:
            _problem(place, error)
            raise
        except FiredrillError as error:
            _problem(place, error)
        else:
            _results(place, found, search)
        done.append(True)

    await viewer.keep_fresh(3.0, update)


async def _known(sources: Sources, service: str) -> tuple[Sequence[str], Sequence[str]]:
    """The services and the operations of one, none where Jaeger does not answer."""
    try:
        services = [one for one in await sources.jaeger.services() if not one.startswith("jaeger")]
        operations = await sources.jaeger.operations(service) if service in services else ()
    except SourceError:
        return (), ()
    return services, operations


async def find(sources: Sources, search: Search) -> list[Found]:
    """The traces of a search; without a service, the newest of all. Raises UsageError and SourceError."""
    now = frame.now()
    if search.service:
        return listed(await sources.jaeger.search(search.wanted(now)))
    services = [one for one in await sources.jaeger.services() if not one.startswith("jaeger")]
    answers = await asyncio.gather(
        *(sources.jaeger.search(replace(search, service=one).wanted(now)) for one in services)
    )
    found: dict[str, Trace] = {trace.trace_id: trace for answer in answers for trace in answer}
    return listed(found.values(), most=search.limit)


def _form(search: Search, services: Sequence[str], operations: Sequence[str]) -> None:
    with fields.search("/traces"):
        with fields.labelled("Service"):
            options = {"": "any", **{one: one for one in services}}
            fields.choice("service", options, search.service)
        with fields.labelled("Operation", classes="fd-wide"):
            fields.entry("operation", search.operation, placeholder="any", choices=operations)
        with fields.labelled("At least"):
            fields.entry("shortest", search.shortest, placeholder="100ms")
        with fields.labelled("At most"):
            fields.entry("longest", search.longest, placeholder="2s")
        with fields.labelled("Attributes", classes="fd-wide"):
            fields.entry("tags", search.tags, placeholder="http.route=/v1/orders")
        with fields.labelled("In the last"):
            fields.choice("since", fields.SINCE, search.since)
        with fields.labelled("Number"):
            fields.choice("limit", {"20": "20", "50": "50", "200": "200"}, str(search.limit))
        fields.tick("errors", "with errors only", on=search.errors)
        fields.submit("Search")


def _problem(place: Element, error: FiredrillError) -> None:
    place.clear()
    with place:
        frame.note(": ".join(part for part in (error.what, error.why, error.todo) if part))


def _results(place: Element, found: Sequence[Found], search: Search) -> None:
    place.clear()
    with place:
        if not found:
            with ui.element("div").classes("fd-box"):
                frame.no_data(None, todo="Try a longer time, any operation, or no limit on the duration.")
            return
        with_errors = sum(1 for row in found if row.errors)
        words = f"{len(found)} trace{'s' if len(found) > 1 else ''}, newest first" + (
            f", {with_errors} with errors" if with_errors else ""
        )
        if len(found) >= search.limit:
            words += "; there may be more: raise Number"
        frame.text(words, classes="fd-quiet fd-count")
        with ui.element("div").classes("fd-box fd-list"):
            for row in found:
                _result(row)


def _result(row: Found) -> None:
    line = ui.element("a").classes("fd-item tr-item" + (" tr-bad" if row.errors else ""))
    line.props["href"] = f"/traces/{row.trace_id}"
    with line:
        with ui.element("span").classes("tr-when"):
            frame.when(row.began)
        with ui.element("span").classes("tr-what"):
            frame.text(row.service, tag="span", classes="tr-service")
            frame.text(row.name, tag="span", classes="tr-name")
        with ui.element("span").classes("tr-length"):
            bar = ui.element("span").classes("tr-bar")
            bar.style(f"width: {max(row.share, 0.5):g}%")
            frame.text(row.lasts, tag="span", classes="tr-lasts")
        with ui.element("span").classes("tr-facts"):
            others = [one for one in row.services if one != row.service]
            frame.text(
                f"{row.spans} span{'s' if row.spans > 1 else ''}"
                + (f", also {', '.join(others)}" if others else ""),
                tag="span",
            )
            if row.errors:
                words = f"{row.errors} error" + ("s" if row.errors > 1 else "")
                frame.text(words, tag="span", classes="fd-badge fd-bad")


async def _trace_page(viewer: Viewer, trace_id: str) -> None:
    head = ui.element("div").classes("fd-head")
    with head:
        frame.text("Trace", tag="h1")
        frame.text(trace_id, tag="span", classes="fd-mono fd-quiet")
    body = ui.element("div").classes("tr-page")
    shown = _TracePage(viewer, trace_id, head, body)
    await viewer.keep_fresh(2.0, shown.update)


class _TracePage:
    """One trace: drawn when it is there, again while it grows; its logs beside it."""

    def __init__(self, viewer: Viewer, trace_id: str, head: Element, body: Element) -> None:
        self._sources, self._id = viewer.console.sources, trace_id
        self._head, self._body = head, body
        self._spans, self._lines = 0, -1
        self._bars: Bars | None = None
        self._log: Element | None = None
        self._until = 0.0

    async def update(self) -> None:
        """Look again, while there may be something new."""
        if self._until and frame.now() > self._until and self._lines >= 0:
            return
        if not (self._until and frame.now() > self._until):
            await self._update_trace()
        if self._bars is not None:
            await self._update_logs()

    async def _update_trace(self) -> None:
        found = await self._sources.jaeger.trace(self._id)
        if found is None or not found.spans:
            self._missing()
            return
        if len(found.spans) == self._spans:
            return
        self._spans = len(found.spans)
        drawn = waterfall(found)
        self._until = (
            frame.now() + 6 if frame.now() - drawn.began > GROWS_SECONDS else drawn.began + GROWS_SECONDS + 6
        )
        if self._bars is not None:
            self._bars.show(drawn)
        else:
            self._body.clear()
            with self._body:
                with ui.element("section").classes("fd-box tr-waterfall").props("aria-label=Waterfall"):
                    self._bars = Bars(drawn)
                with ui.element("section").classes("fd-box tr-logs").props("aria-label=Logs"):
                    frame.text("Logs of this trace", tag="h2")
                    self._log = ui.element("div")
        self._span = (drawn.began - AROUND_SECONDS, drawn.began + AROUND_SECONDS * 10)
        _trace_head(self._head, drawn.as_props())

    async def _update_logs(self) -> None:
        search = LogSearch(trace_id=self._id)
        start, end = self._span
        try:
            answer = await self._sources.loki.search(search.logql(), start=start, end=end, limit=MOST_LINES)
        except SourceError as error:
            if self._log is not None and self._lines != -1:
                return
            _problem(self._log or self._body, error)
            raise
        if self._log is None or len(answer.lines) == self._lines:
            return
        self._lines = len(answer.lines)
        self._log.clear()
        with self._log:
            if answer.lines:
                Lines(rows_of(answer.lines), oldest_first=True, brief=True)
            else:
                frame.no_data(
                    None, todo="No line carries this trace id (yet): they arrive after some seconds."
                )

    def _missing(self) -> None:
        if self._spans:
            return
        self._body.clear()
        with self._body:
            frame.note(
                "Jaeger has no trace of this id (yet). Spans arrive after a second or two; old traces "
                "give way to newer ones. The page goes on looking."
            )
            frame.anchor(
                "Log lines with this id", "/logs?" + urlencode({"trace_id": self._id, "since": "3h"})
            )


def _trace_head(head: Element, drawn: Mapping[str, object]) -> None:
    head.clear()
    with head:
        frame.text(str(drawn["name"]), tag="h1")
        frame.text(str(drawn["lasts"]), tag="span", classes="tr-total")
        errors = int(str(drawn["errors"]))
        frame.text(f"{drawn['spans']} spans", tag="span", classes="fd-quiet")
        if errors:
            frame.text(f"{errors} with errors", tag="span", classes="fd-badge fd-bad")
        with ui.element("span").classes("fd-quiet"):
            frame.when(float(str(drawn["began"])), style="full")
        frame.text(str(drawn["trace_id"]), tag="code", classes="fd-quiet tr-id")
        with ui.element("span").classes("tr-legend"):
            services = drawn["services"]
            for share in services if isinstance(services, tuple | list) else ():
                with ui.element("span"):
                    ui.element("span").classes(f"wf-dot wf-c{share['colour']}")
                    frame.text(f"{share['name']} {share['spans']}", tag="span")
