"""One drill in a process of its own: python -m console.drills.process <slice>/<Alert> <results folder>.

Steps come out as lines of JSON. Standard input is a pipe from the console: the word `stop` on it, its end
(the console died) and SIGTERM stop the drill, which heals its fault before it ends.
"""

import os
import signal
import sys
import threading
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

from console.settings import Settings
from firedrill.binaries import locate
from firedrill.clients import open_http
from firedrill.drill.bound import Bound, lower_bound
from firedrill.drill.display import bound_lines
from firedrill.drill.heartbeat import HeartbeatRunner
from firedrill.drill.live import surroundings
from firedrill.drill.model import HEARTBEAT, Drill
from firedrill.drill.ports import Surroundings
from firedrill.drill.report import remember
from firedrill.drill.result import Result, Step
from firedrill.drill.runner import Runner
from firedrill.drill.schedule import StoppableClock
from firedrill.errors import EnvironmentProblem, FiredrillError

from . import events
from .catalogue import declared, drill_of
from .peers import running_stack, why_not

Say = Callable[[str], None]


class Telling:
    """Every step of the drill as a line."""

    def __init__(self, say: Say, *, now: Callable[[], float]) -> None:
        self._say, self._now = say, now

    def waiting(self, step: str, deadline: float | None) -> None:
        """A step begins."""
        self._say(events.waiting_line(step, deadline, at=self._now()))

    def done(self, step: Step) -> None:
        """A step was reached."""
        self._say(events.done_line(step))

    def note(self, text: str) -> None:
        """Something that a reader should know."""
        self._say(events.note_line(text))

    def bound(self, bound: Bound) -> None:
        """The lower bound in words."""
        self._say(events.bound_line(bound_lines(bound)))


def run(drill: Drill, around: Surroundings, *, pace: str, say: Say, results: Path) -> None:
    """Run the drill and tell of it; `around.clock` may stop it, and then all is healed."""
    listener = Telling(say, now=around.clock.now)
    try:
        result = _result(drill, around, pace=pace, listener=listener)
    except KeyboardInterrupt:
        say(events.stopped_line())
        return
    except FiredrillError as error:
        say(events.problem_line(error))
        return
    try:
        remember(results, result)
    except EnvironmentProblem as error:
        listener.note(f"the result could not be kept: {error.why}")
    say(events.result_line(result))


def _result(drill: Drill, around: Surroundings, *, pace: str, listener: Telling) -> Result:
    if drill.kind == HEARTBEAT:
        return HeartbeatRunner(drill, around, pace=pace, listener=listener).run()
    bound = lower_bound if locate("promtool") else None
    if bound is None:
        listener.note("no lower bound: promtool, which computes it, is not where this console runs")
    return Runner(drill, around, pace=pace, listener=listener, bound=bound).run()


def saying(stop: threading.Event) -> Say:
    """Lines on standard output; a console that no longer reads them stops the drill."""

    def say(line: str) -> None:
        try:
            sys.stdout.write(line + "\n")
            sys.stdout.flush()
        except OSError:
            stop.set()

    return say


def obey(stop: threading.Event) -> None:
    """Set `stop` on SIGTERM and the like, on the word on standard input, and at its end."""

    def told(*_: object) -> None:
        stop.set()

    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, told)

    def listen() -> None:
        # Not sys.stdin: a thread that waits in it keeps the interpreter from ending.
        while (words := os.read(0, 4096)) and b"stop" not in words:
            pass
        stop.set()

    threading.Thread(target=listen, name="console", daemon=True).start()


def main(name: str, results: Path, environ: Mapping[str, str]) -> None:
    """Run the drill of that name in the stack that the environment names."""
    stop = threading.Event()
    obey(stop)
    say = saying(stop)
    settings = Settings.from_environment(environ)
    try:
        drill = drill_of(declared(settings), name)
        if why := why_not(drill, settings):
            raise EnvironmentProblem(f"{drill.alert} cannot run from here", why)
        found = running_stack(settings, environ)
        with open_http() as http:
            around = replace(surroundings(found, http), clock=StoppableClock(stop))
            run(drill, around, pace=found.pace, say=say, results=results)
    except FiredrillError as error:
        say(events.problem_line(error))


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), os.environ)
