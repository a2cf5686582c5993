"""One run of an incident as plain values: what happened, and what may happen next. Times are unix seconds.

RunError
├── NotNowError     right in itself, but not in this phase
└── UnknownError    no such question, choice, action
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final, Literal

from console.sandbox.chosen import Plan
from console.sandbox.model import QUESTIONS, Incident
from firedrill.untold import Telling, Told

ATTEMPTS: Final = 2
# At demo pace: for so long all alerts of before may take to go, and then those that page.
PATIENCE_SECONDS: Final = 90.0
SETTLE_SECONDS: Final = 300.0
TTL_MARGIN_SECONDS: Final = 30.0

Phase = Literal["settling", "quiet", "open", "clearing", "answers", "over"]
Outcome = Literal["", "solved", "gave up", "too late", "void"]


class RunError(Exception):
    """The run does not take it; the text says why and what to do."""


class NotNowError(RunError):
    """Not in this phase."""


class UnknownError(RunError):
    """The incident has no such thing."""


@dataclass(frozen=True)
class Alert:
    """An alert that is pending or firing."""

    name: str
    state: str
    labels: Mapping[str, str]


@dataclass(frozen=True)
class Message:
    """A notification in the inbox."""

    alert: str
    status: str
    received_at: float
    kind: str = ""
    channel: str = ""
    title: str = ""
    text: str = ""
    links: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Seen:
    """What one look at the stack gave; None is what could not be seen."""

    now: float
    alerts: Sequence[Alert] | None = ()
    messages: Sequence[Message] | None = ()
    broken: bool | None = None
    untold: Sequence[Told] = ()
    """Alerts that could be taken for the page, told as firing and not as ended; asked for until calm."""


@dataclass(frozen=True)
class Attempt:
    """An answer to a question: the choice, or unix seconds as text; `worth` is its share of the points."""

    at: float
    given: str
    right: bool
    worth: float
    says: str


@dataclass(frozen=True)
class Deed:
    """An action that was taken."""

    at: float
    id: str
    text: str
    heals: bool
    cost: int
    says: str


@dataclass(frozen=True)
class Event:
    """A line of the run's log, which a trainee may read at any time: it gives nothing away."""

    at: float
    text: str


@dataclass(frozen=True)
class Run:
    """An incident that runs, or has run. A time is None until it has come."""

    id: str
    incident: Incident
    plan: Plan
    slowness: float  # 1 at demo pace, 10 at production pace
    started_at: float
    calm_at: float | None = None
    telling: Telling = field(default_factory=Telling)
    faulted_at: float | None = None
    paged_at: float | None = None
    page: Message | None = None
    seen_at: float | None = None
    diagnosed_at: float | None = None
    healed_at: float | None = None
    healed_by: str = ""
    cleared_at: float | None = None
    ended_at: float | None = None
    outcome: Outcome = ""
    why: str = ""
    attempts: Mapping[str, tuple[Attempt, ...]] = field(default_factory=dict)
    hints: int = 0
    deeds: tuple[Deed, ...] = ()
    events: tuple[Event, ...] = ()

    @property
    def phase(self) -> Phase:
        """Where it stands; `quiet` lasts until the page, so that it does not say when the fault went in."""
        if self.ended_at is not None:
            return "over"
        if self.calm_at is None:
            return "settling"
        if self.paged_at is None:
            return "quiet"
        if self.healed_at is None:
            return "open"
        return "clearing" if self.cleared_at is None else "answers"

    @property
    def breaks_at(self) -> float | None:
        """When the fault is due."""
        return None if self.calm_at is None else self.calm_at + self.plan.quiet

    @property
    def wants_fault(self) -> bool:
        """Whether the fault should be in now, once it is due."""
        return self.phase in {"quiet", "open"}

    @property
    def ttl_seconds(self) -> float:
        """For how long a fault lasts at most; then it ends by itself, whatever becomes of the console."""
        limits = self.incident.limits
        return limits.page * self.slowness + limits.solve + TTL_MARGIN_SECONDS

    @property
    def longest_seconds(self) -> float:
        """For how long a run can last at most."""
        limits = self.incident.limits
        waits = (SETTLE_SECONDS + limits.page + limits.clear) * self.slowness
        return waits + self.plan.quiet + limits.solve

    @property
    def solve_until(self) -> float | None:
        """The last moment for the solution, and for answers."""
        return None if self.paged_at is None else self.paged_at + self.incident.limits.solve

    @property
    def tolerance(self) -> float:
        """Seconds by which the answer to `since` may be off."""
        return self.incident.since.tolerance * self.slowness

    def is_open(self, question: str) -> bool:
        """Whether the question still takes an answer."""
        given = self.attempts.get(question, ())
        return len(given) < ATTEMPTS and not any(one.right for one in given)

    @property
    def unanswered(self) -> bool:
        """Whether any question still takes an answer."""
        return any(self.is_open(name) for name in QUESTIONS)


def begin(run_id: str, incident: Incident, plan: Plan, *, now: float, slowness: float) -> Run:
    """A run that waits for the stack to be calm."""
    run = Run(id=run_id, incident=incident, plan=plan, slowness=slowness, started_at=now)
    return noted(run, now, "The run begins; first the stack must be calm.")


def healed(run: Run, now: float, by: str) -> Run:
    """The fault is out, by an action or `by hand`."""
    run = replace(run, healed_at=now, healed_by=by, seen_at=run.seen_at or now)
    return noted(run, now, "It is mended. The alert clears by itself.")


def ended(run: Run, now: float, outcome: Outcome, why: str) -> Run:
    """The run is over."""
    told = {"solved": "Solved.", "gave up": "Given up.", "too late": "Too late.", "void": "Not counted."}
    return noted(replace(run, ended_at=now, outcome=outcome, why=why), now, f"{told[outcome]} {why}".strip())


def noted(run: Run, now: float, text: str) -> Run:
    """A line for the run's log."""
    return replace(run, events=(*run.events, Event(now, text)))
