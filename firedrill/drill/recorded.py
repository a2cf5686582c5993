"""What a counter really was until a fault, as rate() sees it: a restart takes nothing from it."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

Point = tuple[float, float]  # unix seconds, value
_FRESH_SCRAPES = 1.5  # a sample is that of the moment for so long; the clock of scrapes is not even


@dataclass(frozen=True)
class Recorded:
    """A counter's values `step` seconds apart, the last at the fault; None where there was no sample."""

    step: float
    values: tuple[float | None, ...]

    def at(self, before: float) -> float | None:
        """The value `before` seconds before the fault, None where nothing was recorded."""
        place = len(self.values) - 1 - before / self.step
        if place < -1e-6 or not self.values:
            return None
        low = max(0, math.floor(place))
        high = min(len(self.values) - 1, low + 1)
        first, second = self.values[low], self.values[high]
        if first is None or second is None:
            return first
        return first + (second - first) * max(0.0, place - low)


def grown(
    series: Iterable[Sequence[Point]], *, end: float, step: float, count: int
) -> tuple[float | None, ...]:
    """By how much a counter's series have grown at `count` moments, `step` seconds apart, the last at `end`.

    Each from its first sample on; one that falls began anew at 0. None where no series has a sample; what
    lacks at the beginning is left out, and nothing is known when the last moment lacks.
    """
    moments = [end - step * (count - 1 - index) for index in range(count)]
    sums, there = [0.0] * count, [False] * count
    for points in series:
        total, place, last = 0.0, 0, None
        for index, moment in enumerate(moments):
            while place < len(points) and points[place][0] <= moment:
                value = points[place][1]
                if last is not None:
                    total += value - last[1] if value >= last[1] else value
                last, place = points[place], place + 1
            sums[index] += total
            there[index] |= last is not None and moment - last[0] <= _FRESH_SCRAPES * step
    if not there[-1]:
        return ()
    return tuple(total if known else None for total, known in zip(sums, there, strict=True))[
        there.index(True) :
    ]
