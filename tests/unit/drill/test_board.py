"""How drills look while they run: lines with names, or one table with a row for each."""

import io
from dataclasses import replace

from rich.console import Console

from firedrill.drill.board import Lines, Many, Single, board_for
from firedrill.drill.declared import declared_drills
from firedrill.drill.result import Result, Step
from firedrill.pace.check import PROJECT

FIRST, SECOND, *_ = declared_drills(PROJECT)
NOTIFIED = Step("notified", "fault", 27.5, 1027.5, least=25.0, deadline=50.0)
PASSED = Result(FIRST.alert, FIRST.slice, "demo", 1000.0, 90.0, (NOTIFIED,))
FAILED = replace(
    PASSED,
    alert=SECOND.alert,
    slice=SECOND.slice,
    failed_step="pending",
    failure="step 'pending': [x] is slow\n  why: y",
)


def console(*, terminal: bool) -> tuple[Console, io.StringIO]:
    """A console and what it wrote."""
    text = io.StringIO()
    return Console(file=text, force_terminal=terminal, width=200, height=60), text


def test_the_form_follows_terminal_and_number() -> None:
    """Lines for a file, the steps of one drill, or a row for each of several."""
    plain, screen = console(terminal=False)[0], console(terminal=True)[0]
    assert isinstance(board_for(plain, [FIRST, SECOND], "demo"), Lines)
    assert isinstance(board_for(screen, [FIRST], "demo"), Single)
    assert isinstance(board_for(screen, [FIRST, SECOND], "demo"), Many)


def test_lines_of_several_drills_say_whose_they_are() -> None:
    """Of one alone they need not; results and failures stand at the end."""
    screen, text = console(terminal=False)
    with Lines(screen, "demo", several=True) as board:
        board.listener(FIRST).done(NOTIFIED)
        board.ended(FAILED)
    assert f"{FIRST.alert}:   notified    27.5 s after fault, at the least 25.0 s" in text.getvalue()
    assert f"{SECOND.alert}: FAILED at pending" in text.getvalue()
    assert "[x] is slow" in text.getvalue()
    screen, text = console(terminal=False)
    with Lines(screen, "demo", several=False) as board:
        board.listener(FIRST).done(NOTIFIED)
    assert text.getvalue().splitlines()[-1].startswith("  notified")


def test_a_table_has_a_row_for_each_drill() -> None:
    """What waits, what runs and since when, what has ended and how."""
    screen, text = console(terminal=True)
    with Many(screen, [FIRST, SECOND], "demo") as board:
        first, second = board.listener(FIRST), board.listener(SECOND)
        first.waiting("notified", 50.0)
        first.done(NOTIFIED)
        second.note("look here")
        board.ended(FAILED)
    shown = text.getvalue()
    for piece in ("27.5 s of 25.0", "of 50 s", "FAILED", "(x) is slow", FIRST.name, SECOND.name):
        assert piece in shown, piece


def test_a_drill_that_has_not_begun_waits() -> None:
    """Its row is there from the beginning."""
    screen, text = console(terminal=True)
    with Many(screen, [FIRST, SECOND], "demo") as board:
        board.listener(FIRST)
        board.ended(PASSED)
    assert "waits" in text.getvalue()
    assert "passed" in text.getvalue()
