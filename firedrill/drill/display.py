"""How a running drill looks: a live table on a terminal, plain lines otherwise."""

import time
from abc import ABC, abstractmethod
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.live import Live
from rich.table import Table

from .bound import Bound
from .model import HEARTBEAT, Drill
from .result import HEARTBEAT_STEPS, STEPS, Result, Step


class Redrawn(ABC):
    """A table that is drawn again and again as long as its context lasts."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._live: Live | None = None

    def __enter__(self) -> Self:
        self._live = Live(console=self._console, get_renderable=self._draw, refresh_per_second=4)
        self._live.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._live:
            self._live.__exit__(kind, error, trace)

    @abstractmethod
    def _draw(self) -> Table:
        """The table as it is now; called from a thread of its own."""


class Plain:
    """One line for each step."""

    def __init__(self, console: Console, drill: Drill, pace: str, *, prefix: str = "") -> None:
        self._console, self._prefix = console, prefix
        self._say(f"drill {drill.alert} ({drill.slice}), {pace} pace")

    def waiting(self, step: str, deadline: float | None) -> None:
        """Nothing: the line comes when the step is reached."""

    def done(self, step: Step) -> None:
        """The step with its time, beside the bound and the deadline."""
        least = f", at the least {step.least:.1f} s" if step.least is not None else ""
        deadline = f", deadline {step.deadline:.0f} s" if step.deadline is not None else ""
        text = f"  {step.text}" if step.text else ""
        self._say(f"  {step.name:<9}{step.seconds:7.1f} s after {step.since}{least}{deadline}{text}")

    def note(self, text: str) -> None:
        """A line of its own."""
        self._say(f"  note: {text}")

    def bound(self, bound: Bound) -> None:
        """The terms of the lower bound."""
        for line in bound_lines(bound):
            self._say(f"  {line}")

    def _say(self, text: str) -> None:
        self._console.print(self._prefix + text, highlight=False, markup=False, soft_wrap=True)


class LiveTable(Redrawn):
    """The same as a table that is drawn again while the drill runs."""

    def __init__(self, console: Console, drill: Drill, pace: str) -> None:
        super().__init__(console)
        self._title = f"{drill.alert} ({drill.slice}), {pace} pace"
        self._steps: dict[str, Step] = {}
        self._lines: list[str] = []
        self._current, self._began = "", time.monotonic()
        self._deadline: float | None = None
        self._kind = drill.kind

    def waiting(self, step: str, deadline: float | None) -> None:
        """The step's row shows the time that passes."""
        self._current, self._began, self._deadline = step, time.monotonic(), deadline

    def done(self, step: Step) -> None:
        """The step's row shows its time."""
        self._steps[step.name] = step
        self._current = ""

    def note(self, text: str) -> None:
        """A line under the table."""
        self._lines.append(f"note: {text}")

    def bound(self, bound: Bound) -> None:
        """The terms of the lower bound, under the table."""
        self._lines.extend(bound_lines(bound))

    def _draw(self) -> Table:
        table = Table(
            title=self._title, title_justify="left", caption="\n".join(self._lines), caption_justify="left"
        )
        for heading in ("step", "measured", "at the least", "deadline", ""):
            table.add_column(heading, justify="left" if heading in {"step", ""} else "right")
        for name in HEARTBEAT_STEPS if self._kind == HEARTBEAT else STEPS:
            table.add_row(*self._row(name))
        return table

    def _row(self, name: str) -> tuple[str, ...]:
        step = self._steps.get(name)
        if step:
            least = f"{step.least:.1f} s" if step.least is not None else ""
            deadline = f"{step.deadline:.0f} s" if step.deadline is not None else ""
            return (name, f"{step.seconds:.1f} s", least, deadline, step.text)
        if name == self._current:
            passed = time.monotonic() - self._began
            left = f"{max(0.0, self._deadline - passed):.0f} s left" if self._deadline is not None else ""
            return (name, f"… {passed:.0f} s", "", left, "")
        return (name, "", "", "", "")


def print_result(console: Console, result: Result) -> None:
    """The result in one line, and why it failed."""
    for line in (result.line(), result.failure):
        if line:
            console.print(line, highlight=False, markup=False, soft_wrap=True)


def bound_lines(bound: Bound) -> list[str]:
    """The lower bound with its terms."""
    if bound.fires is None or bound.crosses is None or bound.notified is None or bound.usual is None:
        return ["lower bound: none, the rule never fires on the ideal series"]
    lines = [
        f"lower bound {bound.notified:.1f} s: {bound.crosses:.1f} until the window is over the threshold, "
        f"{bound.fires - bound.crosses:.1f} for, {bound.group_wait:g} group_wait; "
        f"up to {bound.usual:.1f} s with one scrape ({bound.scrape:g}) and one evaluation "
        f"({bound.evaluation:g}) waited for in full"
    ]
    soon, late = bound.cleared(), bound.cleared(late=bound.scrape + bound.evaluation)
    if bound.drains is None or soon is None or late is None:
        return [*lines, "to clear: never on the ideal series"]
    return [
        *lines,
        f"to clear {soon:g} s: {bound.drains:.1f} until the window has drained, told at a group_interval"
        + (f"; up to {late:g} s with one scrape and one evaluation" if late > soon else ""),
    ]
