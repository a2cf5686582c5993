"""A drill as its slice declares it: fault, traffic, signal, ideal series, deadlines, notices."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

Value = float | int | str


@dataclass(frozen=True)
class Fault:
    """A fault of a service's switch, with the parameters to set it with."""

    service: str
    name: str
    parameters: Mapping[str, Value]


@dataclass(frozen=True)
class TrafficPlan:
    """Requests a second to send to `target`; `arrives` is PromQL (production pace) for what comes in."""

    target: str
    rate: float
    arrives: str


@dataclass(frozen=True)
class Signal:
    """The PromQL (production pace) that moves first, and the value above which it counts as moved."""

    query: str
    above: float
    means: str


@dataclass(frozen=True)
class IdealSeries:
    """A counter and what each arriving request adds to it, healthy and under the fault."""

    series: str
    healthy: float
    faulty: float


@dataclass(frozen=True)
class Deadlines:
    """Seconds from fault to firing notice, and from heal to resolved notice."""

    fire: float
    clear: float


@dataclass(frozen=True)
class Notice:
    """Where a notification must arrive: `kind` is slack or webhook; an empty channel means any."""

    receiver: str
    kind: str
    channel: str = ""

    def __str__(self) -> str:
        return f"{self.kind} of receiver {self.receiver}" + (
            f", channel {self.channel}" if self.channel else ""
        )


@dataclass(frozen=True)
class Drill:
    """One alert's drill. `labels` are the static labels of its rule; they tell alerts of one name apart."""

    alert: str
    file: Path
    labels: Mapping[str, str]
    fault: Fault
    traffic: TrafficPlan
    signal: Signal
    ideal: tuple[IdealSeries, ...]
    deadlines: Mapping[str, Deadlines]
    notices: tuple[Notice, ...]
    also_expected: frozenset[str] = frozenset()

    @property
    def slice(self) -> str:
        """The folder that declares it, such as judgment."""
        return self.file.parent.name
