"""The ideal series: counters by rate or as recorded, levels that move; the rules that an alert stands on."""

import pytest
import yaml

from firedrill.drill.ideal import MISSING, Course, History
from firedrill.drill.model import IdealLevel, IdealSeries
from firedrill.drill.needed import needed_rules
from firedrill.drill.ports import LoadedRule
from firedrill.drill.recorded import Recorded

TIMES = [0.0, 10.0, 20.0, 30.0, 40.0]
STEADY = History(background_rate=1.0, traffic_rate=9.0, traffic_seconds=5.0)


def values(one: IdealSeries | IdealLevel, history: History = STEADY) -> list[float | str]:
    """One series at TIMES, with the fault at 10 and the heal at 30."""
    [(series, text)] = Course([one], history).values(TIMES, 10.0, 30.0)
    assert series == one.series
    return [each if each == MISSING else float(each) for each in text.split()]


def test_a_counter_grows_with_the_rates_and_with_what_each_request_adds() -> None:
    """Background until 5, then traffic too; twice as much under the fault, one at once; then as before."""
    assert values(IdealSeries("x", 1, 2)) == [0.0, 55.0, 256.0, 456.0, 556.0]


def test_a_counter_begins_with_what_was_recorded() -> None:
    """And is missing where Prometheus has nothing; between two samples it is thought to grow evenly."""
    recorded = {"x": Recorded(8.0, (100.0, 140.0))}
    found = values(IdealSeries("x", 0, 1), History(1.0, 9.0, 5.0, recorded))
    assert found == [MISSING, 140.0, 241.0, 341.0, 341.0]
    longer = {"x": Recorded(20.0, (100.0, 140.0))}
    assert values(IdealSeries("x", 0, 1), History(1.0, 9.0, 5.0, longer))[0] == 120.0


def test_a_level_jumps_or_waits_or_moves() -> None:
    """At once for a process that is down; after some seconds; or as requests arrive, ten a second here."""
    assert values(IdealLevel("up", 1, 0, 1)) == [1, 0, 0, 1, 1]
    assert values(IdealLevel("x", 0, 1, 0, faulty_after=15)) == [0, 0, 0, 0, 0]
    assert values(IdealLevel("x", 0, 1, 0, faulty_after=5, healed_after=5)) == [0, 0, 1, 1, 0]
    assert values(IdealLevel("x", 1, 0, 1, faulty_over=200, healed_over=400)) == [1, 1, 0.5, 0, 0.25]


def test_a_level_that_has_not_moved_all_the_way_comes_back_from_where_it_is() -> None:
    """The heal came early."""
    assert values(IdealLevel("x", 1, 0, 1, faulty_over=400, healed_over=100)) == [1, 1, 0.75, 0.5, 1]


def test_without_the_fault_nothing_moves() -> None:
    """What the contract tests compare with."""
    assert values(IdealSeries("x", 0, 1).quiet()) == [0] * 5
    assert values(IdealSeries("x", 0, 1, strongest=2).quiet().worst()) == [0] * 5
    assert values(IdealLevel("x", 1, 0, 0.5).quiet()) == [1] * 5


def test_the_slowest_level_says_how_long_to_look() -> None:
    """Waits and moves; counters need none."""
    level = IdealLevel("x", 1, 0, 1, healed_after=5, faulty_over=100, healed_over=200)
    assert Course([IdealSeries("y", 0, 1), level], STEADY).slowest == pytest.approx(25.0)
    assert Course([], STEADY).slowest == 0.0


def test_an_alert_stands_on_the_records_that_it_reads() -> None:
    """Its own range, on top of the longest of those below it; what it does not read is left out."""
    rules = [
        {"record": "base", "expr": "sum(rate(x[1m]))"},
        {"record": "mean", "expr": "avg_over_time(base[2m])"},
        {"record": "other", "expr": "sum(rate(x[1d]))"},
        {"alert": "A", "expr": "mean > 1 and sum(rate(y[30s])) > 0"},
    ]
    text = yaml.safe_dump({"groups": [{"name": "g", "rules": rules}, {"name": "h", "rules": rules[2:3]}]})
    found = needed_rules(LoadedRule("mean > 1 and sum(rate(y[30s])) > 0", 0.0, 1.5, text))
    assert found.longest_range == 30.0 + 120.0 + 60.0
    [group] = yaml.safe_load(found.rule_file)["groups"]
    assert [rule.get("record", "A") for rule in group["rules"]] == ["base", "mean", "A"]
