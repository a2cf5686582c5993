"""The lower bound: promtool runs the rule on ideal series, and gives the numbers that one can work out."""

import os
from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from firedrill.binaries import locate
from firedrill.drill.bound import Bound, History, lower_bound
from firedrill.drill.model import Deadlines, Drill, Fault, IdealSeries, Signal, TrafficPlan
from firedrill.drill.ports import LoadedRule, Timings

pytestmark = pytest.mark.skipif(
    locate("promtool") is None, reason="promtool is not on this machine; get it: firedrill build prometheus"
)

TIMINGS = Timings(scrape=1.5, group_wait=1.0, group_interval=30.0)
STEADY = History(background_rate=0.0, traffic_rate=10.0, traffic_seconds=600.0)
DRILL = Drill(
    alert="A",
    file=Path("services/x/drills.yml"),
    labels={"system": "s"},
    fault=Fault("x", "slow", {}),
    traffic=TrafficPlan("x", 10.0, "x"),
    signal=Signal("x", "x", above=0.0),
    ideal=(IdealSeries('bad_total{engine="a"}', 0, 1), IdealSeries('all_total{path="/"}', 1, 1)),
    deadlines={"demo": Deadlines(45, 75)},
    notices=(),
)


def rule(expression: str, *, for_seconds: float = 18.0, keep: str = "0s") -> LoadedRule:
    """A loaded rule that fires on `expression`."""
    one = {
        "alert": "A",
        "expr": expression,
        "for": f"{for_seconds:g}s",
        "keep_firing_for": keep,
        "labels": {"system": "s"},
    }
    other = {"alert": "A", "expr": "vector(1)", "labels": {"system": "another"}}
    text = yaml.safe_dump({"groups": [{"name": "g", "rules": [one, other]}]})
    return LoadedRule(expression, for_seconds, 1.5, text)


def bound(
    expression: str, *, history: History = STEADY, for_seconds: float = 18.0, keep: str = "0s"
) -> Bound:
    """The bound of a rule with that expression."""
    return lower_bound(DRILL, rule(expression, for_seconds=for_seconds, keep=keep), TIMINGS, history)


def test_a_count_crosses_when_that_many_have_come() -> None:
    """More than 50 at 10 a second: 5 seconds; increase() looks a little ahead."""
    found = bound("sum(increase(bad_total[30s])) > 50")
    assert found.crosses == pytest.approx(5.0, abs=0.35)
    assert found.crosses is not None
    assert found.fires is not None
    assert found.notified is not None
    assert found.fires == pytest.approx(found.crosses + 18.0)
    assert found.notified == pytest.approx(found.fires + 1.0)
    assert found.usual == pytest.approx(found.notified + 3.0)


def test_a_window_drains_when_what_is_left_is_below_the_limit() -> None:
    """50 are left when 5 of the 30 seconds are; the sample before the window is out of it."""
    found = bound("sum(increase(bad_total[30s])) > 50")
    assert found.drains == pytest.approx(30.0 - 1.5 - 5.0, abs=0.75)
    assert found.cleared() == 30.0
    assert found.cleared(late=3.0) == 30.0


def test_a_ratio_needs_longer_the_more_healthy_traffic_the_window_holds() -> None:
    """Half of a full window is half of it; with 6 seconds of traffic in it, half comes sooner."""
    ratio = "sum(increase(bad_total[30s])) / sum(increase(all_total[30s])) > 0.5"
    full, short = bound(ratio), bound(ratio, history=replace(STEADY, traffic_seconds=6.0))
    assert full.crosses == pytest.approx(15.0, abs=1.5)
    assert short.crosses is not None
    assert short.crosses < 9.0


def test_the_strongest_series_bound_the_firing_and_the_fault_alone_the_clearing() -> None:
    """Half of the requests are bad by the fault and all may be: over the limit twice as fast."""
    ratio = "sum(increase(bad_total[30s])) / sum(increase(all_total[30s])) > 0.25"
    part = IdealSeries('bad_total{engine="a"}', 0, 0.5)
    found = {}
    for name, series in {"alone": part, "busy": replace(part, strongest=1)}.items():
        drill = replace(DRILL, ideal=(series, DRILL.ideal[1]))
        found[name] = lower_bound(drill, rule(ratio), TIMINGS, STEADY, lasted=60.0)
    assert found["alone"].crosses == pytest.approx(15.0, abs=1.5)
    assert found["busy"].crosses == pytest.approx(7.5, abs=1.5)
    assert found["alone"].drains == found["busy"].drains


def test_for_is_rounded_up_to_evaluations() -> None:
    """An evaluation every 1.5 s cannot see that 4 seconds have passed before 4.5 have."""
    found = bound("sum(increase(bad_total[30s])) > 50", for_seconds=4.0)
    assert found.fires is not None
    assert found.crosses is not None
    assert found.fires - found.crosses == pytest.approx(4.5)


def test_a_rule_that_the_fault_never_reaches_has_no_bound() -> None:
    """300 is all that a window of 30 s can hold."""
    found = bound("sum(increase(bad_total[30s])) > 400")
    assert (found.crosses, found.fires, found.drains) == (None, None, None)
    assert found.notified is found.usual is found.cleared() is None


def test_a_rule_that_is_pending_and_never_fires_has_half_a_bound() -> None:
    """The window empties before `for` is over only if the fault ends; so here it fires."""
    found = bound("sum(increase(bad_total[30s])) > 50 < 200", for_seconds=60.0)
    assert found.crosses is not None
    assert found.fires is None


def test_a_rule_that_keeps_firing_drains_later() -> None:
    """keep_firing_for comes on top."""
    plain, kept = (bound("sum(increase(bad_total[30s])) > 50", keep=keep) for keep in ("0s", "9s"))
    assert plain.drains is not None
    assert kept.drains == pytest.approx(plain.drains + 9.0, abs=1.6)


def test_the_resolved_notice_waits_for_the_next_tick() -> None:
    """Ticks count from the firing notice: a heal that comes later is told sooner, or a tick later."""
    found = Bound(1.5, 1.5, 18.0, 1.0, 30.0, crosses=5.0, fires=23.0, drains=28.5)
    assert found.cleared() == 30.0
    assert found.cleared(healed_after=1.0) == 29.0
    assert found.cleared(healed_after=2.0) == 58.0
    assert found.cleared(late=3.0) == 60.0


def test_a_bound_takes_less_than_two_seconds() -> None:
    """Of processor time, promtool's included, at production pace too; a drill waits for it."""
    began = _processor_seconds()
    bound("sum(increase(bad_total[5m])) / sum(increase(all_total[5m])) > 0.01", for_seconds=180.0)
    assert _processor_seconds() - began < 2.0


def _processor_seconds() -> float:
    spent = os.times()
    return spent.user + spent.system + spent.children_user + spent.children_system
