"""Counts and response times by route, kept small however long a run is."""

import math
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

from loadtest.request import Outcome

PRECISION = math.log(1.02)  # times fall into classes 2% wide: exact enough for a P99, a few hundred classes


def bucket(milliseconds: float) -> int:
    """The class of a response time; class 0 ends at 0.1 ms."""
    return max(0, math.ceil(math.log(max(milliseconds, 0.1) / 0.1) / PRECISION))


def milliseconds_of(number: int) -> float:
    """The upper edge of a class in milliseconds."""
    return 0.1 * math.exp(number * PRECISION)


def quantile(times: Counter[int], share: float) -> float | None:
    """The time in milliseconds that `share` of the requests did not exceed; None without any."""
    total = times.total()
    rank, seen = max(1, math.ceil(share * total)), 0
    for number in sorted(times):
        seen += times[number]
        if seen >= rank:
            return round(milliseconds_of(number), 1)
    return None


@dataclass
class Route:
    """What happened to the requests of one name."""

    outcomes: Counter[str] = field(default_factory=Counter)
    times: Counter[int] = field(default_factory=Counter)

    def as_dict(self) -> dict[str, object]:
        """Counts and quantiles (milliseconds)."""
        return {
            "requests": self.outcomes.total(),
            "declined": self.outcomes["declined"],
            "failed": self.outcomes["failed"],
            **{f"p{share}_ms": quantile(self.times, share / 100) for share in (50, 95, 99)},
        }


@dataclass
class Tally:
    """All routes of a run; `recent` holds the response times since the last look."""

    routes: dict[str, Route] = field(default_factory=dict)
    failures: Counter[str] = field(default_factory=Counter)
    recent: Counter[int] = field(default_factory=Counter)

    def add(self, name: str, outcome: Outcome, milliseconds: float, *, failure: str = "") -> None:
        """Count one answer; `failure` says in few words what was wrong with a failed one."""
        route = self.routes.setdefault(name, Route())
        route.outcomes[outcome] += 1
        number = bucket(milliseconds)
        route.times[number] += 1
        self.recent[number] += 1
        if outcome == "failed":
            self.failures[f"{name}: {failure}"] += 1

    def count(self, outcome: Outcome | None = None) -> int:
        """Answers of one outcome, or all."""
        return sum(
            route.outcomes.total() if outcome is None else route.outcomes[outcome]
            for route in self.routes.values()
        )

    def recent_p95(self) -> float | None:
        """P95 in milliseconds since this was last asked."""
        found, self.recent = quantile(self.recent, 0.95), Counter()
        return found

    def total(self) -> Route:
        """All routes as one."""
        return merged(self.routes.values())


def merged(routes: Iterable[Route]) -> Route:
    """The sum of `routes`."""
    all_of = Route()
    for route in routes:
        all_of.outcomes.update(route.outcomes)
        all_of.times.update(route.times)
    return all_of
