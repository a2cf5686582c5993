"""The signal's graph: its limit, its steps and the time in which the fault was in."""

from pathlib import Path

from console.drills.graph import options, span
from firedrill.drill.declared import read_drills
from firedrill.drill.result import Step

ROOT = Path(__file__).resolve().parents[4]
DRILL = next(one for one in read_drills(ROOT / "services/fds/drills.yml") if one.alert == "FDSSLAViolation")
STEPS = (Step("calm", "start", 1, 100), Step("fault", "fault", 0, 110), Step("firing", "fault", 30, 140))


def test_the_limit_and_the_steps_are_lines() -> None:
    """Steps that follow at once have no line of their own; the limit is that of the drill's signal."""
    drawn = options(DRILL, [(110.0, 0.5), (120.0, 0.7)], STEPS, start=80, end=170)
    lines = drawn["series"][0]["markLine"]["data"]
    assert DRILL.signal is not None
    assert [one["yAxis"] for one in lines if "yAxis" in one] == [DRILL.signal.above]
    assert [one["label"]["formatter"] for one in lines if "xAxis" in one] == ["fault", "firing"]
    assert drawn["series"][0]["data"] == [[110_000, 0.5], [120_000, 0.7]]


def test_the_fault_is_an_area_until_it_is_healed() -> None:
    """While it is in, the area goes on to the end of the graph."""
    open_ = options(DRILL, [], STEPS, start=80, end=170)["series"][0]["markArea"]["data"]
    assert open_ == [[{"xAxis": 110_000}, {"xAxis": 170_000}]]
    healed = options(DRILL, [], (*STEPS, Step("heal", "heal", 0, 150)), start=80, end=170)
    assert healed["series"][0]["markArea"]["data"] == [[{"xAxis": 110_000}, {"xAxis": 150_000}]]
    assert options(DRILL, [], STEPS[:1], start=80, end=170)["series"][0]["markArea"]["data"] == []


def test_the_graph_begins_before_the_fault_and_ends_with_the_run() -> None:
    """A run that goes on reaches to now; a short one still has room."""
    assert span(STEPS, began=90, now=200, ended=None) == (80, 200)
    assert span(STEPS, began=90, now=999, ended=260) == (80, 260)
    assert span((), began=90, now=91, ended=None) == (60, 150)
