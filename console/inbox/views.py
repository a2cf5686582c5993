"""What a person sees of a notification where it really arrives: Slack, a pager, a mailbox, Sentry."""

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from console.sources import Notice

MOST_FRAMES = 12
MOST_ATTACHMENTS = 10
_LINK = re.compile(r"<(https?://[^|>\s]+)(?:\|([^>]*))?>|\*([^*\n]+)\*|`([^`\n]+)`|_([^_\n]+)_(?!\w)")
_NAMED = {"good": "#2eb67d", "warning": "#ecb22e", "danger": "#e01e5a"}
_HEX = re.compile(r"#[0-9a-fA-F]{6}")
_MAIL_LINK = re.compile(r"https?://[^\s<>\"']+")

Kind = Literal["text", "code", "strong", "em", "link"]


@dataclass(frozen=True)
class Piece:
    """A run of text in one style; `url` of a link is of http or https."""

    kind: Kind
    text: str
    url: str = ""


@dataclass(frozen=True)
class Attachment:
    """A Slack attachment: a bar of `colour`, title, lines of text, fields and footer."""

    colour: str
    title: str
    title_url: str
    lines: tuple[tuple[Piece, ...], ...]
    fields: tuple[tuple[str, str, bool], ...]
    footer: str
    actions: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Slack:
    """A message in a channel."""

    author: str
    channel: str
    lines: tuple[tuple[Piece, ...], ...]
    attachments: tuple[Attachment, ...]


@dataclass(frozen=True)
class Page:
    """What a pager shows: urgency and one line, then the details."""

    action: str
    severity: str
    summary: str
    source: str
    incident_key: str
    details: tuple[tuple[str, str], ...]
    links: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Mail:
    """A mail in its reader; the text part alone, for HTML of others is not shown."""

    sender: str
    to: str
    subject: str
    date: str
    lines: tuple[tuple[Piece, ...], ...]


@dataclass(frozen=True)
class Hook:
    """A webhook: its alerts, each with status, labels and summary."""

    alerts: tuple[tuple[str, str, str, tuple[tuple[str, str], ...]], ...]
    body: str


@dataclass(frozen=True)
class Event:
    """An event in Sentry: level, exception, where it was raised (the deepest frame first) and its tags."""

    level: str
    kind: str
    value: str
    place: str
    frames: tuple[tuple[str, str, bool], ...]
    tags: tuple[tuple[str, str], ...]
    trace_id: str


View = Slack | Page | Mail | Hook | Event


def view_of(message: Notice, raw: Any) -> View:
    """The message as its receiver would show it; `raw` is what was sent, None if not known."""
    shows: Mapping[str, Callable[[Notice, Mapping[str, Any]], View]] = {
        "slack": _slack,
        "pagerduty": _page,
        "email": _mail,
        "sentry": _event,
    }
    return shows.get(message.kind, _hook)(message, _object(raw))


def pieces(text: str) -> tuple[Piece, ...]:
    """One line of Slack's mrkdwn."""
    return tuple(_pieces(text))


def _pieces(text: str) -> Iterator[Piece]:
    at = 0
    for found in _LINK.finditer(text):
        if found.start() > at:
            yield Piece("text", _plain(text[at : found.start()]))
        if found[1]:
            yield Piece("link", _plain(found[2] or found[1]), found[1])
        else:
            kind: Kind = "strong" if found[3] else "code" if found[4] else "em"
            yield Piece(kind, _plain(found[3] or found[4] or found[5]))
        at = found.end()
    if at < len(text):
        yield Piece("text", _plain(text[at:]))


def _plain(text: str) -> str:
    return text.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")


def _lines(text: str) -> tuple[tuple[Piece, ...], ...]:
    return tuple(pieces(line) for line in text.strip().splitlines())


def _slack(message: Notice, raw: Mapping[str, Any]) -> Slack:
    attachments = tuple(_attachment(one) for one in _objects(raw.get("attachments"))[:MOST_ATTACHMENTS])
    text = _text(raw.get("text")) if raw else message.text
    return Slack(
        author=_text(raw.get("username")) or "Alertmanager",
        channel=message.channel.removeprefix("#"),
        lines=_lines(text),
        attachments=attachments,
    )


def _attachment(one: Mapping[str, Any]) -> Attachment:
    colour = _text(one.get("color"))
    fields = tuple(
        (_text(each.get("title")), _plain(_text(each.get("value"))), bool(each.get("short")))
        for each in _objects(one.get("fields"))
        if _text(each.get("value"))
    )
    return Attachment(
        colour=_NAMED.get(colour, colour if _HEX.fullmatch(colour) else "#888888"),
        title=_plain(_text(one.get("title"))),
        title_url=_safe(_text(one.get("title_link"))),
        lines=_lines(_text(one.get("text")) or _text(one.get("fallback"))),
        fields=fields,
        footer=_text(one.get("footer")),
        actions=tuple(
            (_text(each.get("text")), url)
            for each in _objects(one.get("actions"))
            if (url := _safe(_text(each.get("url"))))
        ),
    )


def _page(message: Notice, raw: Mapping[str, Any]) -> Page:
    payload = _object(raw.get("payload"))
    details = _object(payload.get("custom_details"))
    shown = [(name, _text(value)) for name, value in details.items() if name not in {"labels", "receiver"}]
    return Page(
        action=_text(raw.get("event_action")) or ("resolve" if message.status == "resolved" else "trigger"),
        severity=message.severity,
        summary=message.title,
        source=_text(payload.get("source")),
        incident_key=_text(raw.get("dedup_key")),
        details=(*((name, value) for name, value in shown if value), *message.labels.items()),
        links=message.links,
    )


def _mail(message: Notice, raw: Mapping[str, Any]) -> Mail:
    headers = _object(raw.get("headers"))
    return Mail(
        sender=_text(headers.get("From")) or _text(raw.get("sender")),
        to=_text(headers.get("To")) or message.channel,
        subject=_text(headers.get("Subject")) or message.title,
        date=_text(headers.get("Date")),
        lines=tuple(tuple(_linked(line)) for line in message.text.strip().splitlines()),
    )


def _linked(line: str) -> Iterator[Piece]:
    at = 0
    for found in _MAIL_LINK.finditer(line):
        if found.start() > at:
            yield Piece("text", line[at : found.start()])
        yield Piece("link", found[0], found[0])
        at = found.end()
    if at < len(line):
        yield Piece("text", line[at:])


def _hook(message: Notice, raw: Mapping[str, Any]) -> Hook:
    alerts = tuple(
        (
            _text(one.get("alertname")),
            _text(one.get("status")),
            _text(_object(one.get("annotations")).get("summary")),
            tuple((str(name), str(value)) for name, value in _object(one.get("labels")).items()),
        )
        for one in message.alerts
    )
    body = json.dumps(raw, indent=2, ensure_ascii=False) if raw else message.text
    return Hook(alerts, body[:20_000])


def _event(message: Notice, raw: Mapping[str, Any]) -> Event:
    values = _entries(raw.get("exception"))
    raised = values[-1] if values else {}
    frames = _objects(_object(raised.get("stacktrace")).get("frames"))
    kind, _, value = message.title.partition(": ")
    return Event(
        level=message.severity or "error",
        kind=_text(raised.get("type")) or kind,
        value=_text(raised.get("value")) or value,
        place=_text(raw.get("transaction")),
        frames=tuple(
            (_frame(one), _text(one.get("context_line")).strip(), bool(one.get("in_app")))
            for one in reversed(frames[-MOST_FRAMES:])
        ),
        tags=tuple(message.labels.items()),
        trace_id=message.labels.get("trace_id", ""),
    )


def _frame(one: Mapping[str, Any]) -> str:
    place = _text(one.get("filename")) or _text(one.get("module"))
    return f"{place}:{_text(one.get('lineno'))} in {_text(one.get('function'))}"


def _entries(value: Any) -> Sequence[Mapping[str, Any]]:
    return _objects(value.get("values") if isinstance(value, dict) else value)


def _objects(value: Any) -> Sequence[Mapping[str, Any]]:
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []


def _object(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _text(value: Any) -> str:
    if isinstance(value, str):
        return value
    return "" if value is None or isinstance(value, dict | list) else json.dumps(value)


def _safe(url: str) -> str:
    return url if url.startswith(("http://", "https://")) else ""
