"""A figure of the report, what is measured, and how much of it is allowed."""

from collections.abc import Mapping
from dataclasses import dataclass

ANY = "*"  # in budgets.yml: every subject that has no entry of its own


@dataclass(frozen=True)
class Measure:
    """What is measured, as budgets.yml and the report name it; `unit` is B for bytes, else nothing."""

    key: str
    title: str
    unit: str = ""


MEASURES: Mapping[str, Measure] = {
    one.key: one
    for one in (
        Measure("series", "Series per service"),
        Measure("series_of_metric", "Series per metric"),
        Measure("label_values", "Values of a label, in the metric that has most"),
        Measure("samples_per_second", "Samples a second that Prometheus stores"),
        Measure("log_streams", "Log streams that Loki holds"),
        Measure("log_lines_per_request", "Log lines per request"),
        Measure("log_bytes_per_request", "Log bytes per request", "B"),
        Measure("log_bytes_per_day", "Log bytes a day at the present rate", "B"),
        Measure("spans_per_request", "Spans per request"),
        Measure("spans_per_journey", "Spans of a whole trace"),
        Measure("span_names", "Names of spans"),
        Measure("bytes_per_span", "Bytes of a span, as its backend counts", "B"),
        Measure("span_bytes_per_day", "Span bytes a day at the present rate", "B"),
        Measure("disk_per_day", "Disk a day at the present rate", "B"),
    )
}


@dataclass(frozen=True)
class Budget:
    """The most that is allowed, in the measure's unit, and why that much."""

    at_most: float
    reason: str


@dataclass(frozen=True)
class Journey:
    """A request whose whole trace is counted: the service that it goes to and the name of its first span."""

    service: str
    operation: str


@dataclass(frozen=True)
class Budgets:
    """All budgets, by measure and subject, and the journeys by name."""

    entries: Mapping[str, Mapping[str, Budget]]
    journeys: Mapping[str, Journey]

    def of(self, measure: str, *subjects: str) -> Budget | None:
        """The budget of the first of `subjects` that has one, else that of every subject, else None."""
        own = self.entries.get(measure, {})
        return next((own[one] for one in (*subjects, ANY) if one in own), None)


@dataclass(frozen=True)
class Figure:
    """One measured value; None where there is none yet, and `note` says why."""

    measure: str
    subject: str
    value: float | None
    budget: Budget | None = None
    note: str = ""

    @property
    def exceeded(self) -> bool:
        """Whether there is more than is allowed."""
        return self.value is not None and self.budget is not None and self.value > self.budget.at_most

    @property
    def used(self) -> float | None:
        """The share of the budget, 1 for all of it; None without a value or a budget above 0."""
        if self.value is None or self.budget is None or self.budget.at_most <= 0:
            return None
        return self.value / self.budget.at_most


@dataclass(frozen=True)
class Report:
    """All figures of one moment (unix seconds), rates over `window` seconds; remarks say what is missing."""

    at: float
    window: float
    figures: tuple[Figure, ...]
    remarks: tuple[str, ...] = ()

    @property
    def exceeded(self) -> tuple[Figure, ...]:
        """The figures over their budget."""
        return tuple(one for one in self.figures if one.exceeded)

    def of(self, measure: str) -> tuple[Figure, ...]:
        """The figures of one measure, in their order."""
        return tuple(one for one in self.figures if one.measure == measure)
