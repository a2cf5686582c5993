"""What two gauges show of the last minutes: how many users were active, and how often the cache hit."""

import threading
from collections import OrderedDict, deque
from collections.abc import Callable
from typing import Final
from uuid import UUID

WINDOW_SECONDS: Final = 300.0
MOST_USERS: Final = 200_000
"""Some 40 MB; beyond it the least recent are forgotten, and the gauge stays there."""
FEWEST_LOOKUPS: Final = 20
"""A ratio of fewer says nothing."""
_SLICE_SECONDS: Final = 10.0


class ActiveUsers:
    """Distinct users of the last five minutes; may be asked from any thread."""

    def __init__(self, *, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._seen: OrderedDict[UUID, float] = OrderedDict()
        self._lock = threading.Lock()

    def touch(self, user: UUID) -> None:
        """A user did something."""
        with self._lock:
            self._seen[user] = self._clock()
            self._seen.move_to_end(user)
            if len(self._seen) > MOST_USERS:
                self._seen.popitem(last=False)

    def count(self) -> int:
        """How many there were."""
        oldest = self._clock() - WINDOW_SECONDS
        with self._lock:
            while self._seen and next(iter(self._seen.values())) <= oldest:
                self._seen.popitem(last=False)
            return len(self._seen)


class HitRatio:
    """Hits by look-ups of the last five minutes; may be asked from any thread."""

    def __init__(self, *, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._slices: deque[list[float]] = deque()  # begin, look-ups, hits
        self._lock = threading.Lock()

    def looked(self, *, hit: bool) -> None:
        """A look-up; a cache that cannot be asked does not hit."""
        now = self._clock()
        with self._lock:
            if not self._slices or now - self._slices[-1][0] >= _SLICE_SECONDS:
                self._slices.append([now, 0, 0])
                self._forget(now)
            self._slices[-1][1] += 1
            self._slices[-1][2] += hit

    def ratio(self) -> float | None:
        """0 to 1; None while there were too few look-ups."""
        with self._lock:
            self._forget(self._clock())
            lookups = sum(each[1] for each in self._slices)
            hits = sum(each[2] for each in self._slices)
        return hits / lookups if lookups >= FEWEST_LOOKUPS else None

    def _forget(self, now: float) -> None:
        while self._slices and self._slices[0][0] <= now - WINDOW_SECONDS:
            self._slices.popleft()
