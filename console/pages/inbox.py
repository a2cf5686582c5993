"""Inbox: notifications as a person would see them in Slack, on a pager, in a mailbox, in Sentry."""

from collections.abc import Sequence
from typing import Any
from urllib.parse import urlencode

from fastapi import Request
from nicegui import ui

from console import frame
from console.alerts.rows import board_uid, runbook_place
from console.frame import Console, Viewer
from console.inbox.letters import draw
from console.inbox.messages import KINDS, NEWEST, STATES, Pulse, Wanted, place_of, pulse_of
from console.inbox.views import view_of
from console.sources import Notice, SourceRefused, Sources

FRESH_SECONDS = 2.0


def install(console: Console) -> None:
    """Register the page."""

    @ui.page("/inbox")
    async def inbox(request: Request) -> None:
        asked = request.query_params.get("id", "")
        chosen = int(asked) if asked.isascii() and asked.isdigit() and len(asked) < 16 else None
        with frame.page(console, request, "Inbox", here="/inbox") as viewer:
            shown = _Page(viewer, Wanted.of(request.query_params), chosen)
            await viewer.keep_fresh(FRESH_SECONDS, shown.update)


class _Page:
    """The list on one side, the chosen message on the other."""

    def __init__(self, viewer: Viewer, wanted: Wanted, chosen: int | None) -> None:
        self._sources: Sources = viewer.console.sources
        self._wanted, self._chosen = wanted, chosen
        self._listed: list[int] = []
        self._shown: int | None = None
        self._beat: Pulse | None = None
        with ui.element("div").classes("fd-head"):
            frame.text("Inbox", tag="h1")
            self._total = frame.text("", tag="span", classes="fd-quiet")
            self._pulse = frame.text("", tag="span", classes="ib-pulse")
        _filters(wanted)
        with ui.element("div").classes("ib-panes" + (" ib-chosen" if chosen is not None else "")):
            self._list = ui.element("section").classes("fd-box fd-list ib-list").props("aria-label=Messages")
            self._one = ui.element("section").classes("ib-one").props("aria-label=Message")

    async def update(self) -> None:
        """Ask for what is new."""
        wanted = self._wanted
        total, notices = await self._sources.inbox.messages(
            limit=NEWEST, kind=wanted.kind, status=wanted.status, alert=wanted.alert
        )
        ids = [one.id for one in notices]
        if ids != self._listed or not self._list.default_slot.children:
            self._draw_list(notices)
            self._listed = ids
            self._total.set_text(f"{total} messages kept" if total != 1 else "one message kept")
        wish = self._chosen if self._chosen is not None else ids[0] if ids else None
        if wish is not None and wish != self._shown:
            await self._draw_one(wish, notices)
        self._draw_pulse(pulse_of(await self._sources.inbox.ask.get("/api/heartbeat")))

    def _draw_list(self, notices: Sequence[Notice]) -> None:
        self._list.clear()
        with self._list:
            if not notices:
                with ui.element("div").classes("fd-empty ib-empty"):
                    frame.text("No messages" if self._wanted != Wanted() else "No messages yet", tag="strong")
                    frame.text("They come when an alert fires: run a drill to see one.")
                    frame.anchor("Drills", "/drills")
            for one in notices:
                _item(one, self._wanted, chosen=one.id == self._chosen)

    async def _draw_one(self, wish: int, notices: Sequence[Notice]) -> None:
        found = next((one for one in notices if one.id == wish), None)
        try:
            raw = await self._sources.inbox.raw(wish)
            if found is None:
                _, every = await self._sources.inbox.messages(limit=1000)
                found = next((one for one in every if one.id == wish), None)
        except SourceRefused:
            found = None
        self._one.clear()
        self._shown = wish
        with self._one:
            if found is None:
                frame.note(f"Message {wish} is not there; it may have given way to newer ones.")
            else:
                frame.anchor("← All messages", "/inbox?" + urlencode(self._wanted.query()), classes="ib-back")
                _message(found, raw)

    def _draw_pulse(self, pulse: Pulse) -> None:
        self._pulse.set_text(pulse.words())
        self._pulse.classes(
            add="fd-quiet" if pulse.alive else "fd-bad", remove="fd-bad" if pulse.alive else "fd-quiet"
        )


def _filters(wanted: Wanted) -> None:
    def link(words: str, query: dict[str, str], *, here: bool) -> None:
        found = frame.anchor(words, "/inbox" + ("?" + urlencode(query) if query else ""), classes="fd-choice")
        if here:
            found.props("aria-current=true")

    with ui.element("nav").classes("fd-row ib-filters").props("aria-label=Filter"):
        link("All", {}, here=wanted == Wanted())
        for kind, words in KINDS.items():
            link(words, wanted.query(kind=kind), here=wanted.kind == kind)
        for status in STATES:
            link(status.capitalize(), wanted.query(status=status), here=wanted.status == status)
        if wanted.alert:
            link(f"{wanted.alert} ✕", wanted.query(alert=""), here=True)


def _item(one: Notice, wanted: Wanted, *, chosen: bool) -> None:
    item = ui.element("a").classes(f"fd-item ib-item ib-{one.status}")
    item.props["href"] = "/inbox?" + urlencode({**wanted.query(), "id": str(one.id)})
    if chosen:
        item.props["aria-current"] = "true"
    with item:
        with ui.element("span").classes("ib-item-head"):
            frame.text(KINDS.get(one.kind, one.kind), tag="span", classes="fd-badge")
            frame.text(place_of(one), tag="span", classes="fd-quiet ib-place")
            with ui.element("span").classes("fd-quiet ib-when"):
                frame.when(one.at)
        with ui.element("span").classes("ib-title"):
            if one.status in STATES:
                frame.text("●", tag="span", classes="fd-bad" if one.status == "firing" else "fd-good")
            frame.text(one.title or one.text[:120] or "message", tag="span")


def _message(notice: Notice, raw: Any) -> None:
    with ui.element("div").classes("fd-row ib-head"):
        frame.text(
            f"{KINDS.get(notice.kind, notice.kind)}, receiver {notice.receiver}",
            tag="span",
            classes="fd-quiet",
        )
        with ui.element("span").classes("fd-quiet"):
            frame.when(notice.at, style="full")
    draw(view_of(notice, raw), notice)
    with ui.element("div").classes("fd-row ib-links"):
        _own_links(notice)


def _own_links(notice: Notice) -> None:
    """Where the console itself shows what the message links to."""
    addresses = [address for _, address in notice.links]
    runbook = next((found for one in addresses if (found := runbook_place(one))), None)
    board = next((uid for one in addresses if (uid := board_uid(one))), "")
    if runbook:
        frame.anchor("Runbook", f"/runbooks/{runbook.slice}/{runbook.alert}", classes="fd-button")
    if board:
        frame.anchor("Board", f"/boards/{board}", classes="fd-button")
    if trace := notice.labels.get("trace_id"):
        frame.anchor("Trace", f"/traces/{trace}", classes="fd-button")
    if service := notice.labels.get("service"):
        frame.anchor("Logs", f"/logs?service={service}&level=WARNING", classes="fd-button")
