"""The inbox's pages: plain HTML that works without a script, loads nothing from outside and escapes all."""

import json
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template

from services.inbox.domain import Kind, Link, Status, Stored
from services.inbox.heartbeat import Pulse
from services.inbox.incidents import Incident, incidents, place_of
from services.inbox.runbooks import Block

SHOWN_INCIDENTS = 50
SHOWN_EVENTS = 50
EVENTS_BESIDE = 5
EXPRESSION = "expression"  # Prometheus's own page, which not every Prometheus has


@dataclass(frozen=True)
class Filter:
    """What a person asked to see; None means all."""

    status: Status | None = None
    kind: Kind | None = None


@dataclass(frozen=True)
class Page:
    """HTML with the headers that keep a browser from loading or running anything but it."""

    html: str
    headers: Mapping[str, str]


def inbox_page(
    alerts: Sequence[Stored],
    events: Sequence[Stored],
    *,
    total: int,
    pulse: Pulse,
    now: float,
    asked: Filter,
) -> Page:
    """The page of the newest alerting messages and events, of `total` kept; `now` in unix seconds."""
    wanted = [one for one in alerts if asked.kind in {None, one.message.kind}]
    found = incidents(wanted)
    firing = [one for one in found if one.status is Status.FIRING]
    resolved = [one for one in found if one.status is Status.RESOLVED]
    others = [one for one in found if one.status is Status.UNKNOWN]
    only_events = asked.kind is Kind.SENTRY
    sections = {
        "Firing": firing if asked.status in {None, Status.FIRING} else [],
        "Resolved": resolved if asked.status in {None, Status.RESOLVED} else [],
        "Other messages": others if asked.status in {None, Status.UNKNOWN} else [],
    }
    beside = SHOWN_EVENTS if only_events else EVENTS_BESIDE if asked == Filter() else 0
    shown_events = [Incident([one]) for one in events[:beside]]
    newest = max((one.id for one in (*alerts, *events)), default=0)
    return _page(
        "inbox.html",
        sections={name: one[:SHOWN_INCIDENTS] for name, one in sections.items() if one},
        events=shown_events,
        firing=firing,
        total=total,
        more_events=len(events) - len(shown_events),
        newest=newest,
        status=asked.status.value if asked.status else "",
        kind=asked.kind.value if asked.kind else "",
        pulse=pulse,
        alive=pulse.alive(now),
        ago=_length(now - pulse.last) if pulse.last is not None else "",
    )


def message_page(stored: Stored) -> Page:
    """The page of one message."""
    raw = json.dumps(stored.message.raw, indent=2, ensure_ascii=False)
    return _page(
        "message.html", one=Incident([stored]), stored=stored, place=place_of(stored.message), raw=raw
    )


def runbook_page(owner: str, alert: str, blocks: Sequence[Block]) -> Page:
    """The page of one runbook."""
    return _page("runbook.html", owner=owner, alert=alert, blocks=blocks)


def missing_page(what: str) -> Page:
    """The page for something that does not exist."""
    return _page("missing.html", what=what)


def _when(seconds: float) -> str:
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d %H:%M:%S} UTC"


def _clock(seconds: float) -> str:
    return f"{datetime.fromtimestamp(seconds, UTC):%H:%M:%S} UTC"


def _iso(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat()


def _length(seconds: float) -> str:
    """A duration as a person says it: `8 s`, `3 min 20 s`, `2 h 5 min`."""
    whole = max(round(seconds), 0)
    minutes, rest = divmod(whole, 60)
    hours, minutes_left = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes_left} min"
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"


def _shown_links(links: Sequence[Link]) -> list[Link]:
    """Runbook and dashboard first, each label once, and not Prometheus's page."""
    order = ("runbook", "dashboard")
    named = {
        link.label.lower(): link
        for link in reversed(links)
        if link.label.lower() not in {EXPRESSION, "title"}
    }
    return [named[name] for name in order if name in named] + [
        link for name, link in named.items() if name not in order
    ]


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "when": _when, "clock": _clock, "iso": _iso, "lasting": _length,
        "links": _shown_links, "place": place_of,
    }  # fmt: skip
    return environment


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
