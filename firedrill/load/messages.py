"""What the load generator tells, line by line, as frozen values."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Step:
    """A part of the capacity search: seconds after the start, and the rate asked in requests a second."""

    start: float
    end: float
    rate: float


@dataclass(frozen=True)
class Plan:
    """What the generator will do: `kinds` gives each kind of user its part of the requests.

    `triggers` are the alerts that it fires, `may_trigger` those that depend on the machine; `judged` says
    whether they can be held against this run.
    """

    shape: str
    seconds: float
    rate: float
    users: int
    kinds: Mapping[str, float]
    steps: tuple[Step, ...]
    ui_port: int | None
    triggers: tuple[str, ...] = ()
    may_trigger: tuple[str, ...] = ()
    judged: bool = False

    @classmethod
    def of(cls, line: Mapping[str, Any]) -> "Plan":
        """From the parsed line."""
        values = {name: line[name] for name in cls.__dataclass_fields__}
        values["steps"] = tuple(Step(one["start"], one["end"], one["rate"]) for one in line["steps"])
        values["triggers"], values["may_trigger"] = tuple(line["triggers"]), tuple(line["may_trigger"])
        return cls(**values)


@dataclass(frozen=True)
class Tick:
    """Counts since the start: requests that should have left, have left, were answered, and how.

    `unix` and `elapsed` are the same moment, `rate` is asked at it, `busy` requests are under way; `p95_ms`
    is of the last second; `cpu` are the generator's own seconds.
    """

    elapsed: float
    unix: float
    users: int
    busy: int
    rate: float
    asked: int
    sent: int
    done: int
    declined: int
    failed: int
    p95_ms: float | None
    cpu: float

    @classmethod
    def of(cls, line: Mapping[str, Any]) -> "Tick":
        """From the parsed line."""
        return cls(**{name: line[name] for name in cls.__dataclass_fields__})


@dataclass(frozen=True)
class Route:
    """The requests of one name; times in milliseconds as the client saw them."""

    requests: int
    declined: int
    failed: int
    p50_ms: float | None
    p95_ms: float | None
    p99_ms: float | None


@dataclass(frozen=True)
class Result:
    """A run that has ended; `missed` requests could not leave in time because every user was waiting."""

    elapsed: float
    unix: float
    asked: int
    sent: int
    done: int
    declined: int
    failed: int
    missed: int
    cpu: float
    stopped: bool
    errors: tuple[str, ...]
    failures: Mapping[str, int]
    routes: Mapping[str, Route]
    total: Route

    @classmethod
    def of(cls, line: Mapping[str, Any]) -> "Result":
        """From the parsed line."""
        values = {name: line[name] for name in cls.__dataclass_fields__}
        values["errors"] = tuple(line["errors"])
        values["routes"] = {name: Route(**one) for name, one in line["routes"].items()}
        values["total"] = Route(**line["total"])
        return cls(**values)

    @property
    def clean(self) -> bool:
        """Whether nothing failed but what was meant to be refused."""
        return self.failed == 0 and not self.errors
