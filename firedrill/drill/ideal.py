"""The ideal series of a drill: what its metrics would be if fault and heal worked at once and evenly."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from .model import Ideal, IdealLevel, IdealSeries
from .recorded import Recorded

MISSING = "_"  # promtool's word for no sample


@dataclass(frozen=True)
class History:
    """What the window holds when the fault comes: requests a second before and during the drill's traffic.

    `recorded` has the counters as Prometheus holds them; a series that it lacks is thought to have grown with
    these rates, healthily, for as long as the window looks back.
    """

    background_rate: float
    traffic_rate: float
    traffic_seconds: float
    recorded: Mapping[str, Recorded] = field(default_factory=dict)

    @property
    def rate(self) -> float:
        """Requests a second from the fault on."""
        return self.background_rate + self.traffic_rate

    def at_most(self, seconds: float) -> "History":
        """The same, with no more traffic than a window of `seconds` can hold."""
        return replace(self, traffic_seconds=min(self.traffic_seconds, seconds))


class Course:
    """The ideal series of one drill over time."""

    def __init__(self, ideal: Sequence[Ideal], history: History) -> None:
        self._ideal, self._history = ideal, history

    @property
    def slowest(self) -> float:
        """Seconds in which the last level has moved."""
        rate = self._history.rate or math.inf
        levels = [one for one in self._ideal if isinstance(one, IdealLevel)]
        return max(
            (max(one.faulty_after, one.healed_after) + max(one.faulty_over, one.healed_over) / rate
             for one in levels),
            default=0.0,
        )  # fmt: skip

    def values(self, times: Sequence[float], fault: float, heal: float) -> Iterator[tuple[str, str]]:
        """Each series with its values at `times` as promtool reads them, fault and heal at two of them."""
        for one in self._ideal:
            found = (self._value(one, at, fault, heal) for at in times)
            yield one.series, " ".join(MISSING if each is None else f"{each:.6f}" for each in found)

    def _value(self, one: Ideal, at: float, fault: float, heal: float) -> float | None:
        if isinstance(one, IdealLevel):
            return self._level(one, at, fault, heal)
        return self._counter(one, at, fault, heal)

    def _counter(self, series: IdealSeries, at: float, fault: float, heal: float) -> float | None:
        """As recorded up to the fault, then the integral of its rate.

        Events are whole: a fault that strikes one request in twenty may strike the first.
        """
        recorded = self._history.recorded.get(series.series)
        if recorded is not None and at <= fault:
            return recorded.at(fault - at)
        past = self._healthy_past(series, min(at, fault), fault) if recorded is None else recorded.at(0.0)
        rate = self._history.rate
        under = rate * series.faulty * max(0.0, min(at, heal) - fault)
        after = rate * series.healthy * max(0.0, at - heal)
        lead = min(1.0, rate * max(0.0, min(at, heal) - fault)) if series.faulty > series.healthy else 0.0
        return (past or 0.0) + under + lead + after

    def _healthy_past(self, series: IdealSeries, at: float, fault: float) -> float:
        history = self._history
        began = fault - history.traffic_seconds
        background = history.background_rate * at
        return series.healthy * (background + history.traffic_rate * max(0.0, at - began))

    def _level(self, level: IdealLevel, at: float, fault: float, heal: float) -> float:
        rate = self._history.rate or math.inf

        def risen(moment: float) -> float:
            part = _part(moment - fault - level.faulty_after, level.faulty_over / rate)
            return level.before + (level.faulty - level.before) * part

        if at < heal:
            return risen(at)
        reached = risen(heal)
        part = _part(at - heal - level.healed_after, level.healed_over / rate)
        return reached + (level.healed - reached) * part


def _part(passed: float, needed: float) -> float:
    """How much of a move is done."""
    if passed < 0:
        return 0.0
    return 1.0 if passed >= needed else passed / needed
