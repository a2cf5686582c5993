"""Which drills run at this moment, so that one does not take another's alerts for its own trouble."""

import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from .model import Drill
from .ports import ActiveAlert


class Roster:
    """The drills that run now and what they expect; safe for threads.

    What a drill expected besides its own alert may fire on for a while after its end (a burn rate over a long
    window): such a name is tolerated until it is seen no more.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._running: list[Drill] = []
        self._lingering: set[str] = set()
        self.beginning = threading.Lock()
        # Held while a drill brings its traffic: two at once are a jolt that services answer with 5xx.

    @contextmanager
    def running(self, drill: Drill) -> Iterator[None]:
        """`drill` runs as long as this lasts."""
        with self._lock:
            self._running.append(drill)
        try:
            yield
        finally:
            with self._lock:
                self._running.remove(drill)
                self._lingering |= drill.expects

    def expected_elsewhere(self, drill: Drill, active: Iterable[ActiveAlert]) -> frozenset[str]:
        """The names of alerts that are no business of `drill`."""
        names = {one.name for one in active}
        with self._lock:
            self._lingering &= names
            others = [one.expects for one in self._running if one is not drill]
            return frozenset(self._lingering.union(*others))
