"""Alerts: what fires and since when, silences, the past, and every rule that is quiet."""

from collections.abc import Mapping, Sequence

from fastapi import Request
from nicegui import ui

from console import fields, frame
from console.alerts.history import QUERY, Line, history
from console.alerts.rows import (
    FIRING,
    INHIBITED,
    PENDING,
    QUIET,
    SILENCED,
    Alert,
    Place,
    Rule,
    active,
    counts,
    rules,
)
from console.alerts.silences import USUAL, current, wanted
from console.drills.graph import scrape_seconds
from console.frame import Console, Viewer
from console.sources import Silence, SourceError, Sources
from firedrill.ask.text import seconds_of

FRESH_SECONDS = 2.0
POINTS = 240
RANGES = {"15m": "15 minutes", "1h": "1 hour", "6h": "6 hours", "1d": "1 day", "2d": "2 days"}
LENGTHS = {"5m": "5 minutes", "15m": "15 minutes", "1h": "1 hour", "4h": "4 hours", "1d": "1 day"}
_BADGES = {FIRING: "fd-bad", PENDING: "fd-warn", SILENCED: "", INHIBITED: "", QUIET: "fd-good"}


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
        self._active = ui.element("section").classes("fd-section").props("aria-label='Active alerts'")
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
        self._active.clear()
        with self._active:
            if not alerts:
                with ui.element("div").classes("fd-box al-calm"):
                    frame.text("Nothing fires and nothing is pending.", tag="strong", classes="fd-good")
                    frame.text("To see one fire: run a drill.", tag="span", classes="fd-quiet")
                    frame.anchor("Drills", "/drills")
            for alert in alerts:
                _alert_card(self._viewer, alert)

    def _draw_silences(self, silences: Sequence[Silence]) -> None:
        if not self._changed("silences", silences):
            return
        self._silences.clear()
        if not silences:
            return
        with self._silences, ui.element("div").classes("fd-box"):
            frame.text("Silences", tag="h2")
            for silence in silences:
                _silence_row(self._viewer, silence)

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


def _alert_card(viewer: Viewer, alert: Alert) -> None:
    with ui.element("article").classes(f"fd-box al-card al-{alert.state} al-{alert.severity or 'none'}"):
        with ui.element("div").classes("fd-row"):
            frame.text(alert.state, tag="span", classes=f"fd-badge {_BADGES[alert.state]}")
            frame.text(alert.name, tag="strong", classes="al-name")
            if alert.severity:
                frame.text(alert.severity, tag="span", classes="fd-quiet")
            with ui.element("span").classes("fd-quiet al-since"):
                frame.text("since ", tag="span")
                frame.when(alert.since)
                frame.text(", for ", tag="span")
                frame.when(alert.since, style="age")
        if alert.summary:
            frame.text(alert.summary, classes="al-summary")
        if alert.description:
            frame.text(alert.description, classes="fd-quiet")
        with ui.element("div").classes("al-labels"):
            for name, value in alert.shown_labels:
                with ui.element("span").classes("al-label"):
                    frame.text(f"{name}=", tag="span", classes="fd-quiet")
                    frame.text(value, tag="span")
        with ui.element("div").classes("fd-row al-links"):
            _alert_links(alert)
            if viewer.may_change and alert.state != SILENCED:
                _silence_form(viewer, alert)


def _alert_links(alert: Alert) -> None:
    if alert.runbook:
        frame.anchor("Runbook", _runbook_path(alert.runbook))
    if alert.board:
        frame.anchor("Board", f"/boards/{alert.board}")
    service = alert.labels.get("service", "")
    if service:
        frame.anchor("Logs", f"/logs?service={service}&level=WARNING")
        frame.anchor("Traces with errors", f"/traces?service={service}&errors=1")
    frame.anchor("Notices", f"/inbox?alert={alert.name}")


def _runbook_path(place: Place) -> str:
    return f"/runbooks/{place.slice}/{place.alert}"


def _silence_form(viewer: Viewer, alert: Alert) -> None:
    source = viewer.console.sources.alertmanager

    async def silence(typed: Mapping[str, str]) -> None:
        names = [name.removeprefix("label:") for name in typed if name.startswith("label:")]
        asked = wanted(
            alert.labels, names, lasts=typed.get("lasts", ""), comment=typed.get("why", ""), now=frame.now()
        )
        await source.silence(
            asked.equal, starts=asked.starts, ends=asked.ends, by="console", comment=asked.comment
        )
        ui.notify(f"{alert.name} is silenced; Alertmanager tells nobody of it meanwhile.", type="positive")

    with ui.element("details").classes("fd-more al-silence"):
        frame.text("Silence…", tag="summary")
        with fields.change(silence):
            with fields.labelled("For"):
                fields.choice("lasts", LENGTHS, "15m")
            with fields.labelled("Why", classes="fd-wide"):
                fields.entry("why", "", placeholder="being worked on", attributes={"required": "true"})
            with ui.element("fieldset").classes("al-matchers"):
                frame.text("Alerts with the same", tag="legend", classes="fd-label")
                for name, value in alert.labels.items():
                    fields.tick(f"label:{name}", f"{name}={value}", on=name in USUAL)
            fields.submit("Silence")


def _silence_row(viewer: Viewer, silence: Silence) -> None:
    async def end() -> None:
        await viewer.console.sources.alertmanager.expire(silence.id)
        ui.notify("The silence has ended.", type="positive")

    with ui.element("div").classes("fd-row al-silence-row"):
        frame.text(silence.state, tag="span", classes="fd-badge")
        for matcher in silence.matchers:
            frame.text(matcher, tag="code")
        with ui.element("span").classes("fd-quiet"):
            frame.text("until ", tag="span")
            frame.when(silence.ends, style="full")
            frame.text(f", by {silence.by}: {silence.comment}", tag="span")
        if viewer.may_change:
            fields.button("End it", end)


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
        frame.text(rule.state, tag="span", classes=f"fd-badge {_BADGES.get(rule.state, 'fd-warn')}")
        frame.text(rule.name, tag="span", classes="al-name").props["title"] = rule.query
        frame.text(rule.severity, tag="span", classes="fd-quiet")
        if rule.broken:
            frame.text(f"cannot be evaluated: {rule.broken}", tag="span", classes="fd-bad")
        with ui.element("span").classes("al-rule-links"):
            if rule.runbook:
                frame.anchor("runbook", _runbook_path(rule.runbook))
                frame.anchor("drill", f"/drills/{rule.runbook.slice}/{rule.name}")
