"""What each expected signal must do on the running stack, as wishes that one loop can look at together."""

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from firedrill.clients import Jaeger, Loki
from firedrill.clients.loki import LogLine
from firedrill.clients.traces import Span, Trace
from tests.integration.signals.scrapes import Labels, Scrapes, measure

SOON_SECONDS = 120.0
"""The background reaches nearly every metric in twenty seconds; this is for what depends on chance."""
VALUE_SECONDS = 150.0
"""Each value of a label comes less often than its metric moves."""
FAULT_SECONDS = 90.0
"""A fault shows with the next request of its kind."""
LOOK_BACK_SECONDS = 60.0
MOST_TRACES = 40


@dataclass(frozen=True)
class Stores:
    """Where signals are looked for."""

    scrapes: Scrapes
    loki: Loki
    jaeger: Jaeger


class Wish(Protocol):
    """One condition. `name` says which in a report; it must be met within `within` seconds."""

    name: str
    within: float
    every: float

    def unmet(self, stores: Stores) -> str:
        """Empty when the condition holds, or has held at an earlier look; else what is missing."""


@dataclass
class Moves:
    """The series of a metric with labels `only` are not what they were at the first look.

    A gauge that has come to its `full` value need not move any more.
    """

    service: str
    metric: str
    only: Labels = field(default_factory=dict)
    cause: str = "traffic"
    within: float = SOON_SECONDS
    full: float | None = None
    every: float = 0.0
    _before: tuple[float, ...] | None = None

    @property
    def name(self) -> str:
        """Service, metric, labels and what makes it move."""
        return f"{self.service} {self.metric}{_shown(self.only)} by {self.cause}"

    def unmet(self, stores: Stores) -> str:
        """See Wish."""
        now = measure(stores.scrapes.samples(self.service, self.metric), self.only)
        if self._before is None:
            self._before = now
        if now != self._before or now == (self.full,):
            return ""
        return "it is not exposed" if not now else f"it stands still at {sum(now):g}"


@dataclass
class Counts:
    """A metric has a series with the label value, and its value is not 0."""

    service: str
    metric: str
    label: str
    value: str
    within: float = VALUE_SECONDS
    every: float = 0.5

    @property
    def name(self) -> str:
        """Service, metric and label value."""
        return f"{self.service} {self.metric}{_shown({self.label: self.value})}"

    def unmet(self, stores: Stores) -> str:
        """See Wish."""
        found = measure(stores.scrapes.samples(self.service, self.metric), {self.label: self.value})
        return "" if any(found) else f"{len(found)} series at 0"


@dataclass
class Tells:
    """A recent line with this message is in Loki; `lines` are those that were found."""

    service: str
    message: str
    within: float = SOON_SECONDS
    every: float = 2.0
    lines: tuple[LogLine, ...] = ()

    @property
    def name(self) -> str:
        """Service and message."""
        return f"{self.service} {self.message!r} in Loki"

    def unmet(self, stores: Stores) -> str:
        """See Wish."""
        logql = f'{{service="{self.service}"}} |= "\\"{self.message}\\""'
        end = time.time()
        self.lines = tuple(stores.loki.search(logql, start=end - LOOK_BACK_SECONDS, end=end, limit=5).lines)
        return "" if self.lines else f"no line for {logql}"


@dataclass
class Spans:
    """A recent trace in Jaeger holds this span and a server span; `found` is both."""

    service: str
    span: str
    within: float = SOON_SECONDS
    every: float = 2.0
    found: tuple[Trace, Span] | None = None

    @property
    def name(self) -> str:
        """The span."""
        return f"{self.service} {self.span} in Jaeger"

    def unmet(self, stores: Stores) -> str:
        """See Wish."""
        end = time.time()
        traces = stores.jaeger.recent(self.service, start=end - LOOK_BACK_SECONDS, end=end, limit=MOST_TRACES)
        for trace in traces:
            here = [one for one in trace.spans if one.name == self.span and one.service == self.service]
            if here and any(one.kind == "server" for one in trace.spans):
                self.found = trace, here[0]
                return ""
        return f"{len(traces)} recent traces without it"


@dataclass(frozen=True)
class Step:
    """A fault, what it makes move while it is set, and what moves once it is gone."""

    service: str
    fault: str
    parameters: Mapping[str, object]
    during: tuple[Moves, ...]
    after: tuple[Moves, ...]


def metrics_of(one: Mapping[str, Any]) -> Mapping[str, Any]:
    """Every expected metric of a service, those of its requests included."""
    return {**one.get("request-metrics", {}), **one["metrics"]}


def traffic_wishes(services: Mapping[str, Any]) -> list[Moves | Counts | Tells | Spans]:
    """What background traffic alone must bring."""
    found: list[Moves | Counts | Tells | Spans] = []
    for service, one in services.items():
        for name, metric in metrics_of(one).items():
            if "traffic" in metric["moves"]:
                within = metric.get("within", SOON_SECONDS)
                found.append(Moves(service, name, within=within, full=metric.get("full")))
                found += (
                    Counts(service, name, label, value, max(within, VALUE_SECONDS))
                    for label, values in metric.get("values", {}).items()
                    for value in values
                    if value not in by_fault(metric, label) and value not in never(metric, label)
                )
        found += (Tells(service, message) for message in one["logs"])
        found += (Spans(service, name) for name in one["spans"])
    return found


def fault_steps(service: str, one: Mapping[str, Any]) -> list[Step]:
    """What only errors bring, by fault, in the order of the file."""
    faults: dict[str, dict[str, object]] = {}
    during: dict[str, list[Moves]] = {}
    after: dict[str, list[Moves]] = {}
    for name, metric in metrics_of(one).items():
        for move in (move for move in metric["moves"] if move != "traffic"):
            which = during if "fault" in move else after
            fault, cause = (move["fault"], "") if "fault" in move else (move["after"], "the end of ")
            faults.setdefault(fault, {}).update(move.get("parameters", {}))
            wish = Moves(service, name, move.get("only", {}), f"{cause}fault {fault}", FAULT_SECONDS)
            which.setdefault(fault, []).append(wish)
    return [
        Step(service, fault, parameters, tuple(during.get(fault, ())), tuple(after.get(fault, ())))
        for fault, parameters in faults.items()
    ]


def by_fault(metric: Mapping[str, Any], label: str) -> set[str]:
    """The values of a label that a fault gives, or its end."""
    moves = (move.get("only", {}) for move in metric["moves"] if isinstance(move, dict))
    return {only[label] for only in moves if label in only}


def never(metric: Mapping[str, Any], label: str) -> set[str]:
    """The values of a label that a stack that works does not give."""
    return set(metric.get("never", {}).get(label, ()))


def _shown(labels: Labels) -> str:
    return "{" + ", ".join(f'{key}="{value}"' for key, value in labels.items()) + "}" if labels else ""
