"""A drill as its slice declares it: fault, traffic, signal, ideal series, deadlines, notices."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

Value = float | int | str

EVERYTHING = "all"  # in `disturbs`: runs alone
ALERT, HEARTBEAT = "alert", "heartbeat"  # kinds of drills


@dataclass(frozen=True)
class Fault:
    """A fault of a service's switch, with the parameters to set it with."""

    service: str
    name: str
    parameters: Mapping[str, Value]

    def __str__(self) -> str:
        parameters = ", ".join(f"{name}={value}" for name, value in self.parameters.items())
        return f"{self.service}/{self.name} {parameters}".strip()


@dataclass(frozen=True)
class ProcessFault:
    """A service of docker-compose.yml that is stopped and held down until the heal."""

    process: str

    def __str__(self) -> str:
        return f"{self.process} is stopped"

    @property
    def service(self) -> str:
        """Whose logs tell more."""
        return self.process


AnyFault = Fault | ProcessFault


@dataclass(frozen=True)
class TrafficPlan:
    """Requests a second to send to `target`; `arrives` is PromQL (production pace) for what comes in."""

    target: str
    rate: float
    arrives: str


@dataclass(frozen=True)
class Signal:
    """The PromQL (production pace) that moves first; it has moved above `above`, or below `below`."""

    query: str
    means: str
    above: float | None = None
    below: float | None = None

    def moved(self, value: float | None) -> bool:
        """Whether `value` is beyond the limit; no value is not."""
        if value is None:
            return False
        return (self.above is not None and value > self.above) or (
            self.below is not None and value < self.below
        )

    def stayed(self) -> str:
        """What is said when it did not move."""
        if self.above is not None:
            return f"{self.means} stayed at or below {self.above:g}"
        return f"{self.means} stayed at or above {self.below or 0:g}"


@dataclass(frozen=True)
class IdealSeries:
    """A counter and what each arriving request adds to it, healthy and under the fault.

    Without traffic of the drill's own, what each second adds. `strongest` is what it adds when all that the
    fault leaves alone goes wrong by itself: nothing can fire sooner. Without it nothing else goes wrong.
    """

    series: str
    healthy: float
    faulty: float
    strongest: float | None = None

    def quiet(self) -> "IdealSeries":
        """The same without the fault."""
        return replace(self, faulty=self.healthy, strongest=None)

    def alone(self) -> "IdealSeries":
        """The same with nothing wrong but the fault."""
        return replace(self, strongest=None)

    def worst(self) -> "IdealSeries":
        """The same at its strongest."""
        return self if self.strongest is None else replace(self, faulty=self.strongest)


@dataclass(frozen=True)
class IdealLevel:
    """A gauge, or a counter that jumps: its value before the fault, under it and after the heal.

    It begins to move `faulty_after` and `healed_after` seconds after fault and heal, and takes as long as
    `faulty_over` and `healed_over` requests take to arrive.
    """

    series: str
    before: float
    faulty: float
    healed: float
    faulty_after: float = 0.0
    healed_after: float = 0.0
    faulty_over: float = 0.0
    healed_over: float = 0.0

    def quiet(self) -> "IdealLevel":
        """The same without the fault."""
        return replace(self, faulty=self.before, healed=self.before)

    def alone(self) -> "IdealLevel":
        """Itself: nothing but the fault moves it."""
        return self

    def worst(self) -> "IdealLevel":
        """Itself: the fault moves it all the way."""
        return self


Ideal = IdealSeries | IdealLevel


@dataclass(frozen=True)
class Deadlines:
    """Seconds from fault to firing notice, and from heal to resolved notice."""

    fire: float
    clear: float


@dataclass(frozen=True)
class Notice:
    """Where a notification must arrive; `kind` as the inbox says it; an empty channel means any."""

    receiver: str
    kind: str
    channel: str = ""

    def __str__(self) -> str:
        return f"{self.kind} of receiver {self.receiver}" + (
            f", channel {self.channel}" if self.channel else ""
        )


@dataclass(frozen=True)
class Drill:
    """One alert's drill. `labels` are the static labels of its rule; they tell alerts of one name apart.

    A drill of kind heartbeat has no rule to wait for: its alert always fires, and its silence is the alarm.
    """

    alert: str
    file: Path
    labels: Mapping[str, str]
    fault: AnyFault
    traffic: TrafficPlan | None
    signal: Signal | None
    ideal: tuple[Ideal, ...]
    deadlines: Mapping[str, Deadlines]
    notices: tuple[Notice, ...]
    also_expected: frozenset[str] = frozenset()
    disturbs: frozenset[str] = frozenset({EVERYTHING})
    kind: str = ALERT

    @property
    def slice(self) -> str:
        """The folder that declares it, such as judgment."""
        return self.file.parent.name

    @property
    def name(self) -> str:
        """Slice and alert: alerts of two slices may share their name."""
        return f"{self.slice}/{self.alert}"

    @property
    def expects(self) -> frozenset[str]:
        """The names of all alerts that may fire in it."""
        return self.also_expected | {self.alert}

    @property
    def runbook(self) -> Path:
        """The page that its alert links to."""
        return self.file.parent / "runbooks" / f"{self.alert}.md"

    def disturbed_by(self, other: "Drill") -> bool:
        """Whether the two must not run side by side; the same both ways."""
        if EVERYTHING in self.disturbs | other.disturbs or self.disturbs & other.disturbs:
            return True
        return self.alert in other.expects or other.alert in self.expects
