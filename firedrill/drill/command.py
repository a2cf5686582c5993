"""`firedrill drill`: lists the drills, or runs those that are named and says what was measured."""

import signal
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from types import FrameType
from typing import NoReturn

from rich.console import Console

from firedrill.errors import FiredrillError

from .board import board_for
from .declared import chosen, declared_drills
from .heartbeat import HeartbeatRunner
from .live import RunningStack, surroundings
from .model import HEARTBEAT, Drill
from .ports import Surroundings
from .report import checked, last_line, last_result, remember, spread, write_report
from .result import Result
from .roster import Roster
from .runner import Runner
from .schedule import SIDE_BY_SIDE, StoppableClock, run_side_by_side
from .steps import Listener

PROJECT = Path(__file__).resolve().parents[2]
INTERRUPTED = 130  # what a shell reports after Ctrl-C
ALL = "all"


def main(names: list[str], report: Path | None) -> int:
    """Run the drills of the alerts `names` (or `all`) on the running stack; without names, list them.

    Returns 0 when all passed, 1 when one failed, 130 after Ctrl-C or SIGTERM; the faults are healed and the
    traffic stopped in every case. Raises NotRunning, UsageError for an unknown name, TopologyError for
    a drills.yml that cannot be used.
    """
    drills = declared_drills(PROJECT)
    console = Console()
    results = PROJECT / "reports" / "drills"
    if not names:
        _list(console, drills, results)
        return 0
    wanted = drills if names == [ALL] else chosen(drills, names)
    if report:
        checked(report)
    from firedrill.stack import current  # noqa: PLC0415 - listing the drills needs no stack

    found = current()
    stack: RunningStack = found
    reports = [path for path in (report, results / "drills" if names == [ALL] else None) if path]
    # The console sees the stack's folder, and not always the checkout.
    also = [found.state_folder / "drills"]
    around = surroundings(stack)
    return run_all(console, wanted, around, pace=stack.pace, results=results, also=also, reports=reports)


def run_all(
    console: Console,
    drills: Sequence[Drill],
    around: Surroundings,
    *,
    pace: str,
    results: Path,
    also: Sequence[Path] = (),
    reports: Sequence[Path] = (),
    width: int = SIDE_BY_SIDE,
) -> int:
    """Run `drills`, side by side where they do not disturb each other; see `main`.

    Each result is kept in `results` and in the folders `also`.
    """
    done: list[Result] = []
    roster = Roster()
    board = board_for(console, drills, pace)

    def run(drill: Drill, clock: StoppableClock) -> Result:
        return _run(drill, replace(around, clock=clock), pace, board.listener(drill), roster)

    def ended(result: Result) -> None:
        done.append(result)
        board.ended(result)
        for folder in (results, *also):
            _remember(console, folder, result)

    def cost(drill: Drill) -> float:
        last = last_result(results, drill)
        known = last["seconds"] if last and last["passed"] and last["pace"] == pace else None
        return float(known or drill.deadlines[pace].fire + drill.deadlines[pace].clear)

    try:
        with terminable(), board:
            run_side_by_side(drills, run, cost=cost, ended=ended, width=width)
    except KeyboardInterrupt:
        console.print("interrupted; the faults are healed and the traffic stopped", highlight=False)
        return INTERRUPTED
    finally:
        _sum_up(console, done, reports)
    return 0 if all(result.passed for result in done) else 1


def _run(drill: Drill, around: Surroundings, pace: str, listener: Listener, roster: Roster) -> Result:
    if drill.kind == HEARTBEAT:
        return HeartbeatRunner(drill, around, pace=pace, listener=listener, roster=roster).run()
    return Runner(drill, around, pace=pace, listener=listener, roster=roster).run()


def _sum_up(console: Console, done: Sequence[Result], reports: Sequence[Path]) -> None:
    """How many passed, how near the bounds, what failed, and where it is written."""
    if len(done) > 1:
        passed = sum(one.passed for one in done)
        console.print(f"{passed} of {len(done)} drills passed", highlight=False)
        for name in ("notified", "cleared"):
            if found := spread(done, name):
                text = f"{name}: median ratio {found['median']:.2f}, worst {found['worst']:.2f}"
                console.print(text, highlight=False)
        for one in done:
            if not one.passed:
                console.print(f"{one.line()}\n{one.failure}", highlight=False, markup=False, soft_wrap=True)
    for report in reports if done else ():
        for path in write_report(report, done):
            console.print(f"report: {path}", highlight=False, soft_wrap=True)


def _remember(console: Console, folder: Path, result: Result) -> None:
    """A result that cannot be kept does not fail the drill."""
    try:
        remember(folder, result)
    except FiredrillError as error:
        console.print(f"note: {error.what}: {error.why}", highlight=False, markup=False)


def _list(console: Console, drills: Sequence[Drill], results: Path) -> None:
    width = max((len(drill.alert) for drill in drills), default=0)
    for drill in drills:
        line = f"{drill.alert:<{width}}  {drill.slice:<10}  {last_line(last_result(results, drill))}"
        console.print(line, highlight=False, markup=False, soft_wrap=True)
    console.print("run one: make drill NAME=<alert>; all: make drills", highlight=False)


@contextmanager
def terminable() -> Iterator[None]:
    """SIGTERM and a lost terminal end a drill as Ctrl-C does: the fault is healed first."""

    def interrupt(number: int, frame: FrameType | None) -> NoReturn:
        raise KeyboardInterrupt

    before = {number: signal.signal(number, interrupt) for number in (signal.SIGTERM, signal.SIGHUP)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
