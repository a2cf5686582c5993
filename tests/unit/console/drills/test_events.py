"""A drill's lines folded into what a page shows."""

import json

from console.drills import events
from console.drills.events import Progress, Waiting
from firedrill.drill.result import Result, Step
from firedrill.errors import UsageError

BEGUN = Progress("fds/A", 100.0)
CALM = Step("calm", "start", 3.0, 103.0)
FAULT = Step("fault", "fault", 0.1, 104.0, None, 29.0, "fds/slow")


def folded(*lines: str, now: float = 200.0, progress: Progress = BEGUN) -> Progress:
    """The progress after these lines."""
    for line in lines:
        event = events.read(line)
        assert event is not None
        progress = events.after(progress, event, now=now)
    return progress


def test_steps_come_one_after_the_other() -> None:
    """A step is waited for with its deadline, then reached with its time."""
    found = folded(events.waiting_line("calm", None, at=100.0))
    assert found.waiting == Waiting("calm", 100.0, None)
    found = folded(events.done_line(CALM), events.waiting_line("fault", 29.0, at=103.0), progress=found)
    assert (found.steps, found.waiting) == ((CALM,), Waiting("fault", 103.0, 29.0))
    assert found.step("calm") == CALM
    assert found.step("fault") is None


def test_the_result_ends_it_with_the_bounds_computed_last() -> None:
    """Steps of the result replace those told before: their lower bounds are the final ones."""
    better = Step("calm", "start", 3.0, 103.0, 1.0)
    result = Result("A", "fds", "demo", 100.0, 50.0, (better, FAULT))
    found = folded(events.done_line(CALM), events.result_line(result))
    assert (found.state, found.steps, found.ended, found.waiting) == ("passed", (better, FAULT), 200.0, None)
    assert found.is_over


def test_a_failure_names_its_step() -> None:
    """What failed and why stays on the page."""
    result = Result(
        "A", "fds", "demo", 100.0, 50.0, (CALM,), failed_step="signal", failure="step 'signal': no"
    )
    found = folded(events.result_line(result))
    assert (found.state, found.failed_step, found.failure) == ("failed", "signal", "step 'signal': no")


def test_notes_and_bound_are_kept() -> None:
    """In the order in which they came."""
    found = folded(events.note_line("one"), events.bound_line(["35 s"]), events.note_line("two"))
    assert (found.notes, found.bound) == (("one", "two"), ("35 s",))


def test_stopped_and_problem_end_it() -> None:
    """A stop is no failure; what could not begin says what to do."""
    assert folded(events.stopped_line()).state == "stopped"
    found = folded(events.problem_line(UsageError("what", "why", "do")))
    assert (found.state, found.failure) == ("failed", "what\nwhy\ndo")


def test_a_process_that_dies_leaves_its_last_words() -> None:
    """One that had its result has not died, whatever its exit code."""
    assert events.died(BEGUN, "Killed", now=7.0).state == "died"
    assert "Killed" in events.died(BEGUN, "Killed", now=7.0).failure
    over = folded(events.stopped_line())
    assert events.died(over, "x", now=300.0) == over


def test_lines_that_are_no_events_change_nothing() -> None:
    """Whatever else a process prints."""
    assert events.read("Traceback") is None
    assert events.read("[1]") is None
    assert events.read(json.dumps({"event": 3})) is None
    assert events.after(BEGUN, {"event": "new"}, now=1.0) == BEGUN
