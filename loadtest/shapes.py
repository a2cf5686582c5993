"""Named traffic shapes: the rate and the share of fraud as pure functions of time."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from loadtest.fds_requests import FRAUD_SHARE
from loadtest.targets import RefusedTrafficError

HIGHEST_RATE = 2_000.0  # requests a second; one generator process makes about a thousand
LOWEST_RATE = 1.0
SHORTEST_SECONDS = 5.0
LONGEST_SECONDS = 12 * 3600.0
WAVE_SHARE = 0.5  # of the payments are fraud while the wave is on
WAVE = (0.2, 0.7)  # from and to, as shares of the run's time
STEP_SECONDS = 20.0  # of the capacity search; at demo pace Prometheus has a dozen scrapes of it
STEP_GROWTH = 1.25

Course = Callable[[float], float]
"""The share of the highest rate (0 to 1) at a share of the run's time (0 to 1)."""


@dataclass(frozen=True)
class Shape:
    """A shape with what it takes when nothing is asked: `seconds`, and `rate`, its highest, a second.

    At demo pace it fires the alerts in `triggers`, perhaps those in `may_trigger`, which depend on the
    machine, and no others. `kinds` are the users that take part, by name; none means all. `refusals` are
    the statuses that it provokes, which are then no failures.
    """

    name: str
    help: str
    seconds: float
    rate: float
    course: Course
    wave: bool = False
    search: bool = False
    triggers: tuple[str, ...] = ()
    may_trigger: tuple[str, ...] = ()
    kinds: tuple[str, ...] = ()
    refusals: frozenset[int] = frozenset()


@dataclass(frozen=True)
class Step:
    """A part of a run with one rate, from `start` to `end` (seconds after the start)."""

    start: float
    end: float
    rate: float


@dataclass(frozen=True)
class Run:
    """A shape with its time (seconds) and its highest rate (requests a second)."""

    shape: Shape
    seconds: float
    rate: float

    @property
    def steps(self) -> tuple[Step, ...]:
        """The steps of a search: from a tenth of the rate, a quarter more each time. Else none."""
        if not self.shape.search:
            return ()
        found: list[Step] = []
        start, rate = 0.0, max(LOWEST_RATE, self.rate / 10)
        while start < self.seconds and rate <= HIGHEST_RATE:
            found.append(Step(start, min(start + STEP_SECONDS, self.seconds), round(rate, 1)))
            start, rate = start + STEP_SECONDS, rate * STEP_GROWTH
        return tuple(found)

    @property
    def judged(self) -> bool:
        """Whether its alerts can be held against it: as long as it is meant to be, and as strong."""
        strong = self.rate >= self.shape.rate if self.shape.triggers else self.rate <= self.shape.rate
        return strong and self.seconds >= self.shape.seconds

    @property
    def end(self) -> float:
        """Seconds after which nothing is sent any more."""
        return self.steps[-1].end if self.steps else self.seconds

    def rate_at(self, second: float) -> float:
        """Requests a second, `second` seconds after the start."""
        if not 0 <= second <= self.seconds:
            return 0.0
        if self.shape.search:
            return next((step.rate for step in self.steps if second < step.end), 0.0)
        return self.rate * self.shape.course(second / self.seconds)

    def fraud_at(self, second: float) -> float:
        """The share of fraud among the payments."""
        inside = WAVE[0] * self.seconds <= second < WAVE[1] * self.seconds
        return WAVE_SHARE if self.shape.wave and inside else FRAUD_SHARE


def _line(points: Sequence[tuple[float, float]]) -> Course:
    """Straight lines between (time, share) points; two points of one time are a jump."""

    def course(time: float) -> float:
        before = points[0]
        for point in points:
            if time < point[0]:
                run = (time - before[0]) / (point[0] - before[0])
                return before[1] + run * (point[1] - before[1])
            before = point
        return before[1]

    return course


_STEADY = _line(((0.0, 1.0),))
_SLOW = (
    "APILatencySLOBurnFast", "APILatencySLOBurnSlow",
    "FDSLatencySLOBurnFast", "FDSLatencySLOBurnSlow", "FDSSLAViolation",
)  # fmt: skip
"""What a machine that is too small for the rate shows first."""
_STARVED = ("JudgmentLowCacheHitRate", "TargetDown")
"""What a machine without a free core shows: a cache too slow to be waited for, a scrape above its second."""
_TURNED_AWAY = ("ErrorRateSLOBurnFast", "ErrorRateSLOBurnSlow", "HighErrorRate")
"""What a shop says that turns customers away."""
_SHAPES = (
    Shape("steady", "one rate throughout", 60, 30, _STEADY),
    Shape(
        "ramp",
        "from a tenth of the rate evenly up to all of it",
        120,
        60,
        _line(((0.0, 0.1), (1.0, 1.0))),
        may_trigger=(*_SLOW, *_TURNED_AWAY),
    ),
    Shape(
        "spike",
        "a quarter of the rate, all of it at once for a sixth of the time, and a quarter again",
        90,
        80,
        _line(((0.0, 0.25), (0.4, 0.25), (0.4, 1.0), (0.57, 1.0), (0.57, 0.25))),
        may_trigger=(*_SLOW, *_TURNED_AWAY),
    ),
    Shape(
        "surge",
        "shoppers only: few, then for half of the time more than the shop can serve, and few again",
        150,
        500,  # two cores serve about 230; a fast laptop more
        _line(((0.0, 0.012), (0.2, 0.012), (0.3, 1.0), (0.8, 1.0), (0.85, 0.012))),
        triggers=_TURNED_AWAY,
        may_trigger=(*_SLOW, *_STARVED),
        kinds=("shopper",),
        refusals=frozenset({409, 503}),  # 409: what was given up half-way may have been done
    ),
    Shape("soak", "a moderate rate for a long time: leaks show", 1800, 15, _STEADY),
    Shape(
        "fraud-wave",
        "one rate; for half of the time every other payment is fraud and good customers look like thieves",
        180,
        30,
        _STEADY,
        wave=True,
        triggers=("FDSPrecisionDrop",),
        may_trigger=_SLOW,
    ),
    Shape(
        "capacity",
        "a quarter more every 20 s, from a tenth of the rate, until a target breaks",
        600,
        200,
        _STEADY,
        search=True,
        may_trigger=(*_SLOW, *_TURNED_AWAY),
    ),
)
SHAPES: Mapping[str, Shape] = {shape.name: shape for shape in _SHAPES}


def planned(name: str, *, seconds: float | None, rate: float | None) -> Run:
    """The run of the shape `name`; RefusedTrafficError for an unknown one and for numbers out of bounds."""
    shape = SHAPES.get(name)
    if shape is None:
        raise _refusal(f"there is no shape {name!r}", "it is not in the list", f"one of: {', '.join(SHAPES)}")
    run = Run(shape, shape.seconds if seconds is None else seconds, shape.rate if rate is None else rate)
    for value, low, high, what in (
        (run.seconds, SHORTEST_SECONDS, LONGEST_SECONDS, "seconds"),
        (run.rate, LOWEST_RATE, HIGHEST_RATE, "rate"),
    ):
        if not low <= value <= high:  # also for NaN
            raise _refusal(
                f"{what} {value:g} is out of bounds", "load is bounded", f"use {low:g} to {high:g} for {what}"
            )
    return run


def _refusal(what: str, why: str, todo: str) -> RefusedTrafficError:
    return RefusedTrafficError(f"{what}\n  why: {why}\n  do:  {todo}")
