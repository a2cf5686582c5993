"""What a drill needs of the running stack, so that tests can stand in for it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from firedrill.untold import Told

from .model import AnyFault, Drill


@dataclass(frozen=True)
class ActiveAlert:
    """An alert as Prometheus holds it: `state` is pending or firing, `active_at` unix seconds."""

    name: str
    labels: Mapping[str, str]
    state: str
    active_at: float


@dataclass(frozen=True)
class LoadedRule:
    """The rule that Prometheus runs: times in seconds, and the groups of its file as a rule file's text."""

    expression: str
    for_seconds: float
    evaluation_seconds: float
    rule_file: str


@dataclass(frozen=True)
class Timings:
    """What else shapes the time from fault to notice, in seconds, as the running components have it."""

    scrape: float
    group_wait: float
    group_interval: float


@dataclass(frozen=True)
class Message:
    """A notification in the inbox; `received_at` in unix seconds, `channel` without #."""

    kind: str
    receiver: str
    channel: str
    received_at: float
    status: str
    alertname: str
    labels: Mapping[str, str]
    title: str


class Metrics(Protocol):
    """Prometheus."""

    def active(self) -> Sequence[ActiveAlert]:
        """Every pending and firing alert."""

    def value(self, promql: str) -> float | None:
        """The sum of an instant query's samples, None when there is none."""

    def rule(self, drill: Drill) -> LoadedRule:
        """The loaded rule of the drill's alert. Raises CheckFailed when there is none."""

    def scrape_seconds(self) -> float:
        """Seconds between two scrapes."""

    def course(self, selector: str, *, end: float, step: float, count: int) -> Sequence[float | None]:
        """By how much a counter's series have grown at up to `count` moments; see recorded.grown."""

    def evaluated_at(self, drill: Drill) -> float:
        """Unix seconds of the last evaluation of the drill's rule."""

    def resend_seconds(self) -> float:
        """For how long Prometheus does not repeat an alert to Alertmanager."""

    def fired_besides(self, alert: ActiveAlert, *, seconds: float) -> int:
        """How many others of the same name, system and service fired within the last `seconds`."""


class Notifier(Protocol):
    """Alertmanager."""

    def group_times(self, labels: Mapping[str, str]) -> tuple[float, float]:
        """group_wait and group_interval, in seconds, of the route that an alert with `labels` takes."""

    def held(self, labels: Mapping[str, str]) -> str:
        """What it knows of alerts with `labels`, to be read after its name."""

    def end(self, found: Sequence[Told], *, now: float) -> None:
        """Tell it that these have ended, at `now` (unix seconds), so that it tells so."""


class Inbox(Protocol):
    """Where notifications arrive."""

    def messages(self, *, since: float, alertname: str = "") -> Sequence[Message]:
        """What came after `since` (unix seconds), the last thousand, of one alert or of all."""


@dataclass(frozen=True)
class Pulse:
    """The heartbeat as the inbox has it: times in unix seconds, `limit` in seconds."""

    alive: bool
    last_at: float | None
    limit: float


class Heartbeat(Protocol):
    """What hears the Watchdog."""

    def pulse(self) -> Pulse:
        """How it is now."""


class Evidence(Protocol):
    """The backends that a runbook's queries go to."""

    def found(self, kind: str, query: str, *, since: float, until: float) -> int | None:
        """How many series, lines or traces a query gives; None where its backend does not run.

        `query` is at production pace, or with a datasource (prometheus, loki, tempo) as `kind` asked as it
        stands; lines and traces are those between two unix seconds.
        """


class FaultSwitch(Protocol):
    """The fault routes of the services, and the processes."""

    def set(self, fault: AnyFault, *, ttl_seconds: int) -> None:
        """Set the fault; it ends by itself after `ttl_seconds`."""

    def clear(self, fault: AnyFault) -> None:
        """Heal. No error when it is not set."""


class RunningTraffic(Protocol):
    """Traffic that has been started."""

    def ended(self) -> str | None:
        """Why it has ended by itself, None while it runs."""

    def stop(self) -> Mapping[str, object]:
        """End it and return its summary; a second call returns the same."""


class Traffic(Protocol):
    """Starts traffic."""

    def start(self, target: str, *, rate: float, seconds: float) -> RunningTraffic:
        """`rate` requests a second for at most `seconds`."""


class Clock(Protocol):
    """Time, so that tests need none."""

    def now(self) -> float:
        """Unix seconds."""

    def pause(self, seconds: float) -> None:
        """Let time pass."""


@dataclass(frozen=True)
class Surroundings:
    """All of the above."""

    metrics: Metrics
    notifier: Notifier
    inbox: Inbox
    faults: FaultSwitch
    traffic: Traffic
    clock: Clock
    heartbeat: Heartbeat
    evidence: Evidence
