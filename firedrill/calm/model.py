"""What a watch for false alarms finds."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime

LEAST_HEARTBEATS = 0.95  # of the evaluations of the time: fewer, and the rules were not asked all the time


@dataclass(frozen=True)
class Rule:
    """An alert that Prometheus runs; times in seconds, `system` of its labels."""

    name: str
    system: str
    expression: str
    for_seconds: float
    evaluation_seconds: float


@dataclass(frozen=True)
class Closest:
    """The moment at which a rule's condition was nearest to holding: `share` is 1 when it held.

    The comparison is the one that was furthest from it then; `at` in unix seconds.
    """

    share: float
    at: float
    left: str
    operator: str
    value: float
    threshold: float


@dataclass(frozen=True)
class Course:
    """How an alert fared: whether it fired, and the most seconds that its condition held in one go.

    `closest` is None where its condition cannot be taken apart, or gave nothing all the time.
    """

    rule: Rule
    fired: bool
    held_seconds: float
    closest: Closest | None = None


@dataclass(frozen=True)
class Sent:
    """A message about a firing alert that reached somebody."""

    alertname: str
    receiver: str
    kind: str


@dataclass(frozen=True)
class Findings:
    """All of a watch from unix second `began` on; `heartbeats` is the share of evaluations that were made.

    `faults` are those that were set meanwhile, as service/fault, and `before` the alerts that were pending or
    firing when it began.
    """

    began: float
    seconds: float
    pace: str
    courses: tuple[Course, ...]
    messages: tuple[Sent, ...] = ()
    faults: tuple[str, ...] = ()
    before: tuple[str, ...] = ()
    heartbeats: float = 1.0
    requests: float = 0.0

    @property
    def fired(self) -> tuple[Course, ...]:
        """The false alarms."""
        return tuple(one for one in self.courses if one.fired)

    def not_counted(self) -> str:
        """Why this says nothing about false alarms; nothing when it does."""
        if self.faults:
            return f"something was broken meanwhile: {', '.join(self.faults)}"
        if self.before:
            return f"it was not calm when the time began: {', '.join(self.before)}"
        if self.heartbeats < LEAST_HEARTBEATS:
            return f"the rules were asked only {self.heartbeats:.0%} of the time, as Watchdog shows"
        if self.requests <= 0:
            return "the services answered no request"
        return ""

    @property
    def calm(self) -> bool:
        """Whether nothing fired and nobody was told, in a time that counts."""
        return not self.fired and not self.messages and not self.not_counted()

    def verdict(self) -> str:
        """The whole in a sentence."""
        time = f"{self.seconds / 60:.1f} minutes at {self.pace} pace, {self.requests:.1f} requests a second"
        if why := self.not_counted():
            return f"does not count: {why} ({time})"
        if self.fired:
            return f"false alarms in {time}: {', '.join(sorted({one.rule.name for one in self.fired}))}"
        if self.messages:
            names = sorted({one.alertname for one in self.messages})
            return f"messages without an alert in {time}: {', '.join(names)}"
        return f"calm: none of {len(self.courses)} alerts fired in {time}"

    def as_dict(self) -> Mapping[str, object]:
        """For JSON."""
        return {"calm": self.calm, "verdict": self.verdict(), **asdict(self)}

    def when(self) -> str:
        """The beginning, for a reader."""
        return f"{datetime.fromtimestamp(self.began, UTC):%Y-%m-%d %H:%M:%S} UTC"
