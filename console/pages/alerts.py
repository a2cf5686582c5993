"""Alerts: what fires and since when, silences, the past, and every rule that is quiet."""

from collections.abc import Sequence

from fastapi import Request
from nicegui import ui
from nicegui.element import Element

from console import frame
from console.alerts.cards import BADGES, alert_card, calm, runbook_path, silence_row
from console.alerts.history import QUERY, Line, history
from console.alerts.rows import (
    FIRING,
    PENDING,
    Alert,
    Rule,
    active,
    counts,
    rules,
)
from console.alerts.silences import current
from console.drills.graph import scrape_seconds
from console.frame import Console, Viewer
from console.sources import Silence, SourceError, Sources
from firedrill.ask.text import seconds_of

FRESH_SECONDS = 2.0
POINTS = 240
RANGES = {"15m": "15 minutes", "1h": "1 hour", "6h": "6 hours", "1d": "1 day", "2d": "2 days"}


def install(console: Console) -> None:
    """Register the page."""

    @ui.page("/alerts")
    async def alerts(request: Request) -> None:
        asked = request.query_params.get("range", "1h")
        with frame.page(console, request, "Alerts", here="/alerts") as viewer:
            shown = _Page(viewer, asked if asked in RANGES else "1h")
            await viewer.keep_fresh(FRESH_SECONDS, shown.update)


class _Page:
    """Sections that are built anew only when what they show has changed, so that nothing jumps."""

    def __init__(self, viewer: Viewer, range_: str) -> None:
        self._viewer, self._range = viewer, range_
        self._sources: Sources = viewer.console.sources
        self._was: dict[str, object] = {}
        self._ticks = 0
        with ui.element("div").classes("fd-head"):
            frame.text("Alerts", tag="h1")
            self._sum = frame.text("", tag="span", classes="fd-quiet")
        viewer.hint_at_token("Silencing")
        self._cards: dict[str, tuple[object, Element]] = {}
        with ui.element("section").classes("fd-section").props("aria-label='Active alerts'"):
            self._active = ui.element("div")
            self._calm = calm()
            self._calm.set_visibility(False)
        self._silences = ui.element("section").classes("fd-section").props("aria-label=Silences")
        with ui.element("section").classes("fd-section fd-box").props("aria-label=History"):
            _history_head(range_)
            self._history = ui.element("div")
        self._rules = ui.element("section").classes("fd-section fd-box").props("aria-label='All rules'")

    async def update(self) -> None:
        """Ask Prometheus and Alertmanager, and show what has changed."""
        trouble: SourceError | None = None
        try:
            held = await self._sources.alertmanager.alerts()
            self._draw_silences(current(await self._sources.alertmanager.silences()))
        except SourceError as error:
            held, trouble = (), error
        alerts = active(await self._sources.prometheus.alerts(), held)
        self._draw_active(alerts)
        self._draw_rules(rules(await self._sources.prometheus.rules()))
        if self._ticks % 5 == 0:
            await self._update_history()
        self._ticks += 1
        if trouble is not None:
            raise trouble

    def _changed(self, name: str, value: object) -> bool:
        if name in self._was and self._was[name] == value:
            return False
        self._was[name] = value
        return True

    def _draw_active(self, alerts: Sequence[Alert]) -> None:
        # The value moves with every evaluation; that alone is no reason to build the row again.
        if not self._changed("active", [(one.key, one.state, one.since, one.silenced_by) for one in alerts]):
            return
        found = {state: number for state, number in counts(alerts).items() if number}
        self._sum.set_text(
            ", ".join(f"{number} {state}" for state, number in found.items()) or "none is active"
        )
        self._calm.set_visibility(not alerts)
        keys = {alert.key for alert in alerts}
        for key in [key for key in self._cards if key not in keys]:
            self._cards.pop(key)[1].delete()
        for index, alert in enumerate(alerts):
            self._card_of(alert).move(self._active, target_index=index)

    def _card_of(self, alert: Alert) -> Element:
        """The alert's card; one that says the same stays, with what is typed in its form."""
        says = (alert.state, alert.since, alert.silenced_by)
        known = self._cards.get(alert.key)
        if known is not None and known[0] == says:
            return known[1]
        if known is not None:
            known[1].delete()
        with self._active:
            card = alert_card(self._viewer, alert)
        self._cards[alert.key] = (says, card)
        return card

    def _draw_silences(self, silences: Sequence[Silence]) -> None:
        if not self._changed("silences", silences):
            return
        self._silences.clear()
        if not silences:
            return
        with self._silences, ui.element("div").classes("fd-box"):
            frame.text("Silences", tag="h2")
            for silence in silences:
                silence_row(self._viewer, silence)

    async def _update_history(self) -> None:
        end = frame.now()
        start = end - seconds_of(self._range)
        step = max(scrape_seconds(self._viewer.console.settings.pace), (end - start) / POINTS)
        answer = await self._sources.prometheus.query_range(QUERY, start=start, end=end, step=step, ttl=5.0)
        lines = history(answer.series, start=start, end=end, step=step)
        if not self._changed("history", lines):
            return
        self._history.clear()
        with self._history:
            _history(lines, start, end)

    def _draw_rules(self, found: Sequence[Rule]) -> None:
        if not self._changed("rules", [(one.name, one.system, one.state, one.broken) for one in found]):
            return
        self._rules.clear()
        with self._rules:
            frame.text(f"Rules: {len(found)}", tag="h2")
            with ui.element("div").classes("al-rules"):
                for rule in found:
                    _rule_row(rule)


def _history_head(range_: str) -> None:
    with ui.element("div").classes("fd-row al-history-head"):
        frame.text("History", tag="h2")
        for value, words in RANGES.items():
            link = frame.anchor(words, f"/alerts?range={value}", classes="fd-choice")
            if value == range_:
                link.props("aria-current=true")
        with ui.element("span").classes("fd-quiet al-legend"):
            for state in (PENDING, FIRING):
                ui.element("span").classes(f"al-sample al-{state}")
                frame.text(state, tag="span")


def _history(lines: Sequence[Line], start: float, end: float) -> None:
    if not lines:
        frame.no_data(None, todo="No alert was pending or firing in this time.")
        return
    with ui.element("div").classes("al-history"):
        for line in lines:
            _history_line(line)
        with ui.element("div").classes("al-line al-times fd-quiet"):
            frame.text("", tag="span")
            with ui.element("span").classes("al-ends"):
                frame.when(start)
                frame.when(end)


def _history_line(line: Line) -> None:
    with ui.element("div").classes("al-line"):
        with ui.element("div").classes("al-line-name"):
            frame.text(line.name, tag="span", classes="al-name")
            words = line.place
            if line.fired:
                times = "once" if line.fired == 1 else f"{line.fired} times"
                words += f" · fired {times}, {_length(line.seconds)}"
            frame.text(words, tag="span", classes="fd-quiet").props["title"] = words
        with ui.element("div").classes("al-track"):
            for one in line.stretches:
                bar = ui.element("span").classes(f"al-stretch al-{one.state}")
                bar.style(f"left: {one.left:g}%; width: {one.width:g}%")
                until = "until now" if one.open else f"for {_length(one.ended - one.began)}"
                bar.props["title"] = f"{one.state} {until}"


def _length(seconds: float) -> str:
    whole = round(seconds)
    if whole < 120:
        return f"{whole} s"
    return f"{whole // 60} min" if whole < 7_200 else f"{whole // 3600} h {whole % 3600 // 60} min"


def _rule_row(rule: Rule) -> None:
    with ui.element("div").classes("al-rule"):
        frame.text(rule.state, tag="span", classes=f"fd-badge {BADGES.get(rule.state, 'fd-warn')}")
        frame.text(rule.name, tag="span", classes="al-name").props["title"] = rule.query
        frame.text(rule.severity, tag="span", classes="fd-quiet")
        if rule.broken:
            frame.text(f"cannot be evaluated: {rule.broken}", tag="span", classes="fd-bad")
        with ui.element("span").classes("al-rule-links"):
            if rule.runbook:
                frame.anchor("runbook", runbook_path(rule.runbook))
                frame.anchor("drill", f"/drills/{rule.runbook.slice}/{rule.name}")
