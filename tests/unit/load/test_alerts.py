"""A run is held to what its shape announces: what is missing and what came besides is told."""

import itertools

import pytest

from firedrill.load.alerts import Verdict, announcement, verdict
from firedrill.load.messages import Plan

PLAN = Plan(
    "surge", 60, 30, 40, {"shopper": 1.0}, (), None, triggers=("A", "B"), may_trigger=("Slow",), judged=True
)


class Alerts:
    """Alerts that fire one after the other, one more each time that it is asked; each was pending before."""

    def __init__(self, *names: str, at_once: int = 0) -> None:
        self.names, self.asked = names, itertools.count(at_once)
        self.shown = at_once

    def firing(self) -> frozenset[str]:
        """None, as long as nobody asks."""
        return frozenset()

    def fired(self, *, seconds: float) -> frozenset[str]:
        """Those so far."""
        assert seconds >= 0
        self.shown = next(self.asked)
        return frozenset(self.names[: self.shown])

    def pending(self) -> frozenset[str]:
        """Those to come."""
        return frozenset(self.names[self.shown :])

    def waits(self) -> float:
        """So that nothing is waited for in a test: the grace is gone before it begins."""
        return -10.0


def judge(alerts: Alerts, plan: Plan = PLAN, *, before: tuple[str, ...] = (), pace: str = "demo") -> Verdict:
    """The verdict."""
    return verdict(plan, alerts, before=before, pace=pace, elapsed=lambda: 1.0)


def test_as_announced() -> None:
    """All of the announced, with or without what depends on the machine."""
    for names in (("A", "B"), ("A", "B", "Slow")):
        found = judge(Alerts(*names, at_once=len(names)))
        assert found.good
        assert found.lines()[-1] == "that is what was announced"


def test_what_is_missing_is_told() -> None:
    """An announced alert that does not come in time fails the run."""
    found = judge(Alerts("A", at_once=1))
    assert not found.good
    assert "announced and did not fire: B" in found.lines()


def test_what_comes_besides_is_told() -> None:
    """So does one that nobody announced."""
    found = judge(Alerts("A", "B", "Other", at_once=3))
    assert not found.good
    assert "fired without being announced: Other" in found.lines()


def test_what_fired_before_is_not_held_against_the_run() -> None:
    """Whoever begins in the middle of an incident is told so, and no more."""
    assert judge(Alerts("A", "B", "Other", at_once=3), before=("Other",)).good


def test_late_ones_are_waited_for() -> None:
    """What is pending when the run ends may still fire within the grace."""

    class Patient(Alerts):
        def waits(self) -> float:
            return 5.0

    found = judge(Patient("A", "B", "Other"))
    assert found.unannounced == {"Other"}
    assert not found.missing


@pytest.mark.parametrize(
    ("plan", "pace", "why"),
    [
        (PLAN, "production", "demo pace"),
        (Plan(**{**PLAN.__dict__, "judged": False}), "demo", "SECONDS or RATE"),
    ],
)
def test_what_cannot_be_judged_is_told_only(plan: Plan, pace: str, why: str) -> None:
    """At production pace, and in runs of another length, alerts are named and nothing more."""
    found = judge(Alerts("Other", at_once=1), plan, pace=pace)
    assert found.good
    assert "alerts that fired: Other" in found.lines()
    assert why in found.lines()[-1]


def test_the_announcement() -> None:
    """It stands before the run, none included."""
    assert announcement(PLAN) == "alerts that this will fire: A, B; depending on the machine also: Slow"
    assert announcement(Plan("x", 1, 1, 1, {}, (), None)) == "alerts that this will fire: none"
