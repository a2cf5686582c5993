"""Alerts that were told as firing and never as ended: Alertmanager sends no page when they fire again.

Alertmanager keeps on disk whom it told of what, and its alerts in memory only. The end of an alert is told at
the next look at its group, at most a group_interval later. An alert that ends while Alertmanager and
Prometheus are down ends without a word, and brings no new page until a repeat_interval is over.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal

MARGIN_SECONDS = 5.0  # for a message's way
_LONG_AGO_SECONDS = 3600.0

Verdict = Literal["clear", "wait", "tell"]


@dataclass(frozen=True)
class Told:
    """A message of an alert; `status` is firing, resolved or unknown."""

    alertname: str
    labels: Mapping[str, str]
    status: str
    received_at: float  # unix seconds

    @property
    def group(self) -> tuple[str, str, str]:
        """What Alertmanager groups by."""
        return (self.alertname, self.labels.get("system", ""), self.labels.get("service", ""))


def untold(messages: Iterable[Told]) -> tuple[Told, ...]:
    """The last message of each group, wherever it went, if it says that the alert fires."""
    said = [one for one in messages if one.status in {"firing", "resolved"}]
    last = {one.group: one for one in sorted(said, key=lambda each: each.received_at)}
    return tuple(one for one in last.values() if one.status == "firing")


@dataclass(frozen=True)
class Telling:
    """How long the end of an alert that no longer fires has been missing; times in unix seconds."""

    since: float | None = None
    asked: float | None = None
    """When Alertmanager was told of the end."""

    def after(self, *, missing: bool, now: float, group_interval: float) -> "tuple[Telling, Verdict]":
        """What to do now: nothing (clear), wait, or tell Alertmanager that the alert has ended.

        It is told once, after a group_interval (seconds); should it still say nothing, nothing will come.
        """
        if not missing:
            return Telling(), "clear"
        if self.asked is not None:
            return self, "wait" if now - self.asked <= 2 * MARGIN_SECONDS else "clear"
        since = now if self.since is None else self.since
        if now - since <= group_interval + MARGIN_SECONDS:
            return Telling(since), "wait"
        return Telling(since, now), "tell"


def ended(found: Iterable[Told], now: float) -> list[dict[str, object]]:
    """What to send to /api/v2/alerts so that Alertmanager tells the end of what it told as firing."""
    starts, ends = (
        datetime.fromtimestamp(moment, UTC).isoformat() for moment in (now - _LONG_AGO_SECONDS, now - 1)
    )
    said = {
        "summary": "over since a restart",
        "description": "Prometheus does not know this alert any more, and its end was never told.",
    }
    return [
        {
            "labels": {
                **{name: value for name, value in one.labels.items() if value},
                "alertname": one.alertname,
            },
            "annotations": said,
            "startsAt": starts,
            "endsAt": ends,
        }
        for one in found
    ]
