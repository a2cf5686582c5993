"""`firedrill drill`: lists the drills, or runs those that are named and says what was measured."""

import signal
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import NoReturn

from rich.console import Console

from firedrill.errors import FiredrillError

from .declared import chosen, declared_drills
from .display import LiveTable, Plain, result_lines
from .live import RunningStack, surroundings
from .model import Drill
from .ports import Surroundings
from .report import last_line, last_result, remember, write_report
from .result import Result
from .runner import Runner

PROJECT = Path(__file__).resolve().parents[2]
INTERRUPTED = 130  # what a shell reports after Ctrl-C


def main(names: list[str], report: Path | None) -> int:
    """Run the drills of the alerts `names` (or `all`) on the running stack; without names, list them.

    Returns 0 when all passed, 1 when one failed, 130 after Ctrl-C or SIGTERM; the fault is healed and the
    traffic stopped in every case. Raises NotRunning, UsageError for an unknown name, TopologyError for
    a drills.yml that cannot be used.
    """
    drills = declared_drills(PROJECT)
    console = Console()
    results = PROJECT / "reports" / "drills"
    if not names:
        _list(console, drills, results)
        return 0
    wanted = drills if names == ["all"] else chosen(drills, names)
    from firedrill.stack import current  # noqa: PLC0415 - listing the drills needs no stack

    stack: RunningStack = current()
    return run_all(console, wanted, surroundings(stack), pace=stack.pace, results=results, report=report)


def run_all(
    console: Console,
    drills: Sequence[Drill],
    around: Surroundings,
    *,
    pace: str,
    results: Path,
    report: Path | None,
) -> int:
    """Run `drills` one after another; see `main`."""
    done: list[Result] = []
    try:
        with terminable():
            for drill in drills:
                done.append(_run(console, drill, around, pace))
                _remember(console, results, done[-1])
    except KeyboardInterrupt:
        console.print("interrupted; the fault is healed and the traffic stopped", highlight=False)
        return INTERRUPTED
    finally:
        if report and done:
            for path in write_report(report, done):
                console.print(f"report: {path}", highlight=False, soft_wrap=True)
    return 0 if all(result.passed for result in done) else 1


def _run(console: Console, drill: Drill, around: Surroundings, pace: str) -> Result:
    shown = LiveTable if console.is_terminal else Plain
    with shown(console, drill, pace) as listener:
        result = Runner(drill, around, pace=pace, listener=listener).run()
    for line in result_lines(result):
        console.print(line, highlight=False, markup=False, soft_wrap=True)
    return result


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
    console.print("run one: make drill NAME=<alert>; all: make drill NAME=all", highlight=False)


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
