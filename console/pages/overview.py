"""The overview's page: one glance at everything, and links to look closer."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from fastapi import Request
from nicegui import ui
from nicegui.element import Element

from console import frame
from console.boards.document import Board, BoardError, read_boards
from console.boards.links import here
from console.boards.units import number
from console.frame import Console, Viewer, Words
from console.overview.starting import Startup, startup
from console.overview.systems import SCARCE, FaultIn, Service, faults_in, owners, services, summary
from console.sources import FiringRule, SourceError

REFRESH_SECONDS = 5.0
# Over so long rates are taken: enough scrapes at either pace, and gentle traffic still shows.
RATE_SECONDS = 60.0
SLOW, FAILING = 1.0, 0.01
_SEVERITIES = {"critical": "fd-bad", "warning": "fd-warn"}
_GUIDES = (
    ("Practise an incident", "/sandbox", "ten guided ones, for who has never been on call"),
    ("Run a drill", "/drills", "a fault goes in, the alert fires, it heals, each step timed"),
    ("Break something", "/faults", "by hand, and watch it on the boards"),
    ("Follow a request", "/traces", "its way through the services, with its log lines"),
    ("Read what arrived", "/inbox", "notifications as their receiver sees them"),
)


def install(console: Console) -> None:
    """Register the page."""

    @ui.page("/")
    async def overview(request: Request) -> None:
        with frame.page(console, request, "Overview", here="/") as viewer:
            await OverviewPage(viewer).build()


@dataclass
class OverviewPage:
    """One open overview."""

    viewer: Viewer
    _boards: dict[str, str] = field(default_factory=dict)
    _objectives: dict[str, str] = field(default_factory=dict)
    _cells: dict[tuple[str, str], dict[str, Words]] = field(default_factory=dict)
    _shown: dict[str, object] = field(default_factory=dict)

    async def build(self) -> None:
        """Build the page; what its backends say within a moment is in it."""
        self._boards = boards_of_services(self.viewer.console)
        self._objectives = owners(self.viewer.console.settings.slices)
        with ui.element("div").classes("fd-head"):
            frame.text("Overview", tag="h1")
            self._sentence = frame.text("", tag="span", classes="fd-badge").props("role=status")
        self._starting = ui.element("div")
        with ui.element("div").classes("fd-columns fd-section"):
            self._alerts = self._section("Firing alerts", "/alerts", "all alerts")
            self._faults = self._section("Faults that are in", "/faults", "all faults")
        with ui.element("section").classes("fd-box fd-section"):
            frame.text("Services", tag="h2")
            self._services = ui.element("div").classes("fd-scroll fd-services")
        with ui.element("section").classes("fd-box fd-section"):
            frame.text("Stack", tag="h2")
            self._stack = ui.element("div").classes("fd-row fd-stack")
        _guides()
        await self.viewer.keep_fresh(REFRESH_SECONDS, self.update)

    async def update(self) -> None:
        """Ask what is, and show what changed."""
        self._show_starting(startup(self.viewer.console.settings.state))
        prometheus = self.viewer.console.sources.prometheus
        try:
            targets = await services(prometheus, RATE_SECONDS, self._objectives)
            faults = await faults_in(prometheus)
            alerts = [
                one
                for one in await prometheus.alerts()
                if one.state == "firing" and one.labels.get("severity") != "none"
            ]
        except SourceError as error:
            self._say_unknown(error)
            raise
        words, mood = summary(targets, len(alerts), len(faults))
        self._sentence.set_text(words)
        self._sentence.classes(replace=f"fd-badge fd-{mood}")
        self._show_alerts(alerts)
        self._show_faults(faults)
        self._show_services([one for one in targets if one.system != "platform"])
        self._show_stack([one for one in targets if one.system == "platform"])

    def _say_unknown(self, error: SourceError) -> None:
        self._sentence.set_text(f"How things stand is not known: {error.what}")
        self._sentence.classes(replace="fd-badge fd-bad")

    def _section(self, title: str, path: str, more: str) -> Element:
        with ui.element("section").classes("fd-box"):
            with ui.element("div").classes("fd-row"):
                frame.text(title, tag="h2").style("flex:1")
                frame.anchor(more, path)
            return ui.element("div").classes("fd-scroll fd-short")

    def _changed(self, name: str, value: object) -> bool:
        """Whether this part of the page is to be drawn anew."""
        before, self._shown[name] = self._shown.get(name, self), value
        return before != value

    def _show_starting(self, found: Startup | None) -> None:
        if not self._changed("starting", found):
            return
        self._starting.clear()
        if found is None or not found.pending:
            return
        with self._starting, ui.element("section").classes("fd-box fd-section"):
            frame.text(f"Building and starting: {found.ready} of {found.total} ready", tag="h2")
            with ui.element("table").classes("fd-table"), ui.element("tbody"):
                for one in found.pending:
                    with ui.element("tr"):
                        frame.text(one.name, tag="td")
                        frame.text(one.phase, tag="td", classes="fd-bad" if one.bad else "")
                        with ui.element("td"):
                            frame.text("for ", tag="span", classes="fd-quiet")
                            frame.when(one.since, style="age")
                        with ui.element("td"):
                            if one.progress is not None:
                                bar = ui.element("progress")
                                bar.props["value"], bar.props["max"] = str(round(one.progress, 3)), "1"
                                bar.props["aria-label"] = f"{one.name} is built"
                            frame.text(one.detail, tag="span", classes="fd-quiet")

    def _show_alerts(self, alerts: Sequence[FiringRule]) -> None:
        ordered = sorted(alerts, key=lambda one: (one.labels.get("severity") != "critical", one.since))
        if not self._changed("alerts", [(one.labels, one.since) for one in ordered]):
            return
        self._alerts.clear()
        with self._alerts:
            if not ordered:
                frame.text("Nothing fires.", classes="fd-quiet")
                return
            with ui.element("table").classes("fd-table"), ui.element("tbody"):
                for one in ordered:
                    self._alert(one)

    def _alert(self, one: FiringRule) -> None:
        with ui.element("tr"):
            with ui.element("td"):
                runbook = here(one.annotations.get("runbook_url", ""))
                frame.anchor(one.labels.get("alertname", ""), runbook or "/alerts")
                frame.text(one.annotations.get("summary", ""), classes="fd-quiet")
            severity = one.labels.get("severity", "")
            with ui.element("td"):
                frame.text(severity, tag="span", classes=f"fd-badge {_SEVERITIES.get(severity, '')}")
            with ui.element("td"):
                frame.when(one.since, style="ago")
            with ui.element("td"):
                if board := here(one.annotations.get("dashboard_url", "")):
                    frame.anchor("board", board)

    def _show_faults(self, faults: Sequence[FaultIn]) -> None:
        if not self._changed("faults", list(faults)):
            return
        self._faults.clear()
        with self._faults:
            if not faults:
                frame.text("None: what is slow or fails, does so by itself.", classes="fd-quiet")
            for one in faults:
                with ui.element("div"):
                    frame.anchor(f"{one.service}/{one.name}", "/faults")

    def _show_services(self, found: Sequence[Service]) -> None:
        if self._changed("services", [(one.system, one.name) for one in found]):
            self._services.clear()
            self._cells.clear()
            with self._services:
                if not found:
                    frame.text("Prometheus knows no service yet.", classes="fd-quiet")
                else:
                    self._service_table(found)
        for one in found:
            for name, (words, classes) in _figures(one).items():
                cell = self._cells[one.system, one.name][name]
                cell.set_text(words)
                cell.classes(replace=classes)

    def _service_table(self, found: Sequence[Service]) -> None:
        with ui.element("table").classes("fd-table"):
            with ui.element("thead"), ui.element("tr"):
                for name in ("System", "Service", "Health", "Requests", "P95", "Errors", "Budget left", ""):
                    frame.text(name, tag="th")
            with ui.element("tbody"):
                for place, one in enumerate(found):
                    first = place == 0 or found[place - 1].system != one.system
                    with ui.element("tr"):
                        frame.text(one.system if first else "", tag="td", classes="fd-quiet")
                        with ui.element("td"):
                            board = self._boards.get(one.name)
                            frame.anchor(one.name, f"/boards/{board}" if board else "/boards")
                        cells = {}
                        for name in _figures(one):
                            with ui.element("td").classes("" if name == "health" else "fd-figure-cell"):
                                cells[name] = frame.text("", tag="span")
                        self._cells[one.system, one.name] = cells
                        with ui.element("td"), ui.element("div").classes("fd-row"):
                            frame.anchor("logs", f"/logs?service={one.name}")
                            frame.anchor("traces", f"/traces?service={one.name}")

    def _show_stack(self, found: Sequence[Service]) -> None:
        if not self._changed("stack", [(one.name, one.up) for one in found]):
            return
        self._stack.clear()
        with self._stack:
            for one in found:
                with ui.element("span").classes(f"fd-badge {'fd-good' if one.up else 'fd-bad'}"):
                    frame.text(one.name if one.up else f"{one.name} does not answer", tag="span")
            frame.anchor("the stack's board", "/boards/stack-health")


def boards_of_services(console: Console) -> dict[str, str]:
    """The board of each service: the one that links to its traces."""
    try:
        boards: Sequence[Board] = read_boards(console.settings.boards)
    except BoardError:
        return {}
    found = ((here(link.url), board.uid) for board in boards for link in board.links)
    mark = "/traces?service="
    return {address.removeprefix(mark): uid for address, uid in found if address.startswith(mark)}


def _figures(one: Service) -> dict[str, tuple[str, str]]:
    """What a service's cells say, and in which classes."""
    health = ("up", "fd-badge fd-good") if one.up else ("down", "fd-badge fd-bad")
    budget = one.budget
    mood = "" if budget is None or budget >= SCARCE else "fd-warn" if budget > 0 else "fd-bad"
    return {
        "health": health,
        "rate": (number(one.rate, "reqps"), ""),
        "slowest": (number(one.slowest, "s"), _bad(one.slowest is not None and one.slowest >= SLOW)),
        "errors": (number(one.errors, "percentunit"), _bad(one.errors is not None and one.errors >= FAILING)),
        "budget": (number(budget, "percentunit", 1) if budget is not None else "", mood),
    }


def _bad(so: bool) -> str:
    return "fd-bad" if so else ""


def _guides() -> None:
    with ui.element("section").classes("fd-box fd-section"):
        frame.text("Where to go on", tag="h2")
        with ui.element("ul").classes("fd-guides"):
            for title, path, words in _GUIDES:
                with ui.element("li"):
                    frame.anchor(title, path)
                    frame.text(f": {words}", tag="span", classes="fd-quiet")
