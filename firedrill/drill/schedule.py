"""Which drill runs when: side by side as long as none disturbs another, the longest chains first."""

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager

from .model import EVERYTHING, HEARTBEAT, Drill
from .result import Result

SIDE_BY_SIDE = 4  # each polls a few times a second and drives tens of requests; two cores carry as many


class StoppableClock:
    """The machine's clock, whose waits end with KeyboardInterrupt once `stop` is set; only the first does.

    Ctrl-C reaches the main thread alone. After it a drill still needs its waits for healing.
    """

    def __init__(self, stop: threading.Event) -> None:
        self._stop, self._told = stop, False

    def now(self) -> float:
        """Unix seconds."""
        return time.time()

    def pause(self, seconds: float) -> None:
        """Sleep, or raise KeyboardInterrupt."""
        if self._told:
            time.sleep(seconds)
        elif self._stop.wait(seconds):
            self._told = True
            raise KeyboardInterrupt


class Queue:
    """The drills that are to run; `cost` is the time that each is thought to take."""

    def __init__(self, drills: Sequence[Drill], *, cost: Callable[[Drill], float]) -> None:
        self._cost = cost
        self._waiting = list(drills)
        self._running: list[Drill] = []

    def take(self) -> Drill | None:
        """The next drill that may start now: the first of the service that has the most to do; None for none.

        Those of one service keep their order: what one leaves behind in a long window is the next one's past.
        """
        free = [one for one in self._waiting if not any(one.disturbed_by(other) for other in self._running)]
        chosen = max(free, key=self._load, default=None)  # the first of those with as much
        if chosen is not None:
            self._waiting.remove(chosen)
            self._running.append(chosen)
        return chosen

    def ended(self, drill: Drill) -> None:
        """It no longer disturbs the others."""
        self._running.remove(drill)

    def _load(self, drill: Drill) -> float:
        """What waits for the same places, itself included; who disturbs everything waits for a gap.

        A heartbeat comes last: Prometheus begins anew in it, and a bound needs what came before.
        """
        if drill.kind == HEARTBEAT:
            return -1.0
        if EVERYTHING in drill.disturbs and len(self._waiting) > 1:
            return 0.0
        return sum(self._cost(one) for one in self._waiting if one.disturbs & drill.disturbs)


def run_side_by_side(
    drills: Sequence[Drill],
    run: Callable[[Drill, StoppableClock], Result],
    *,
    cost: Callable[[Drill], float],
    ended: Callable[[Result], None],
    width: int = SIDE_BY_SIDE,
) -> None:
    """Run all, `width` at a time; `ended` is called in this thread with each result.

    KeyboardInterrupt stops the drills, waits until all have healed, and passes.
    """
    queue, stop = Queue(drills, cost=cost), threading.Event()
    running: dict[Future[Result], Drill] = {}
    with ThreadPoolExecutor(width) as pool, _stopping(stop, running):
        while True:
            while len(running) < width and (drill := queue.take()):
                running[pool.submit(run, drill, StoppableClock(stop))] = drill
            if not running:
                return
            done, _ = wait(running, return_when=FIRST_COMPLETED)
            for future in done:
                queue.ended(running.pop(future))
                ended(future.result())


@contextmanager
def _stopping(stop: threading.Event, running: dict[Future[Result], Drill]) -> Iterator[None]:
    """Whatever ends this, no drill goes on and none leaves its fault."""
    try:
        yield
    finally:
        stop.set()
        wait(running)
