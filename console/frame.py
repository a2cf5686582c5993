"""What every page has: theme, header, navigation, the place that names dead backends, times, empty boxes."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from fastapi import FastAPI, Request
from nicegui import app as pages
from nicegui import ui
from nicegui.element import Element
from nicegui.elements.mixins.text_element import TextElement

from console.access import Access
from console.settings import Settings
from console.sources import SourceDown, SourceError, Sources

STATIC = Path(__file__).parent / "static"
NAVIGATION = (
    ("Overview", "/"), ("Boards", "/boards"), ("Traces", "/traces"), ("Logs", "/logs"), ("Alerts", "/alerts"),
    ("Inbox", "/inbox"), ("Drills", "/drills"), ("Faults", "/faults"), ("Sandbox", "/sandbox"),
)  # fmt: skip
THEME_COOKIE = "firedrill_theme"
_DARK = {"dark": True, "light": False}
# A page waits so long for its first data before it is sent without; what comes later is filled in.
FIRST_DATA_SECONDS = 0.8
OUTAGES_SECONDS = 1.0
Update = Callable[[], Awaitable[None]]


@dataclass(frozen=True)
class Console:
    """What the pages share."""

    settings: Settings
    sources: Sources
    access: Access


@dataclass
class Viewer:
    """One open page; `may_change` says whether it was opened with the token."""

    console: Console
    may_change: bool
    visible: bool = True
    _hints: list[Element] = field(default_factory=list)

    async def keep_fresh(self, seconds: float, update: Update) -> ui.timer:
        """Run `update` now, waiting a moment for it, and then every `seconds` while the page is looked at.

        What it raises for a dead backend is caught: the page's notice says so, and the next run tries again.
        """

        async def tried() -> None:
            try:
                await update()
            except SourceDown:
                pass  # the notice of dead backends says it
            except SourceError as error:
                ui.notify(f"{error.what}: {error.why}", type="warning", group=True)

        async def when_seen() -> None:
            if self.visible:
                await tried()

        first = asyncio.ensure_future(tried())
        await asyncio.wait([first], timeout=FIRST_DATA_SECONDS)
        return ui.timer(seconds, when_seen, immediate=False)

    def hint_at_token(self, what: str) -> None:
        """Say where the link with the token is, for a page that was opened without it."""
        if not self.may_change:
            note(f"{what} needs the link with the token that `make status` shows: open it once here.")


@contextmanager
def page(console: Console, request: Request, title: str, *, here: str) -> Iterator[Viewer]:
    """A page's frame around what is built inside; `here` is the address of its entry in the navigation."""
    ui.page_title(f"{title} · Firedrill")
    viewer = Viewer(console, console.access.may_change(request))
    dark = ui.dark_mode(_DARK.get(request.cookies.get(THEME_COOKIE, "")))
    anchor("To the content", "#content", classes="fd-skip")
    _header(here, dark)
    outages = ui.element("div").classes("fd-outages").props("role=status aria-live=polite")
    show_outages = _watch_outages(viewer, outages)
    with ui.element("main").classes("fd-main").props("id=content tabindex=-1"):
        yield viewer
    show_outages()


def install_frame(app: FastAPI, console: Console) -> None:
    """The files and the head that all pages share."""
    pages.add_static_files("/static", STATIC, max_cache_age=3600)
    mark = max(int(file.stat().st_mtime) for file in STATIC.iterdir())
    # The theme first; what further sheets add stands on it.
    sheets = sorted(STATIC.glob("*.css"), key=lambda file: (file.stem != "console", file.name))
    ui.add_head_html(
        "".join(f'<link rel="stylesheet" href="/static/{file.name}?{mark}">' for file in sheets)
        + f'<script src="/static/console.js?{mark}"></script>',
        shared=True,
    )


def _header(here: str, dark: ui.dark_mode) -> None:
    with ui.element("header").classes("fd-header"):
        with ui.element("a").classes("fd-brand").props("href=/ aria-label='Firedrill, overview'"):
            ui.element("img").props("src=/static/flame.svg alt='' width=20 height=20")
            text("Firedrill", tag="span")
        with ui.element("nav").classes("fd-nav").props("aria-label=Pages"):
            for name, path in NAVIGATION:
                link = anchor(name, path)
                if path == here:
                    link.props("aria-current=page")
        button = (
            ui.element("button")
            .classes("fd-theme")
            .props(
                "type=button title='Light, dark or as the system' aria-label='Light, dark or as the system'"
            )
        )
        with button:
            text("◐", tag="span").props("aria-hidden=true")
        button.on("click", js_handler="() => fdNextTheme()")


def _watch_outages(viewer: Viewer, place: Element) -> Callable[[], None]:
    """Name the backends that do not answer, and take it back when they do."""
    shown: list[object] = []

    def show() -> None:
        found = list(viewer.console.sources.health.outages)
        if found == shown:
            return
        shown[:] = found
        place.clear()
        with place:
            for one in found:
                with ui.element("div").classes("fd-outage"):
                    text(f"{one.name} does not answer", tag="strong")
                    text(" since ", tag="span")
                    when(one.since)
                    text(
                        f" ({one.why}). What it shows is missing; the page goes on by itself.",
                        tag="span",
                    )

    seen = ui.element("div").classes("fd-seen")
    seen.on("seen", lambda event: setattr(viewer, "visible", bool(event.args.get("detail"))), ["detail"])
    # Not at once: a timer that waits for the browser's connection would have the page sent unfinished.
    ui.timer(OUTAGES_SECONDS, show, immediate=False)
    return show


class Words(TextElement):
    """An element that holds plain text and nothing else; `set_text` changes it."""

    def __init__(self, words: str, *, tag: str) -> None:
        super().__init__(tag=tag, text=words)


def text(words: str, *, tag: str = "div", classes: str = "") -> Words:
    """Plain text, whatever it holds."""
    element = Words(words, tag=tag)
    return element.classes(classes) if classes else element


def anchor(words: str, address: str, *, classes: str = "", blank: bool = False) -> Words:
    """A link; addresses of other schemes than http, https and paths lead nowhere."""
    element = text(words, tag="a", classes=classes)
    if address.startswith(("/", "#", "http://", "https://")):
        element.props["href"] = address
    if blank:
        element.props["target"], element.props["rel"] = "_blank", "noopener noreferrer"
    return element


def when(seconds: float, *, style: str = "time") -> Element:
    """A time in the viewer's zone; `style` is time, full (with the date) or ago (which goes on counting)."""
    element = ui.element("fd-time")
    element.props["at"], element.props["look"] = str(round(seconds * 1000)), style
    return element


def note(words: str, *, classes: str = "") -> Element:
    """A remark in a box: what is so, and what to do."""
    return text(words, classes=f"fd-note {classes}".strip())


def no_data(since: float | None, *, todo: str = "") -> Element:
    """In place of an empty box: since when (unix seconds) there is no data; None where none was found."""
    with ui.element("div").classes("fd-empty") as box:
        if since is None:
            text("No data in this time", tag="span")
        else:
            with ui.element("span"):
                text("No data since ", tag="span")
                when(since)
        if todo:
            text(todo, classes="fd-quiet")
    return box


def now() -> float:
    """Unix seconds."""
    return time.time()
