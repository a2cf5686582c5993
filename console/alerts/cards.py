"""Elements of active alerts and silences: the card with its form, and the row of a silence."""

from collections.abc import Mapping

from nicegui import ui
from nicegui.element import Element

from console import fields, frame
from console.alerts.rows import FIRING, INHIBITED, PENDING, QUIET, SILENCED, Alert, Place
from console.alerts.silences import USUAL, wanted
from console.frame import Viewer
from console.sources import Silence

LENGTHS = {"5m": "5 minutes", "15m": "15 minutes", "1h": "1 hour", "4h": "4 hours", "1d": "1 day"}
BADGES = {FIRING: "fd-bad", PENDING: "fd-warn", SILENCED: "", INHIBITED: "", QUIET: "fd-good"}


def calm() -> Element:
    """In place of alerts: that there is none, and how to see one."""
    with ui.element("div").classes("fd-box al-calm") as box:
        frame.text("Nothing fires and nothing is pending.", tag="strong", classes="fd-good")
        frame.text("To see one fire: run a drill.", tag="span", classes="fd-quiet")
        frame.anchor("Drills", "/drills")
    return box


def alert_card(viewer: Viewer, alert: Alert) -> Element:
    """State, since when, labels, links, and with the token the form that silences it."""
    looks = f"fd-box al-card al-{alert.state} al-{alert.severity or 'none'}"
    with ui.element("article").classes(looks) as card:
        with ui.element("div").classes("fd-row"):
            frame.text(alert.state, tag="span", classes=f"fd-badge {BADGES[alert.state]}")
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
    return card


def _alert_links(alert: Alert) -> None:
    if alert.runbook:
        frame.anchor("Runbook", runbook_path(alert.runbook))
    if alert.board:
        frame.anchor("Board", f"/boards/{alert.board}")
    service = alert.labels.get("service", "")
    if service:
        frame.anchor("Logs", f"/logs?service={service}&level=WARNING")
        frame.anchor("Traces with errors", f"/traces?service={service}&errors=1")
    frame.anchor("Notices", f"/inbox?alert={alert.name}")


def runbook_path(place: Place) -> str:
    """Its page."""
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


def silence_row(viewer: Viewer, silence: Silence) -> None:
    """What it silences, until when and why, and with the token its end."""

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
