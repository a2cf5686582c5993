"""When requests leave: an even flow at a rate that changes with time, shared by the users of one kind."""

from collections.abc import Callable, Iterator

Rate = Callable[[float], float]
GRID_SECONDS = 0.1  # how finely a changing rate is followed
LATE_SECONDS = 1.0  # a request that could not leave within this is given up and counted as missed
NEVER_SECONDS = 24 * 3600.0


def arrivals(rate: Rate, end: float) -> Iterator[float]:
    """The seconds after the start at which requests leave, spaced by `rate` (a second), until `end`."""
    now, need = 0.0, 1.0
    while now < end:
        current = max(0.0, rate(now))
        if current * GRID_SECONDS >= need:
            now += need / current
            need = 1.0
            if now < end:
                yield now
        else:
            need -= current * GRID_SECONDS
            now += GRID_SECONDS


class Gate:
    """Hands every user the time of its next request, so that together they keep the asked rate.

    Open loop as long as a user is free: slow answers do not bend the flow. When none is free a request is
    late, and one later than LATE_SECONDS is dropped and counted in `missed` instead of sent in a crowd.
    """

    def __init__(self, rate: Rate, end: float, *, clock: Callable[[], float]) -> None:
        self._clock, self._began = clock, clock()
        self._due = arrivals(rate, end)
        self.taken = self.missed = 0

    def wait(self) -> float:
        """Seconds until the caller's next request is due, 0 if it is late; NEVER_SECONDS after the end."""
        now = self._clock() - self._began
        for due in self._due:
            if due < now - LATE_SECONDS:
                self.missed += 1
                continue
            self.taken += 1
            return max(0.0, due - now)
        return NEVER_SECONDS
