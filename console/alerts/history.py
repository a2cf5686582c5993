"""When alerts were pending and firing, out of the series ALERTS over a range."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from firedrill.clients import Series

from .rows import FIRING, PENDING, WATCHDOG

QUERY = f'ALERTS{{alertname!="{WATCHDOG}"}}'
_NARROWEST = 0.3  # percent: what fired for seconds stays visible in a day
_COMMON = frozenset({"service", "system", "component", "stack", "job"})
_OWN = frozenset({"__name__", "alertname", "alertstate", "severity"})


@dataclass(frozen=True)
class Stretch:
    """A time without a gap in one state, in unix seconds; `open` when it reaches the end of the range.

    `left` and `width` in percent of the range.
    """

    state: str
    began: float
    ended: float
    open: bool
    left: float
    width: float


@dataclass(frozen=True)
class Line:
    """One alert's past; `fired` counts its episodes of firing and `seconds` their length in all."""

    name: str
    severity: str
    labels: tuple[tuple[str, str], ...]
    stretches: tuple[Stretch, ...]
    fired: int
    seconds: float

    @property
    def place(self) -> str:
        """The service, and what else tells it from alerts of its name."""
        service = [value for name, value in self.labels if name == "service"]
        return ", ".join(
            [*service, *(f"{name} {value}" for name, value in self.labels if name not in _COMMON)]
        )


def history(series: Sequence[Series], *, start: float, end: float, step: float) -> list[Line]:
    """Every alert that was pending or firing between two unix seconds, the latest first."""
    found: dict[tuple[tuple[str, str], ...], list[Stretch]] = {}
    for one in series:
        state = one.labels.get("alertstate", "")
        if state in {FIRING, PENDING}:
            identity = tuple(
                sorted((k, v) for k, v in one.labels.items() if k not in {"__name__", "alertstate"})
            )
            times = [at for at, _ in one.points]
            found.setdefault(identity, []).extend(_stretches(state, times, start=start, end=end, step=step))
    lines = [_line(dict(identity), stretches) for identity, stretches in found.items() if stretches]
    return sorted(lines, key=lambda line: (-max(one.ended for one in line.stretches), line.name))


def _stretches(
    state: str, times: Iterable[float], *, start: float, end: float, step: float
) -> Iterable[Stretch]:
    runs: list[list[float]] = []
    for at in times:
        if runs and at - runs[-1][1] <= 1.5 * step:
            runs[-1][1] = at
        else:
            runs.append([at, at])
    whole = max(end - start, step)
    for first, last in runs:
        is_open = end - last <= 1.5 * step
        until = end if is_open else min(last + step, end)
        width = max(_NARROWEST, 100 * (until - first) / whole)
        left = min(100 * (first - start) / whole, 100 - width)
        yield Stretch(state, first, until, is_open, round(max(0.0, left), 3), round(width, 3))


def _line(labels: Mapping[str, str], stretches: list[Stretch]) -> Line:
    firing = [one for one in stretches if one.state == FIRING]
    return Line(
        name=labels.get("alertname", "?"),
        severity=labels.get("severity", ""),
        labels=tuple((name, value) for name, value in labels.items() if name not in _OWN),
        stretches=tuple(sorted(stretches, key=lambda one: (one.began, one.state))),
        fired=len(firing),
        seconds=sum(one.ended - one.began for one in firing),
    )
