"""The search for the highest rate that the stack holds: each step judged, the limit named."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from firedrill.load.measures import (
    API_TARGET_SECONDS,
    FDS_TARGET_SECONDS,
    SHOP_PROCESSES,
    Meter,
    Processors,
)
from firedrill.load.messages import Step, Tick

PROMISED_TPS = 1000.0
MOST_ERRORS = 0.001  # share of the answers
LEAST_ACHIEVED = 0.95  # of what was asked
SETTLING_SECONDS = 5.0  # after a step begins: users are still being made, queues still as before
JUDGED_AFTER_SECONDS = 4.0  # after a step ends: the scrapes of its last seconds have come
SATURATED = 0.85  # of a core: a Python process cannot do more than one
MACHINE_FULL = 0.9  # of all cores
BUSY_BEFORE = 0.5  # of all cores; the stack with its background traffic takes less
BEFORE_SECONDS = 15.0


@dataclass(frozen=True)
class Judged:
    """A step with what was measured in it; rates a second, latencies in seconds, None where unknown."""

    rate: float
    achieved: float
    asked: float
    errors: float
    api_p95: float | None
    fds_p95: float | None
    payments: float | None
    orders: float | None
    processors: Processors
    generator: float

    @property
    def broken(self) -> tuple[str, ...]:
        """The targets that this step broke, in words."""
        found = []
        if self.api_p95 is not None and self.api_p95 > API_TARGET_SECONDS:
            found.append(f"API P95 {_ms(self.api_p95)} over {_ms(API_TARGET_SECONDS)}")
        if self.fds_p95 is not None and self.fds_p95 > FDS_TARGET_SECONDS:
            found.append(f"FDS P95 {_ms(self.fds_p95)} over {_ms(FDS_TARGET_SECONDS)}")
        if self.errors > MOST_ERRORS:
            found.append(f"errors {self.errors:.2%} over {MOST_ERRORS:.1%}")
        if self.achieved < LEAST_ACHIEVED * self.asked:
            found.append(f"achieved {self.achieved:.1f} of {self.asked:.1f} asked")
        return tuple(found)

    @property
    def held(self) -> bool:
        """Whether every target held."""
        return not self.broken


@dataclass
class Search:
    """Follows the ticks of a capacity run and judges each step once its scrapes are there."""

    steps: Sequence[Step]
    meter: Meter
    judged: list[Judged] = field(default_factory=list)
    _ticks: list[Tick] = field(default_factory=list)

    def see(self, tick: Tick) -> Judged | None:
        """Take a tick; the judgement of a step when it can be made now."""
        self._ticks.append(tick)
        number = len(self.judged)
        if number < len(self.steps) and tick.elapsed >= self.steps[number].end + JUDGED_AFTER_SECONDS:
            return self._judge(self.steps[number])
        return None

    def finish(self) -> Judged | None:
        """Judge the step that the run ended in, if it ran to its end."""
        number = len(self.judged)
        if number < len(self.steps) and self._ticks and self._ticks[-1].elapsed >= self.steps[number].end:
            return self._judge(self.steps[number])
        return None

    @property
    def over(self) -> bool:
        """Two steps in a row broke a target: one alone may be a hiccup of the machine."""
        return len(self.judged) >= 2 and not (self.judged[-1].held or self.judged[-2].held)

    @property
    def best(self) -> Judged | None:
        """The last step that held."""
        return next((one for one in reversed(self.judged) if one.held), None)

    @property
    def first_broken(self) -> Judged | None:
        """The step that broke after the last one that held."""
        after = self.judged.index(self.best) + 1 if self.best else 0
        return self.judged[after] if after < len(self.judged) else None

    def _judge(self, step: Step) -> Judged:
        inside = [
            one for one in self._ticks if step.start + SETTLING_SECONDS <= one.elapsed <= step.end + 0.5
        ]
        first, last = inside[0], inside[-1]
        time, done = max(last.elapsed - first.elapsed, 0.001), last.done - first.done
        window = {"at": last.unix, "window": time}
        one = Judged(
            rate=step.rate,
            achieved=done / time,
            asked=(last.asked - first.asked) / time,
            errors=(last.failed - first.failed) / done if done else 1.0,
            api_p95=self.meter.api_p95(**window),
            fds_p95=self.meter.fds_p95(**window),
            payments=_each_second(self.meter.payments(**window), time),
            orders=_each_second(self.meter.orders(**window), time),
            processors=self.meter.processors(**window),
            generator=(last.cpu - first.cpu) / time,
        )
        self.judged.append(one)
        self._ticks = [tick for tick in self._ticks if tick.elapsed >= step.end - 1]
        return one


def limits(one: Judged) -> str:
    """What a broken step ran out of, in words; shares are of one core."""
    found = one.processors
    used = {name: spent / found.window for name, spent in found.by_process.items()}
    used["load generator"] = one.generator
    largest = sorted(used.items(), key=lambda item: -item[1])
    told = ", ".join(f"{name} {share:.0%}" for name, share in largest[:5])
    full = [name for name, share in largest if share >= SATURATED]
    machine = found.machine / found.window if found.machine is not None else None
    parts = []
    if full:
        parts.append(f"one core is all that a process of Python takes, and {' and '.join(full)} used it up")
    if machine is not None and found.cores and machine >= MACHINE_FULL * found.cores:
        rest = machine - sum(used.values())
        parts.append(
            f"the machine is full: {machine:.1f} of {found.cores} cores busy, "
            f"{max(0.0, rest):.1f} of them in PostgreSQL, the kernel and what else runs here"
        )
    reason = "; ".join(parts) or "no process was at its limit: time went into waiting"
    return f"{reason} (of one core: {told})"


def busy_before(found: Processors) -> str:
    """A warning when the machine had much to do before the load began, nothing otherwise."""
    if found.machine is None or not found.cores:
        return ""
    share = found.machine / found.window / found.cores
    if share < BUSY_BEFORE:
        return ""
    return f"note: the machine was {share:.0%} busy before the load began: figures of a busy machine"


def cost_of_order(one: Judged) -> str:
    """Processor seconds for each order of a step, in the shop's processes and on the whole machine."""
    if not one.orders:
        return "CPU per order: unknown, no order was counted"
    orders = one.orders * one.processors.window
    own = {name: spent for name, spent in one.processors.by_process.items() if name in SHOP_PROCESSES}
    parts = ", ".join(f"{name} {spent / orders * 1000:.1f}" for name, spent in sorted(own.items()))
    text = f"CPU per order: {sum(own.values()) / orders * 1000:.1f} ms in the shop's processes ({parts})"
    if one.processors.machine is not None:
        text += f"; {one.processors.machine / orders * 1000:.1f} ms on the whole machine, everything counted"
    return text


def _each_second(count: float | None, seconds: float) -> float | None:
    return None if count is None else count / seconds


def _ms(seconds: float) -> str:
    return f"{seconds * 1000:.0f} ms"
