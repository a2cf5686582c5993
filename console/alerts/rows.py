"""Prometheus's alerts and Alertmanager's word on them, joined to rows."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from console.sources import FiringRule, HeldAlert
from firedrill.ask.text import seconds_of
from firedrill.errors import UsageError

FIRING, PENDING, SILENCED, INHIBITED, QUIET = "firing", "pending", "silenced", "inhibited", "quiet"
WATCHDOG = "Watchdog"  # always fires: its silence is the alarm
_STATES = (FIRING, PENDING, SILENCED, INHIBITED)
_SEVERITIES = ("critical", "warning", "info", "none")
_RUNBOOK = re.compile(r"/runbooks/([A-Za-z0-9_-]{1,80})/([A-Za-z0-9_-]{1,80})/?$")
_BOARD = re.compile(r"/d/([A-Za-z0-9_-]{1,80})")


@dataclass(frozen=True)
class Place:
    """A slice and an alert: where a runbook and a drill are found."""

    slice: str
    alert: str


@dataclass(frozen=True)
class Alert:
    """One active alert; `since` in unix seconds, `value` as Prometheus says it; `board` is a uid."""

    name: str
    severity: str
    state: str
    since: float
    labels: Mapping[str, str]
    summary: str
    description: str
    value: str
    runbook: Place | None
    board: str
    silenced_by: tuple[str, ...] = ()

    @property
    def key(self) -> str:
        """Tells it from all others."""
        return "\n".join(f"{name}={value}" for name, value in sorted(self.labels.items()))

    @property
    def shown_labels(self) -> list[tuple[str, str]]:
        """Those that the row does not show elsewhere."""
        return [(name, value) for name, value in self.labels.items() if name not in {"alertname", "severity"}]


@dataclass(frozen=True)
class Rule:
    """An alert's rule that is loaded; `wait` is its `for` in seconds, `broken` Prometheus's word if it is."""

    name: str
    severity: str
    system: str
    state: str
    wait: float
    query: str
    runbook: Place | None
    broken: str


def active(found: Iterable[FiringRule], held: Iterable[HeldAlert]) -> list[Alert]:
    """What is pending or firing in Prometheus, the worst first, with what Alertmanager does about it.

    `held` may be empty: without Alertmanager nobody knows what is silenced.
    """
    known = {_key(one.labels): one for one in held}
    alerts = [
        _alert(one, known.get(_key(one.labels))) for one in found if one.labels.get("alertname") != WATCHDOG
    ]
    return sorted(alerts, key=_place)


def rules(loaded: Iterable[Mapping[str, Any]]) -> list[Rule]:
    """Every alerting rule but the Watchdog, by system and name, of rules as Prometheus shows them."""
    found = [
        _rule(rule) for rule in loaded if rule.get("type") == "alerting" and rule.get("name") != WATCHDOG
    ]
    return sorted(found, key=lambda rule: (rule.system, rule.name))


def runbook_place(url: str) -> Place | None:
    """The runbook that an annotation links to."""
    found = _RUNBOOK.search(urlsplit(url).path) if url else None
    return Place(found[1], found[2]) if found else None


def board_uid(url: str) -> str:
    """The dashboard that an annotation links to."""
    found = _BOARD.search(urlsplit(url).path) if url else None
    return found[1] if found else ""


def counts(alerts: Iterable[Alert]) -> Mapping[str, int]:
    """How many in each state."""
    found = dict.fromkeys(_STATES, 0)
    for alert in alerts:
        found[alert.state] += 1
    return found


def _alert(one: FiringRule, held: HeldAlert | None) -> Alert:
    labels, notes, state = one.labels, one.annotations, one.state
    if held is not None and state == FIRING:
        state = SILENCED if held.silenced_by else INHIBITED if held.inhibited_by else FIRING
    return Alert(
        name=labels.get("alertname", "?"),
        severity=labels.get("severity", ""),
        state=state,
        since=one.since,
        labels=labels,
        summary=notes.get("summary", ""),
        description=notes.get("description", ""),
        value=one.value,
        runbook=runbook_place(notes.get("runbook_url", "")),
        board=board_uid(notes.get("dashboard_url", "")),
        silenced_by=held.silenced_by if held is not None else (),
    )


def _rule(one: Mapping[str, Any]) -> Rule:
    labels, notes = one.get("labels") or {}, one.get("annotations") or {}
    state = str(one.get("state", ""))
    return Rule(
        name=str(one["name"]),
        severity=str(labels.get("severity", "")),
        system=str(labels.get("system", "")),
        state=QUIET if state in {"inactive", "unknown", ""} else state,
        wait=_wait(one.get("duration", 0)),
        query=str(one.get("query", "")),
        runbook=runbook_place(str(notes.get("runbook_url", ""))),
        broken=str(one.get("lastError") or ""),
    )


def _wait(value: Any) -> float:
    try:
        return float(value)
    except (TypeError, ValueError):
        try:
            return seconds_of(str(value))
        except UsageError:
            return 0.0


def _key(labels: Mapping[str, str]) -> frozenset[tuple[str, str]]:
    return frozenset(labels.items())


def _place(alert: Alert) -> tuple[int, int, float]:
    severities: Sequence[str] = _SEVERITIES
    severity = severities.index(alert.severity) if alert.severity in severities else len(severities)
    return _STATES.index(alert.state), severity, -alert.since
