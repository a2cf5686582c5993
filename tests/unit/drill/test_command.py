"""What the drill command shows and keeps: lists, lines, tables, reports and exit codes."""

import io
import json
import os
import signal
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import pytest
from rich.console import Console

from firedrill.drill import command
from firedrill.drill.bound import Bound
from firedrill.drill.declared import declared_drills
from firedrill.drill.display import LiveTable, Plain, bound_lines
from firedrill.drill.report import last_line, last_result, remember, write_report
from firedrill.drill.result import Result, Step
from firedrill.errors import EnvironmentProblem, UsageError
from firedrill.pace.check import PROJECT

BOUND = Bound(1.5, 1.5, 18.0, 1.0, 30.0, crosses=6.0, fires=24.0, drains=28.5)
STEPS = (
    Step("fault", "fault", 0.0, 1000.0, text="judgment/execution_error"),
    Step("notified", "fault", 27.5, 1027.5, least=25.0, deadline=50.0),
    Step("heal", "heal", 0.0, 1027.6),
    Step("cleared", "heal", 45.0, 1072.6, least=30.0, deadline=75.0),
)
PASSED = Result("A", "judgment", "demo", 1000.0, 90.0, STEPS, BOUND, traffic={"sent": 100})
FAILED = replace(PASSED, steps=STEPS[:1], failed_step="pending", failure="step 'pending': too slow\n  why: x")
DRILL = declared_drills(PROJECT)[0]


def shown(*, terminal: bool = False) -> tuple[Console, io.StringIO]:
    """A console and what it wrote."""
    text = io.StringIO()
    return Console(file=text, force_terminal=terminal, width=120), text


def test_the_result_line_has_both_times_beside_their_bounds() -> None:
    """And the total, or the step that failed."""
    assert PASSED.line() == (
        "A: passed; notified in 27.5 s, lower bound 25.0 s, ratio 1.10; "
        "cleared in 45.0 s, lower bound 30.0 s, ratio 1.50; 90 s in all"
    )
    assert FAILED.line() == "A: FAILED at pending after 90.0 s"


def test_the_bound_is_shown_with_its_terms() -> None:
    """Window, for, group_wait, scrape and evaluation; window and group_interval for clearing."""
    rise, fall = bound_lines(BOUND)
    assert rise.startswith(
        "lower bound 25.0 s: 6.0 until the window is over the threshold, 18.0 for, 1 group_wait"
    )
    assert "up to 28.0 s with one scrape (1.5) and one evaluation (1.5)" in rise
    assert fall.startswith("to clear 30 s: 28.5 until the window has drained")
    assert fall.endswith("up to 60 s with one scrape and one evaluation")
    assert "none" in bound_lines(replace(BOUND, fires=None))[0]
    assert "never" in bound_lines(replace(BOUND, drains=None))[1]


def test_plain_lines_for_what_is_no_terminal() -> None:
    """One for each step, bounds and deadlines in it."""
    console, text = shown()
    listener = Plain(console, DRILL, "demo")
    listener.waiting("notified", 50.0)
    listener.bound(BOUND)
    listener.done(STEPS[1])
    listener.note("look here")
    assert "  notified    27.5 s after fault, at the least 25.0 s, deadline 50 s\n" in text.getvalue()
    assert "  note: look here\n" in text.getvalue()
    assert "lower bound 25.0 s" in text.getvalue()


def test_a_live_table_for_a_terminal() -> None:
    """Reached steps with their times, the one that is waited for, and what is known of the bound."""
    console, text = shown(terminal=True)
    with LiveTable(console, DRILL, "demo") as listener:
        listener.bound(BOUND)
        listener.done(STEPS[1])
        listener.waiting("resolved", 75.0)
        listener.note("look here")
    for piece in (
        "notified",
        "27.5 s",
        "25.0 s",
        "50 s",
        "resolved",
        "s left",
        "note: look here",
        "lower bound",
    ):
        assert piece in text.getvalue(), piece


def test_a_report_is_written_as_json_and_as_markdown(tmp_path: Path) -> None:
    """For programs and for people, failures included."""
    json_file, junit, markdown = write_report(tmp_path / "deep" / "drills", [PASSED, FAILED])
    found = json.loads(json_file.read_text())
    assert found["passed"] is False
    assert found["drills"][0]["bound"]["notified"] == 25.0
    assert found["drills"][0]["ratios"] == {"notified": 1.1, "cleared": 1.5}
    text = markdown.read_text()
    assert "| notified | fault | 27.5 s | 25.0 s | 50.0 s |  |" in text
    assert "step 'pending': too slow" in text
    assert "| judgment/A | 27.5 s | 25.0 s | 1.10 | 45.0 s | 30.0 s | 1.50 | 90 s | passed |" in text
    assert "notified: median ratio 1.10, worst 1.10." in text
    suite = ElementTree.parse(junit).getroot()
    assert (suite.get("tests"), suite.get("failures")) == ("2", "1")
    assert "too slow" in (suite.findtext("testcase/failure") or "")


def test_a_report_that_cannot_be_written_says_so(tmp_path: Path) -> None:
    """With another place as the next step."""
    (tmp_path / "file").write_text("")
    with pytest.raises(EnvironmentProblem, match="cannot be written"):
        write_report(tmp_path / "file" / "drills", [PASSED])


def test_the_last_result_of_a_drill_is_kept(tmp_path: Path) -> None:
    """And told in a few words; a broken file counts as none."""
    own = replace(PASSED, alert=DRILL.alert, slice=DRILL.slice)
    assert last_line(last_result(tmp_path, DRILL)) == "never run"
    remember(tmp_path, own)
    assert last_line(last_result(tmp_path, DRILL)) == "passed 1970-01-01 00:16 UTC at demo pace, 90 s"
    remember(tmp_path, replace(own, failed_step="pending"))
    assert last_line(last_result(tmp_path, DRILL)).startswith(
        "FAILED 1970-01-01 00:16 UTC at demo pace, at step"
    )
    next(tmp_path.iterdir()).write_text("{")
    assert last_result(tmp_path, DRILL) is None


def test_without_names_the_drills_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    """No stack is needed for that."""
    assert command.main([], None) == 0
    listed = capsys.readouterr().out
    assert all(drill.alert in listed for drill in declared_drills(PROJECT))
    assert "make drill NAME=" in listed


def test_an_unknown_name_is_a_wrong_call() -> None:
    """Before a stack is looked for; the error names the drills that there are."""
    with pytest.raises(UsageError, match="no drill for 'Nothing'"):
        command.main(["Nothing"], None)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_sigterm_ends_a_drill_as_ctrl_c_does(number: signal.Signals) -> None:
    """So that whoever stops it gets a healed stack; afterwards the handlers are as before."""
    before = signal.getsignal(number)
    with pytest.raises(KeyboardInterrupt):
        _interrupted_by(number)
    assert signal.getsignal(number) == before


def _interrupted_by(number: signal.Signals) -> None:
    with command.terminable():
        os.kill(os.getpid(), number)
