"""How near the condition of a rule came to holding, from the course of both sides of its comparisons."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from firedrill.pace import comparisons

from .model import Closest

Labels = frozenset[tuple[str, str]]
Course = Mapping[Labels, Mapping[float, float]]
"""By the labels of a series, its value at unix seconds."""
Ask = Callable[[str], Course]


def closest(expression: str, ask: Ask) -> Closest | None:
    """The nearest moment of `expression`, whose sides `ask` knows; None where there is no such moment.

    A condition of several comparisons is as near as the one that is furthest. Each is looked up by the labels
    of the first; where it has no such series, the nearest of its own counts.
    """
    parts = [
        _Part(one.left, one.operator, ask(one.left), _right(one.right, ask))
        for one in comparisons(expression)
    ]
    if not parts:
        return None
    best: Closest | None = None
    for labels, values in parts[0].left.items():
        for at in values:
            found = min((part.at(labels, at) for part in parts), key=lambda one: one.share)
            if best is None or _rank(found) > _rank(best):
                best = found
    return best


def share(operator: str, value: float, threshold: float) -> float:
    """The part of the way to `value operator threshold` that is made: 1 when it holds, 0 for no number."""
    if math.isnan(value) or math.isnan(threshold):
        return 0.0
    holds = {
        ">": value > threshold, ">=": value >= threshold, "<": value < threshold, "<=": value <= threshold,
        "==": value == threshold, "!=": value != threshold,
    }[operator]  # fmt: skip
    if holds:
        return 1.0
    if operator in {"==", "!="}:
        return 0.0
    above, below = (value, threshold) if operator in {">", ">="} else (threshold, value)
    return max(0.0, above / below) if below > 0 else 0.0


def _rank(one: Closest) -> tuple[float, bool]:
    """Of two moments equally near, the one with a value tells more."""
    return one.share, not math.isnan(one.value)


@dataclass(frozen=True)
class _Part:
    """A comparison with the course of both sides; `right` is a number where it is one."""

    text: str
    operator: str
    left: Course
    right: Course | float

    def at(self, labels: Labels, moment: float) -> Closest:
        """How near it was for the series of `labels`, or the nearest of all where it has no such."""
        own = [labels] if labels in self.left else list(self.left)
        found = [self._of(one, moment) for one in own]
        nothing = Closest(0.0, moment, self.text, self.operator, math.nan, math.nan)
        return max(found, key=lambda one: one.share, default=nothing)

    def _of(self, labels: Labels, moment: float) -> Closest:
        value = self.left[labels].get(moment, math.nan)
        threshold = self.right if isinstance(self.right, float) else _value(self.right, labels, moment)
        reached = share(self.operator, value, threshold)
        return Closest(reached, moment, self.text, self.operator, value, threshold)


def _value(course: Course, labels: Labels, moment: float) -> float:
    series: Sequence[Mapping[float, float]] = [course[labels]] if labels in course else list(course.values())
    return next((one[moment] for one in series if moment in one), math.nan)


def _right(text: str, ask: Ask) -> Course | float:
    try:
        return float(text)
    except ValueError:
        return ask(text)
