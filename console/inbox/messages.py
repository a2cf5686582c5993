"""Which notifications a page shows, and the heartbeat."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from console.sources import Notice

KINDS = {
    "slack": "Slack",
    "pagerduty": "PagerDuty",
    "email": "E-mail",
    "webhook": "Webhook",
    "sentry": "Sentry",
}
STATES = ("firing", "resolved")
NEWEST = 100


@dataclass(frozen=True)
class Wanted:
    """Which messages a page shows; empty means all."""

    kind: str = ""
    status: str = ""
    alert: str = ""

    @classmethod
    def of(cls, query: Mapping[str, str]) -> "Wanted":
        """From the address of a page; what is not understood there is left out."""
        kind, status = query.get("kind", ""), query.get("status", "")
        return cls(
            kind if kind in KINDS else "", status if status in STATES else "", query.get("alert", "")[:200]
        )

    def query(self, **changes: str) -> dict[str, str]:
        """For an address, with `changes`."""
        found = {"kind": self.kind, "status": self.status, "alert": self.alert, **changes}
        return {name: value for name, value in found.items() if value}


@dataclass(frozen=True)
class Pulse:
    """The heartbeat as the inbox has it; times in seconds, `silent` None before the first one."""

    alive: bool
    silent: float | None
    limit: float

    def words(self) -> str:
        """What it means."""
        if self.alive:
            return "Heartbeat: Prometheus and Alertmanager are watching."
        if self.silent is None:
            return "No heartbeat yet: until Alertmanager's Watchdog comes, no news is not good news."
        why = "Prometheus or Alertmanager does not work, so no alert comes."
        return f"NO HEARTBEAT for {self.silent:.0f} s: {why}"


def pulse_of(told: Mapping[str, Any]) -> Pulse:
    """The answer of the inbox's heartbeat route."""
    silent = told.get("silent_seconds")
    return Pulse(
        bool(told.get("alive")),
        None if silent is None else float(silent),
        float(told.get("limit_seconds") or 0),
    )


def place_of(notice: Notice) -> str:
    """Where it was delivered."""
    if notice.kind == "slack":
        return f"#{notice.channel.removeprefix('#')}"
    return f"to {notice.channel}" if notice.kind == "email" else notice.receiver
