"""Drills side by side: who may run with whom, whose alerts are whose, and Ctrl-C for all of them."""

import threading
from dataclasses import replace
from pathlib import Path

import pytest

from firedrill.drill.model import Deadlines, Drill, Fault, Signal
from firedrill.drill.ports import ActiveAlert
from firedrill.drill.result import Result
from firedrill.drill.roster import Roster
from firedrill.drill.schedule import Queue, StoppableClock, run_side_by_side


def drill(alert: str, *disturbs: str, also: str = "") -> Drill:
    """A drill that disturbs these services."""
    return Drill(
        alert=alert,
        file=Path(f"services/{disturbs[0]}/drills.yml"),
        labels={},
        fault=Fault(disturbs[0], "slow", {}),
        traffic=None,
        signal=Signal("x", "x", above=0.0),
        ideal=(),
        deadlines={"demo": Deadlines(1, 1)},
        notices=(),
        also_expected=frozenset({also} if also else ()),
        disturbs=frozenset(disturbs),
    )


A, B, BOTH, ALONE = drill("A", "a"), drill("B", "b"), drill("C", "a", "b"), drill("D", "all")


def firing(name: str) -> ActiveAlert:
    """An alert that fires."""
    return ActiveAlert(name, {}, "firing", 0.0)


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        (A, B, False),
        (A, BOTH, True),
        (A, ALONE, True),
        (A, drill("E", "e", also="A"), True),
        (drill("A", "x"), drill("A", "y"), True),
    ],
)
def test_drills_disturb_each_other_by_service_and_by_alert(one: Drill, other: Drill, expected: bool) -> None:
    """A drill that expects another's alert would hide it; the answer is the same both ways."""
    assert one.disturbed_by(other) is other.disturbed_by(one) is expected


def test_the_service_with_most_to_do_comes_first_and_who_needs_all_comes_last() -> None:
    """So that the whole takes no longer than its longest chain and what must run alone."""
    costs = {"A": 10.0, "A2": 20.0, "B": 25.0, "D": 99.0}
    second = drill("A2", "a")
    queue = Queue([ALONE, B, A, second], cost=lambda one: costs[one.alert])
    assert queue.take() is A  # 30 seconds wait for a, of which this is the first
    assert queue.take() is B
    assert queue.take() is None
    queue.ended(A)
    assert queue.take() is second
    queue.ended(B)
    assert queue.take() is None
    queue.ended(second)
    assert queue.take() is ALONE


def test_the_alerts_of_a_drill_beside_are_no_strangers() -> None:
    """As long as it runs, and for those that fire on after its end until they are seen no more."""
    roster, noisy = Roster(), drill("B", "b", also="Slow")
    with roster.running(A), roster.running(noisy):
        assert roster.expected_elsewhere(A, []) == {"B", "Slow"}
        assert roster.expected_elsewhere(noisy, []) == {"A"}
    with roster.running(A):
        assert roster.expected_elsewhere(A, [firing("Slow")]) == {"Slow"}
        assert roster.expected_elsewhere(A, []) == frozenset()
        assert roster.expected_elsewhere(A, [firing("Slow")]) == frozenset()


def result(one: Drill) -> Result:
    """A drill that passed."""
    return Result(one.alert, one.slice, "demo", 0.0, 1.0, ())


def test_drills_run_at_the_same_time_unless_they_disturb_each_other() -> None:
    """A and B meet; C comes when both have ended."""
    meeting, running, together = threading.Barrier(2, timeout=10), set[str](), list[set[str]]()

    def run(one: Drill, clock: StoppableClock) -> Result:
        running.add(one.alert)
        if one is not BOTH:
            meeting.wait()
        together.append(set(running))
        running.discard(one.alert)
        return result(one)

    done: list[str] = []
    run_side_by_side([BOTH, A, B], run, cost=lambda one: 1.0, ended=lambda one: done.append(one.alert))
    assert sorted(done) == ["A", "B", "C"]
    assert {"C"} in together
    assert not [found for found in together if "C" in found and len(found) > 1]


def test_ctrl_c_reaches_every_drill_and_waits_for_its_heal() -> None:
    """Each drill's next pause ends with KeyboardInterrupt, its later ones do not; nothing more is started."""
    healed: list[str] = []
    waiting = threading.Barrier(3, timeout=10)

    def run(one: Drill, clock: StoppableClock) -> Result:
        if one.alert == "Interrupts":
            waiting.wait()
            raise KeyboardInterrupt
        waiting.wait()
        try:
            while True:
                clock.pause(0.01)
        finally:
            clock.pause(0.01)
            healed.append(one.alert)

    drills = [A, B, drill("Interrupts", "c"), drill("Later", "a")]
    with pytest.raises(KeyboardInterrupt):
        run_side_by_side(drills, run, cost=lambda one: 1.0, ended=lambda one: None)
    assert sorted(healed) == ["A", "B"]


def test_a_drill_that_crashes_stops_the_others() -> None:
    """A mistake of ours must not leave faults behind."""
    ended = threading.Event()

    def run(one: Drill, clock: StoppableClock) -> Result:
        if one is A:
            raise ValueError("a mistake")
        try:
            while True:
                clock.pause(0.01)
        finally:
            ended.set()

    with pytest.raises(ValueError, match="a mistake"):
        run_side_by_side([A, B], run, cost=lambda one: 1.0, ended=lambda one: None)
    assert ended.is_set()


def test_results_are_told_as_they_come() -> None:
    """A failed drill does not keep the others from running."""
    told: list[bool] = []

    def run(one: Drill, clock: StoppableClock) -> Result:
        return replace(result(one), failed_step="calm") if one is A else result(one)

    def ended(one: Result) -> None:
        told.append(one.passed)

    run_side_by_side([A, B, BOTH], run, cost=lambda one: 1.0, ended=ended)
    assert sorted(told) == [False, True, True]
