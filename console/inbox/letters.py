"""Elements for each way in which a notification is seen: Slack, a pager, a mailbox, a webhook, Sentry."""

from collections.abc import Sequence

from nicegui import ui
from nicegui.element import Element

from console import frame
from console.alerts.rows import board_uid, runbook_place
from console.inbox.views import Event, Hook, Mail, Page, Piece, Slack, View
from console.sources import Notice


def draw(view: View, notice: Notice) -> None:
    """The message as its receiver shows it."""
    if isinstance(view, Slack):
        _slack(view, notice)
    elif isinstance(view, Page):
        _page(view)
    elif isinstance(view, Mail):
        _mail(view)
    elif isinstance(view, Event):
        _event(view)
    else:
        _hook(view)


def _slack(view: Slack, notice: Notice) -> None:
    with ui.element("article").classes("fd-box ib-slack"):
        frame.text(f"# {view.channel}", classes="ib-channel")
        with ui.element("div").classes("ib-post"):
            frame.text(view.author[:1].upper(), classes="ib-avatar").props("aria-hidden=true")
            with ui.element("div").classes("ib-body"):
                with ui.element("div").classes("fd-row"):
                    frame.text(view.author, tag="strong")
                    frame.text("APP", tag="span", classes="ib-app")
                    with ui.element("span").classes("fd-quiet"):
                        frame.when(notice.at)
                _lines(view.lines)
                for one in view.attachments:
                    with ui.element("div").classes("ib-attachment").style(f"border-left-color: {one.colour}"):
                        if one.title:
                            _title(one.title, one.title_url)
                        _lines(one.lines)
                        with ui.element("div").classes("ib-fields"):
                            for name, value, _ in one.fields:
                                with ui.element("div"):
                                    frame.text(name, classes="ib-field-name")
                                    frame.text(value)
                        with ui.element("div").classes("fd-row"):
                            for words, address in one.actions:
                                frame.anchor(words, _own(address), classes="fd-button")
                        if one.footer:
                            frame.text(one.footer, classes="fd-quiet ib-footer")


def _title(words: str, address: str) -> None:
    if address:
        frame.anchor(words, _own(address), classes="ib-attachment-title")
    else:
        frame.text(words, tag="strong", classes="ib-attachment-title")


def _lines(lines: Sequence[Sequence[Piece]]) -> None:
    for line in lines:
        with ui.element("div").classes("ib-line"):
            for piece in line:
                if piece.kind == "link":
                    frame.anchor(piece.text, _own(piece.url))
                else:
                    frame.text(piece.text, tag="span" if piece.kind == "text" else piece.kind)


def _own(address: str) -> str:
    """The console's page for a runbook or a board that a message links to elsewhere."""
    if runbook := runbook_place(address):
        return f"/runbooks/{runbook.slice}/{runbook.alert}"
    if board := board_uid(address):
        return f"/boards/{board}"
    return address


def _page(view: Page) -> None:
    resolved = view.action == "resolve"
    with ui.element("article").classes("ib-pager" + (" ib-resolved" if resolved else "")):
        with ui.element("div").classes("ib-screen"):
            frame.text(
                "RESOLVED" if resolved else f"PAGE · {view.severity.upper()}", classes="ib-screen-head"
            )
            frame.text(view.summary, classes="ib-screen-text")
            if view.source:
                frame.text(view.source, classes="ib-screen-source")
        with ui.element("div").classes("ib-details"):
            _pairs([*view.details, ("incident key", view.incident_key)])
            with ui.element("div").classes("fd-row"):
                for words, address in view.links:
                    frame.anchor(words.capitalize(), _own(address))


def _mail(view: Mail) -> None:
    with ui.element("article").classes("fd-box ib-mail"):
        frame.text(view.subject, classes="ib-subject")
        for name, value in (("From", view.sender), ("To", view.to), ("Date", view.date)):
            if value:
                with ui.element("div"):
                    frame.text(f"{name}: ", tag="span", classes="fd-quiet")
                    frame.text(value, tag="span")
        ui.element("hr")
        _lines(view.lines)


def _hook(view: Hook) -> None:
    with ui.element("article").classes("fd-box ib-hook"):
        for name, status, summary, labels in view.alerts:
            with ui.element("div").classes("ib-hook-alert"):
                with ui.element("div").classes("fd-row"):
                    badge = "fd-bad" if status == "firing" else "fd-good"
                    frame.text(status, tag="span", classes=f"fd-badge {badge}")
                    frame.text(name, tag="strong")
                frame.text(summary)
                _pairs(labels)
        with ui.element("details").classes("fd-more"):
            frame.text("As it came", tag="summary")
            frame.text(view.body, tag="pre")


def _event(view: Event) -> None:
    with ui.element("article").classes("fd-box ib-event"):
        with ui.element("div").classes("fd-row"):
            frame.text(view.level, tag="span", classes="fd-badge fd-bad")
            frame.text(view.kind, tag="strong", classes="ib-exception")
            frame.text(view.place, tag="span", classes="fd-quiet")
        frame.text(view.value, classes="ib-value")
        with ui.element("ol").classes("ib-frames"):
            for words, code, own in view.frames:
                with ui.element("li").classes("ib-own" if own else ""):
                    frame.text(words, tag="code")
                    if code:
                        frame.text(code, tag="pre")
        _pairs(view.tags)


def _pairs(pairs: Sequence[tuple[str, str]]) -> Element:
    with ui.element("dl").classes("fd-pairs") as box:
        for name, value in pairs:
            if value:
                frame.text(name, tag="dt")
                frame.text(value, tag="dd")
    return box
