"""The capacity search: steps are judged by what they measured, and the limit is named."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import pytest

from firedrill.load.capacity import Judged, Search, busy_before, cost_of_order, limits
from firedrill.load.measures import Processors
from firedrill.load.messages import Step, Tick
from firedrill.load.summary import search_findings

GOOD = Judged(
    rate=100,
    achieved=99.5,
    asked=100,
    errors=0.0,
    api_p95=0.15,
    fds_p95=0.09,
    payments=8.0,
    orders=6.0,
    processors=Processors({"ecommerce": 6.0, "fds": 3.0, "loki": 1.0}, machine=14.0, cores=2, window=15.0),
    generator=0.2,
)


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"api_p95": 0.201}, "API P95 201 ms over 200 ms"),
        ({"fds_p95": 0.15}, "FDS P95 150 ms over 100 ms"),
        ({"errors": 0.0011}, "errors 0.11% over 0.1%"),
        ({"achieved": 94.9}, "achieved 94.9 of 100.0 asked"),
    ],
)
def test_each_target_breaks_a_step(change: Mapping[str, float], word: str) -> None:
    """Any one of the four is enough, and is named with its figures."""
    broken = replace(GOOD, **change)
    assert broken.broken == (word,)
    assert not broken.held


def test_targets_just_met_hold() -> None:
    """At the target is within it, and what Prometheus does not know breaks nothing."""
    assert replace(GOOD, api_p95=0.2, fds_p95=0.1, errors=0.001, achieved=95.0).held
    assert replace(GOOD, api_p95=None, fds_p95=None).held


@dataclass
class Figures:
    """A Meter with one answer for all; notes when it was asked."""

    api: float = 0.1
    asked: list[tuple[float, float]] = field(default_factory=list)

    def api_p95(self, *, at: float, window: float) -> float | None:
        """The set figure."""
        self.asked.append((at, window))
        return self.api

    def fds_p95(self, *, at: float, window: float) -> float | None:
        """Good."""
        return 0.05

    def payments(self, *, at: float, window: float) -> float | None:
        """Two a second."""
        return 2 * window

    def orders(self, *, at: float, window: float) -> float | None:
        """One a second."""
        return window

    def processors(self, *, at: float, window: float) -> Processors:
        """Half a core in fds."""
        return Processors({"fds": window / 2}, window, 2, window)

    def settle(self, moment: float) -> bool:
        """At once."""
        return True


def tick(second: float, *, each: float = 10, done: float = 1.0, failed: int = 0) -> Tick:
    """The counts after some seconds at a steady rate."""
    asked = int(second * each)
    return Tick(
        second, 5000 + second, 5, 1, each, asked, asked, int(asked * done), 0, failed, 10.0, second / 10
    )


STEPS = (Step(0, 20, 10), Step(20, 40, 10), Step(40, 60, 10))


def feed(search: Search, seconds: range, **counts: float) -> list[Judged]:
    """What the search judges while ticks come."""
    found = [search.see(tick(second, **counts)) for second in seconds]  # type: ignore[arg-type]  # ints are fine
    return [one for one in found if one is not None]


def test_steps_are_judged_when_their_scrapes_are_there() -> None:
    """A step's first seconds are left out; it is judged a little after its end, up to its end."""
    meter = Figures()
    search = Search(STEPS, meter)
    assert not feed(search, range(1, 24))
    (judged,) = feed(search, range(24, 26))
    assert judged.held
    assert meter.asked == [(5020, 15)]
    assert (judged.asked, judged.achieved) == (10, 10)
    assert judged.payments == pytest.approx(2)
    assert judged.generator == pytest.approx(0.1)
    assert search.best is judged
    assert not search.over


def test_search_ends_after_two_broken_steps() -> None:
    """One broken step may be a hiccup; two are not, and the last one that held stays the answer."""
    meter = Figures()
    search = Search(STEPS, meter)
    (held,) = feed(search, range(1, 25))
    meter.api = 0.5
    (first,) = feed(search, range(25, 45))
    assert not search.over
    (second,) = feed(search, range(45, 65))
    assert search.over
    assert search.best is held
    assert search.first_broken is first
    assert not second.held
    findings = search_findings(search)
    assert sum(line.startswith("held") for line in findings) == 1
    assert sum(line.startswith("broke") for line in findings) == 2
    assert "2.0 payments/s, which is 0.2% of the promised 1000 TPS" in "\n".join(findings)


def test_a_hiccup_is_passed_over() -> None:
    """A step that holds after one that broke is the better answer."""
    meter = Figures(api=0.5)
    search = Search(STEPS, meter)
    feed(search, range(1, 25))
    assert search.best is None
    meter.api = 0.1
    feed(search, range(25, 45))
    assert search.best is search.judged[1]
    assert search.first_broken is None


def test_last_step_is_judged_at_the_end() -> None:
    """A run that ends with its last step has no later tick; a step that was cut short is not judged."""
    search = Search(STEPS[:1], Figures())
    feed(search, range(1, 21))
    assert search.finish() is not None
    cut = Search(STEPS[:1], Figures())
    feed(cut, range(1, 15))
    assert cut.finish() is None
    assert "no step was completed" in search_findings(cut)[-1]


def test_slow_answers_and_errors_show() -> None:
    """What was answered counts as achieved, not what was sent."""
    search = Search(STEPS[:1], Figures())
    (judged,) = feed(search, range(1, 25), done=0.9)
    assert judged.achieved == pytest.approx(9, rel=0.02)
    assert judged.broken == ("achieved 9.0 of 10.0 asked",)


def test_limit_is_a_process_with_a_full_core() -> None:
    """A Python process cannot use more than one core."""
    full = replace(GOOD, processors=Processors({"ecommerce": 14.5, "fds": 3.0}, 20.0, 4, 15.0))
    assert "ecommerce used it up" in limits(full)
    assert "the machine is full" not in limits(full)


def test_limit_is_the_machine() -> None:
    """When every core is busy, what nobody accounts for is said too."""
    full = replace(GOOD, processors=Processors({"ecommerce": 9.0, "fds": 6.0}, 29.0, 2, 15.0))
    assert "the machine is full: 1.9 of 2 cores busy, 0.7 of them in PostgreSQL" in limits(full)


def test_limit_is_the_generator_or_waiting() -> None:
    """The generator is a process like others; when nothing is busy, time went into waiting."""
    assert "load generator used it up" in limits(replace(GOOD, generator=0.95))
    idle = replace(GOOD, processors=Processors({"fds": 1.0}, None, 0, 15.0))
    assert "waiting" in limits(idle)


def test_a_busy_machine_is_told() -> None:
    """Figures of a machine that others use too say so; one that is calm, or not measured, says nothing."""
    assert "75% busy before" in busy_before(Processors({}, 22.5, 2, 15.0))
    assert busy_before(Processors({}, 6.0, 2, 15.0)) == ""
    assert busy_before(Processors({}, None, 2, 15.0)) == busy_before(Processors({}, 9.0, 0, 15.0)) == ""


def test_cost_of_an_order() -> None:
    """The shop's own processes, and everything the machine did."""
    text = cost_of_order(GOOD)
    assert "100.0 ms in the shop's processes (ecommerce 66.7, fds 33.3)" in text
    assert "155.6 ms on the whole machine" in text
    assert "unknown" in cost_of_order(replace(GOOD, orders=0.0))
    assert "unknown" in cost_of_order(replace(GOOD, orders=None))
