"""The points of a run, each with the reason that a trainee is told."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from console.sandbox.model import CAUSE, SINCE, WHERE, StoppedProcess
from console.sandbox.run import Run

POINTS: Final = {WHERE: 15, CAUSE: 25, SINCE: 15}
MENDED: Final = 25
SEEN: Final = 10
QUICK: Final = 10
SEEN_AT_ONCE_SECONDS: Final = 60.0  # to the page: full points, then falling to none
SEEN_TOO_LATE_SECONDS: Final = 300.0
QUICK_SHARE: Final = 0.4  # of the time that the incident gives: full points, then falling to none
MOST: Final = sum(POINTS.values()) + MENDED + SEEN + QUICK
READY, ALMOST = 80, 50

_ASKED: Final = {WHERE: "What is broken", CAUSE: "The cause", SINCE: "Since when"}


@dataclass(frozen=True)
class Line:
    """Points of `most` for one thing, and why; costs have no `most`."""

    what: str
    points: int
    most: int
    why: str


@dataclass(frozen=True)
class Score:
    """All lines, their sum (never below 0), and what it means."""

    lines: tuple[Line, ...]
    total: int
    verdict: str


def score(run: Run) -> Score:
    """What a run that is over is worth."""
    if run.outcome == "void":
        return Score((), 0, f"Not counted: {run.why}")
    lines = (
        _seen(run),
        *(_question(run, name) for name in POINTS),
        _mended(run),
        _quick(run),
        *_costs(run),
    )
    total = max(0, sum(line.points for line in lines))
    return Score(lines, total, _verdict(total))


def shift_total(totals: Iterable[int]) -> tuple[int, str]:
    """The mean of a shift's runs, rounded, and what it means."""
    found = list(totals)
    mean = round(sum(found) / len(found)) if found else 0
    return mean, _verdict(mean)


def _verdict(total: int) -> str:
    if total >= READY:
        return "Ready for the pager."
    if total >= ALMOST:
        return "On call with a colleague beside you; read the expert's path and try another one."
    return "Not yet: go through the expert's path step by step, then take another seed of it."


def _seen(run: Run) -> Line:
    if run.seen_at is None or run.paged_at is None:
        return Line(
            "Page taken", 0, SEEN, "Nobody took the page. Say that it is yours, so that no second one starts."
        )
    after = max(0.0, run.seen_at - run.paged_at)
    share = _falling(after, SEEN_AT_ONCE_SECONDS, SEEN_TOO_LATE_SECONDS)
    return Line(
        "Page taken", round(SEEN * share), SEEN,
        _falls(after, SEEN_AT_ONCE_SECONDS, SEEN_TOO_LATE_SECONDS),
    )  # fmt: skip


def _question(run: Run, name: str) -> Line:
    most, given = POINTS[name], run.attempts.get(name, ())
    points = round(most * max((one.worth for one in given), default=0.0))
    if not given:
        return Line(_ASKED[name], 0, most, "Not answered.")
    if not given[-1].right and points == 0:
        return Line(_ASKED[name], 0, most, f"Not found in {len(given)} of 2 attempts.")
    if name == SINCE and not any(one.right for one in given):
        return Line(_ASKED[name], points, most, "Near, but not within the tolerance.")
    tries = "at the first attempt" if len(given) == 1 else "at the second attempt, which is worth half"
    return Line(_ASKED[name], points, most, f"Right {tries}.")


def _mended(run: Run) -> Line:
    what = "Mended"
    if run.healed_at is None:
        return Line(what, 0, MENDED, "It was not mended by you.")
    if run.healed_by != "by hand":
        return Line(what, MENDED, MENDED, "By the action that takes the cause away.")
    if all(isinstance(one, StoppedProcess) for one in run.plan.broken):
        return Line(what, MENDED, MENDED, "You started what was stopped, as one really would.")
    return Line(what, 0, MENDED, "The fault was switched off by hand: nobody has such a switch in earnest.")


def _quick(run: Run) -> Line:
    limit = run.incident.limits.solve
    if run.healed_at is None or run.paged_at is None:
        return Line("Time to mend", 0, QUICK, "It was not mended.")
    after = max(0.0, run.healed_at - run.paged_at)
    share = _falling(after, limit * QUICK_SHARE, limit)
    return Line(
        "Time to mend", round(QUICK * share), QUICK,
        _falls(after, limit * QUICK_SHARE, limit),
    )  # fmt: skip


def _costs(run: Run) -> list[Line]:
    hints = [
        Line(f"Hint {number}", -hint.cost, 0, hint.text)
        for number, hint in enumerate(run.incident.hints[: run.hints], start=1)
    ]
    wrong = [
        Line("Did not help", -deed.cost, 0, f"{deed.text}: {deed.says}") for deed in run.deeds if deed.cost
    ]
    return [*hints, *wrong]


def _falling(after: float, full: float, none: float) -> float:
    """1 until `full`, then falling evenly to 0 at `none`."""
    return min(1.0, max(0.0, (none - after) / (none - full)))


def _falls(after: float, full: float, none: float) -> str:
    return f"After {after:.0f} s; full points within {full:.0f} s, none after {none:.0f} s."
