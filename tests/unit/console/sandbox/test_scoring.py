"""Points: what is worth how much, and that each line says why."""

from dataclasses import replace

import pytest

from console.sandbox import moves, scoring, watching
from console.sandbox.chosen import Plan
from console.sandbox.model import Incident, StoppedProcess
from console.sandbox.run import Run, Seen
from console.sandbox.scoring import score, shift_total
from tests.unit.console.sandbox.test_run import broken, page, paged


def perfect(incident: Incident) -> Run:
    """Everything right at once; the page came at 140."""
    run = moves.acknowledge(paged(incident), 150.0)
    run, _ = moves.answer_choice(run, "where", "feed", 160.0)
    run, _ = moves.answer_choice(run, "cause", "slow", 170.0)
    run, _ = moves.answer_since(run, 111.0, 180.0)
    run = moves.done(run, moves.deed_of(run, "spare", 200.0))
    return watching.observe(run, Seen(231.0, messages=[page(230.0, status="resolved")]))


def points(run: Run) -> dict[str, int]:
    """By line."""
    return {line.what: line.points for line in score(run).lines}


def test_all_right_is_a_hundred(incident: Incident) -> None:
    """And every line says why."""
    found = score(perfect(incident))
    assert scoring.MOST == 100
    assert (found.total, found.verdict) == (100, "Ready for the pager.")
    assert all(line.why for line in found.lines)


def test_doing_nothing_is_nothing(incident: Incident) -> None:
    """Time ran out."""
    found = score(watching.observe(paged(incident), Seen(10_000.0, broken=True)))
    assert found.total == 0
    assert found.verdict.startswith("Not yet")


def test_hints_and_wrong_actions_cost(incident: Incident) -> None:
    """What the file says, each as a line of its own."""
    run = moves.take_hint(moves.acknowledge(paged(incident), 150.0), 151.0)
    run = moves.done(run, moves.deed_of(run, "restart", 152.0))
    run = moves.done(run, moves.deed_of(run, "spare", 153.0))
    found = points(moves.end(run, 200.0))
    assert (found["Hint 1"], found["Did not help"]) == (-3, -5)
    assert score(moves.end(run, 200.0)).total == 10 + 25 + 10 - 3 - 5


def test_the_total_is_never_below_nothing(incident: Incident) -> None:
    """However much was done wrong."""
    run = paged(incident)
    for name in ("restart", "wait"):
        run = moves.done(run, moves.deed_of(run, name, 700.0))
    assert score(moves.end(run, 735.0)).total == 0


@pytest.mark.parametrize(("after", "worth"), [(0, 10), (60, 10), (180, 5), (300, 0), (500, 0)])
def test_taking_the_page_late_is_worth_less(incident: Incident, after: float, worth: int) -> None:
    """All within a minute, nothing after five."""
    run = moves.end(moves.acknowledge(paged(incident), 140.0 + after), 735.0)
    assert points(run)["Page taken"] == worth


@pytest.mark.parametrize(("after", "worth"), [(240, 10), (420, 5), (600, 0)])
def test_mending_late_is_worth_less(incident: Incident, after: float, worth: int) -> None:
    """All within four tenths of the time given, nothing at its end."""
    run = paged(incident)
    run = moves.done(run, moves.deed_of(run, "spare", 140.0 + after))
    assert points(run)["Time to mend"] == worth


def test_second_attempts_and_near_times_are_worth_half(incident: Incident) -> None:
    """Rounded."""
    run, _ = moves.answer_choice(paged(incident), "cause", "moon", 150.0)
    run, _ = moves.answer_choice(run, "cause", "slow", 151.0)
    run, _ = moves.answer_since(run, 145.0, 152.0)
    found = points(moves.end(run, 160.0))
    assert (found["The cause"], found["Since when"]) == (12, 8)


def test_switching_a_fault_off_is_no_mitigation(incident: Incident) -> None:
    """It heals, which counts for the time, but earns nothing: nobody has such a switch in earnest."""
    run = watching.observe(moves.acknowledge(paged(incident), 141.0), Seen(180.0, broken=False))
    found = points(run)
    assert (found["Mended"], found["Time to mend"]) == (0, 10)


def test_starting_a_stopped_process_by_hand_is_the_mitigation(incident: Incident) -> None:
    """`firedrill start` is what one would do."""
    run = paged(incident)
    stopped = Plan(1, 5.0, (StoppedProcess("promtail"),), run.plan.choices, run.plan.actions)
    run = watching.observe(replace(run, plan=stopped), Seen(180.0, broken=False))
    assert points(run)["Mended"] == 25


def test_what_could_not_be_run_has_no_score(incident: Incident) -> None:
    """And says why."""
    found = score(watching.observe(broken(incident), Seen(10_000.0, broken=True)))
    assert (found.lines, found.total) == ((), 0)
    assert "no page came" in found.verdict


def test_a_shift_is_the_mean() -> None:
    """Of what counted."""
    assert shift_total([100, 50, 61]) == (
        70,
        "On call with a colleague beside you; read the expert's path and try another one.",
    )
    assert shift_total([])[0] == 0
