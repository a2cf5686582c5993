"""A query's series as points for a chart: named by the labels in which they differ."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from console.sources.prometheus import Series

MOST_SERIES = 20


@dataclass(frozen=True)
class Curve:
    """One line: milliseconds since 1970 and values."""

    name: str
    points: tuple[tuple[float, float], ...]


def curves(series: Sequence[Series]) -> tuple[Curve, ...]:
    """The largest at their end first, at most MOST_SERIES."""
    differing = _differing([one.labels for one in series])
    found = [
        Curve(_name(one.labels, differing), tuple((at * 1000, value) for at, value in one.points))
        for one in series
    ]
    return tuple(sorted(found, key=lambda one: -one.points[-1][1] if one.points else 0.0)[:MOST_SERIES])


def _differing(labels: Sequence[Mapping[str, str]]) -> list[str]:
    names = sorted({name for one in labels for name in one})
    return [name for name in names if len({one.get(name, "") for one in labels}) > 1]


def _name(labels: Mapping[str, str], differing: Sequence[str]) -> str:
    told = ", ".join(labels[name] for name in differing if labels.get(name))
    return told or labels.get("__name__", "") or "value"
