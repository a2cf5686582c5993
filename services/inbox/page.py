"""The inbox's pages: plain HTML that works without a script, loads nothing from outside and escapes all."""

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template

from services.inbox.domain import Alert, Kind, Link, Message, Status, Stored
from services.inbox.runbooks import Block

SAME_NOTICE_SECONDS = 5.0  # one notification reaches the inbox by two ways at almost the same time


@dataclass(frozen=True)
class Card:
    """One notification as the page shows it; `id` is that of the message with the most detail."""

    id: int
    when: str
    when_iso: str
    kinds: tuple[str, ...]
    receiver: str
    channel: str
    status: str
    mark: str
    severity: str
    title: str
    text: str
    labels: Mapping[str, str]
    alerts: tuple[Alert, ...]
    links: tuple[Link, ...]


@dataclass(frozen=True)
class Page:
    """HTML with the headers that keep a browser from loading or running anything but it."""

    html: str
    headers: Mapping[str, str]


def inbox_page(
    messages: Sequence[Stored],
    *,
    alerts: Sequence[Stored],
    total: int,
    status: Status | None,
    kind: Kind | None,
) -> Page:
    """The page of `messages`, newest first, of `total` kept; `status` and `kind` are the filters in use.

    What is firing is read from `alerts`, the newest messages of alerting.
    """
    return _page(
        "inbox.html",
        cards=cards(messages),
        firing=still_firing(alerts) if status is None else None,
        total=total,
        shown=len(messages),
        newest=messages[0].id if messages else 0,
        status=status.value if status else "",
        kind=kind.value if kind else "",
    )


def runbook_page(service: str, alert: str, blocks: Sequence[Block]) -> Page:
    """The page of one runbook."""
    return _page("runbook.html", service=service, alert=alert, blocks=blocks)


def missing_page(what: str) -> Page:
    """The page for something that does not exist."""
    return _page("missing.html", what=what)


def cards(messages: Sequence[Stored]) -> list[Card]:
    """The messages, newest first, those of one notification that came by two ways joined to one card."""
    found: list[list[Stored]] = []
    for stored in messages:
        for group in reversed(found[-4:]):
            if _same_notice(group, stored):
                group.append(stored)
                break
        else:
            found.append([stored])
    return [_card(group) for group in found]


def still_firing(messages: Sequence[Stored]) -> list[str]:
    """The alert names whose newest message says firing."""
    newest: dict[str, Status] = {}
    for stored in messages:
        if stored.message.status is not Status.UNKNOWN:
            for name in stored.message.alertnames:
                newest.setdefault(name, stored.message.status)
    return sorted(name for name, status in newest.items() if status is Status.FIRING)


def _same_notice(group: Sequence[Stored], other: Stored) -> bool:
    first = group[0]
    return (
        bool(first.message.alertnames)
        and all(each.message.kind is not other.message.kind for each in group)
        and first.message.alertnames == other.message.alertnames
        and first.message.status is other.message.status
        and abs(first.received_at - other.received_at) <= SAME_NOTICE_SECONDS
    )


def _card(group: Sequence[Stored]) -> Card:
    best = max(group, key=lambda stored: stored.message.kind is Kind.WEBHOOK)
    message: Message = best.message
    when = datetime.fromtimestamp(best.received_at, UTC)
    return Card(
        id=best.id,
        when=f"{when:%Y-%m-%d %H:%M:%S} UTC",
        when_iso=when.isoformat(),
        kinds=tuple(sorted(stored.message.kind.value for stored in group)),
        receiver=message.receiver,
        channel=next((s.message.channel for s in group if s.message.kind is Kind.SLACK), ""),
        status=message.status.value,
        mark=_mark(message),
        severity=next((s.message.severity for s in group if s.message.severity), ""),
        title=", ".join(message.alertnames) or message.title or "message",
        text=message.text,
        labels=message.labels,
        alerts=message.alerts,
        links=message.links,
    )


def _mark(message: Message) -> str:
    """The word that begins a card."""
    if message.kind is Kind.SENTRY:
        return "EVENT"
    return "MESSAGE" if message.status is Status.UNKNOWN else message.status.value.upper()


@cache
def _environment() -> Environment:
    return Environment(
        loader=FileSystemLoader(Path(__file__).parent / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def _page(name: str, **values: object) -> Page:
    nonce = secrets.token_urlsafe(16)
    template: Template = _environment().get_template(name)
    policy = (
        f"default-src 'none'; style-src 'nonce-{nonce}'; script-src 'nonce-{nonce}'; connect-src 'self'; "
        "img-src data:; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
    )
    headers = {
        "Content-Security-Policy": policy,
        "X-Content-Type-Options": "nosniff",
        "Referrer-Policy": "no-referrer",
        "Cache-Control": "no-store",
    }
    return Page(template.render(nonce=nonce, **values), headers)
