"""Whether a load run fired the alerts that its shape announced, and no others."""

from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Protocol

from firedrill.clients import Prometheus
from firedrill.load.messages import Plan
from firedrill.wait import TimedOut, poll_until

LEAST_GRACE_SECONDS = 10.0  # an evaluation and a scrape at demo pace, and a busy machine


class Alerts(Protocol):
    """What is asked about alerts; Watchdog, which fires always, is left out."""

    def firing(self) -> frozenset[str]:
        """The names that fire now."""

    def fired(self, *, seconds: float) -> frozenset[str]:
        """The names that fired at any moment of the last `seconds`."""

    def pending(self) -> frozenset[str]:
        """The names that may fire soon."""

    def waits(self) -> float:
        """The longest time, in seconds, that a rule waits before it fires."""


class PrometheusAlerts:
    """The Alerts of a running stack."""

    def __init__(self, prometheus: Prometheus) -> None:
        self._prometheus = prometheus

    def firing(self) -> frozenset[str]:
        """See Alerts."""
        return self._names('ALERTS{alertstate="firing",severity!="none"}')

    def fired(self, *, seconds: float) -> frozenset[str]:
        """See Alerts."""
        window = max(1, round(seconds))
        return self._names(f'count_over_time(ALERTS{{alertstate="firing",severity!="none"}}[{window}s])')

    def pending(self) -> frozenset[str]:
        """See Alerts."""
        return self._names('ALERTS{alertstate="pending"}')

    def waits(self) -> float:
        """See Alerts."""
        groups = self._prometheus.get("/api/v1/rules")["data"]["groups"]
        times = [float(rule.get("duration", 0)) for group in groups for rule in group["rules"]]
        return max(times, default=0.0)

    def _names(self, query: str) -> frozenset[str]:
        found = self._prometheus.query(f"count by (alertname) ({query})").series
        return frozenset(one.labels["alertname"] for one in found)


@dataclass(frozen=True)
class Verdict:
    """What was announced and what came; `judged` when it counts, else `why` not."""

    announced: frozenset[str] = frozenset()
    fired: frozenset[str] = frozenset()
    missing: frozenset[str] = frozenset()
    unannounced: frozenset[str] = frozenset()
    judged: bool = False
    why: str = ""

    @property
    def good(self) -> bool:
        """Whether nothing is held against the run."""
        return not self.judged or not (self.missing or self.unannounced)

    def lines(self) -> list[str]:
        """The verdict in words."""
        told = [f"alerts that fired: {listed(self.fired)}"]
        if self.missing:
            told.append(f"announced and did not fire: {listed(self.missing)}")
            told.append("if this machine served all of it, give it a higher RATE")
        if self.unannounced:
            told.append(f"fired without being announced: {listed(self.unannounced)}")
        if not self.judged:
            told.append(f"they are not judged: {self.why}")
        elif self.good:
            told.append("that is what was announced")
        return told


def announcement(plan: Plan) -> str:
    """What is said before the run."""
    text = f"alerts that this will fire: {listed(plan.triggers)}"
    return text + (f"; depending on the machine also: {listed(plan.may_trigger)}" if plan.may_trigger else "")


def verdict(
    plan: Plan, alerts: Alerts, *, before: Collection[str], pace: str, elapsed: Callable[[], float]
) -> Verdict:
    """Wait until what was announced has fired and nothing else is pending, and compare.

    `before` fired when the run began and is not held against it; `elapsed` are the seconds since then.
    """
    allowed = {*plan.triggers, *plan.may_trigger, *before}
    why = _not_judged(plan, pace)

    def settled() -> bool:
        missing = set(plan.triggers) - alerts.fired(seconds=elapsed())
        return not missing and not alerts.pending() - allowed

    try:
        if not why:
            poll_until(settled, "alerts as announced", alerts.waits() + LEAST_GRACE_SECONDS, interval=1.0)
    except TimedOut:
        pass  # what is missing then is told
    fired = alerts.fired(seconds=elapsed())
    return Verdict(
        announced=frozenset(plan.triggers),
        fired=fired,
        missing=frozenset(plan.triggers) - fired,
        unannounced=fired - allowed,
        judged=not why,
        why=why,
    )


def listed(names: Collection[str]) -> str:
    """The names in order, or none."""
    return ", ".join(sorted(names)) or "none"


def _not_judged(plan: Plan, pace: str) -> str:
    if pace != "demo":
        return "shapes are made for the demo pace; at production pace rules wait longer than a run takes"
    if not plan.judged:
        return "SECONDS or RATE differ from the shape's own"
    return ""
