"""How several drills look while they run: one live table on a terminal, plain lines otherwise."""

import threading
import time
from collections.abc import Sequence
from types import TracebackType
from typing import Protocol

from rich.console import Console
from rich.table import Table

from .bound import Bound
from .display import LiveTable, Plain, Redrawn, print_result
from .model import Drill
from .result import Result, Step
from .steps import Listener


class Board(Protocol):
    """Shows drills while they run."""

    def __enter__(self) -> "Board": ...
    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...

    def listener(self, drill: Drill) -> Listener:
        """The drill begins."""

    def ended(self, result: Result) -> None:
        """The drill has ended."""


def board_for(console: Console, drills: Sequence[Drill], pace: str) -> Board:
    """A table of the steps for one drill, of the drills for several; lines where there is no terminal."""
    if not console.is_terminal:
        return Lines(console, pace, several=len(drills) > 1)
    return Single(console, drills[0], pace) if len(drills) == 1 else Many(console, drills, pace)


class Lines:
    """Every step of every drill as a line."""

    def __init__(self, console: Console, pace: str, *, several: bool) -> None:
        self._console, self._pace, self._several = console, pace, several

    def __enter__(self) -> "Lines":
        return self

    def __exit__(self, *_: object) -> None:
        return None

    def listener(self, drill: Drill) -> Listener:
        """Lines that begin with the drill's name, where there are several."""
        return Plain(self._console, drill, self._pace, prefix=f"{drill.alert}: " if self._several else "")

    def ended(self, result: Result) -> None:
        """Its result, and why it failed."""
        print_result(self._console, result)


class Single(LiveTable):
    """The table of one drill's steps."""

    def listener(self, drill: Drill) -> Listener:
        """The table."""
        return self

    def ended(self, result: Result) -> None:
        """Its result, and why it failed."""
        print_result(self._console, result)


class Row:
    """One drill in the table of many."""

    def __init__(self) -> None:
        self.step, self.began, self.deadline = "", time.monotonic(), 0.0
        self.done_steps: dict[str, Step] = {}
        self.result: Result | None = None
        self.remark = ""

    def waiting(self, step: str, deadline: float | None) -> None:
        """The row shows it with the time that passes."""
        self.step, self.began, self.deadline = step, time.monotonic(), deadline or 0.0

    def done(self, step: Step) -> None:
        """Kept for its column."""
        self.done_steps[step.name] = step

    def note(self, text: str) -> None:
        """In the last column."""
        self.remark = text

    def bound(self, bound: Bound) -> None:
        """Comes with the steps."""


class Many(Redrawn):
    """One row for each drill."""

    def __init__(self, console: Console, drills: Sequence[Drill], pace: str) -> None:
        super().__init__(console)
        self._title = f"{len(drills)} drills, {pace} pace"
        self._began = time.monotonic()
        self._lock = threading.Lock()
        self._drills = list(drills)
        self._rows: dict[str, Row] = {}

    def listener(self, drill: Drill) -> Listener:
        """Its row."""
        with self._lock:
            row = self._rows[drill.name] = Row()
        return row

    def ended(self, result: Result) -> None:
        """The row shows the result."""
        self._rows[f"{result.slice}/{result.alert}"].result = result

    def _draw(self) -> Table:
        passed = time.monotonic() - self._began
        table = Table(title=f"{self._title}, {passed:.0f} s", title_justify="left")
        for heading in ("drill", "step", "time", "notified", "cleared", ""):
            table.add_column(heading, justify="left" if heading in {"drill", "step", ""} else "right")
        with self._lock:
            rows = dict(self._rows)
        for drill in self._drills:
            table.add_row(drill.name, *_cells(rows.get(drill.name)))
        return table


def _cells(row: Row | None) -> tuple[str, ...]:
    if row is None:
        return ("", "", "", "", "waits")
    times = [_beside(row.done_steps.get(name)) for name in ("notified", "cleared")]
    if row.result is None:
        passed = time.monotonic() - row.began
        return (row.step, f"{passed:.0f} of {row.deadline:.0f} s", *times, row.remark)
    if row.result.passed:
        return ("", f"{row.result.seconds:.0f} s", *times, "[green]passed[/]")
    failure = row.result.failure.splitlines()[0].replace("[", "(").replace("]", ")")
    return ("", f"{row.result.seconds:.0f} s", *times, f"[red]FAILED[/] {failure}")


def _beside(step: Step | None) -> str:
    if step is None:
        return ""
    return f"{step.seconds:.1f} s" + (f" of {step.least:.1f}" if step.least else "")
