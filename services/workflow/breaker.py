"""Circuit breakers, one per node: after too many failures a peer is left alone for a while."""

from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from services.workflow.domain import BreakerMoved, BreakerState


@dataclass(frozen=True)
class Limits:
    """When a breaker opens, and for how long.

    Open after `consecutive` failures in a row, or when of the last `window` attempts (at least `fewest` of
    them) a share of `ratio` failed: a peer that fails every other time never fails five times in a row.
    """

    consecutive: int = 5
    window: int = 20
    fewest: int = 10
    ratio: float = 0.5
    cooldown_seconds: float = 10.0


class Breaker:
    """Closed, open, or half open with one trial; every change of state is told to `moved`."""

    def __init__(
        self,
        node_id: str,
        limits: Limits,
        *,
        clock: Callable[[], float],
        moved: Callable[[BreakerMoved], None],
    ) -> None:
        self.state = BreakerState.CLOSED
        self._node_id, self._limits = node_id, limits
        self._clock, self._moved = clock, moved
        self._recent: deque[bool] = deque(maxlen=limits.window)  # True: failed
        self._in_a_row = 0
        self._opened_at = 0.0
        self._trial = False
        self._era = 1  # counts states: an attempt of an earlier state says nothing about this one

    def admit(self) -> int | None:
        """A ticket to make an attempt with, or None; tell with it how the attempt ended."""
        if (
            self.state is BreakerState.OPEN
            and self._clock() - self._opened_at >= self._limits.cooldown_seconds
        ):
            self._move(BreakerState.HALF_OPEN, "the cool-down is over")
        if self.state is BreakerState.CLOSED:
            return self._era
        if self.state is BreakerState.OPEN or self._trial:
            return None
        self._trial = True
        return self._era

    def succeeded(self, ticket: int) -> None:
        """The attempt reached a peer that works."""
        if ticket != self._era:
            return
        if self.state is BreakerState.HALF_OPEN:
            self._move(BreakerState.CLOSED, "the trial succeeded")
        elif self.state is BreakerState.CLOSED:
            self._in_a_row = 0
            self._recent.append(False)

    def failed(self, ticket: int, reason: str) -> None:
        """The attempt did not; the reason is told when the breaker opens by it."""
        if ticket != self._era:
            return
        if self.state is BreakerState.HALF_OPEN:
            self._open(f"the trial failed: {reason}")
        elif self.state is BreakerState.CLOSED:
            self._in_a_row += 1
            self._recent.append(True)
            if self._in_a_row >= self._limits.consecutive:
                self._open(f"{self._in_a_row} failures in a row, last: {reason}")
            elif len(self._recent) >= self._limits.fewest and self._share() >= self._limits.ratio:
                self._open(f"{self._share():.0%} of {len(self._recent)} attempts failed, last: {reason}")

    def abandoned(self, ticket: int) -> None:
        """The attempt was given up by us, and says nothing about the peer."""
        if ticket == self._era:
            self._trial = False

    def trip(self, reason: str) -> None:
        """Open it whatever the peer does, or keep it open."""
        if self.state is BreakerState.OPEN:
            self._opened_at = self._clock()
        else:
            self._open(reason)

    def _share(self) -> float:
        return sum(self._recent) / len(self._recent)

    def _open(self, reason: str) -> None:
        self._opened_at = self._clock()
        self._move(BreakerState.OPEN, reason)

    def _move(self, after: BreakerState, reason: str) -> None:
        before, self.state = self.state, after
        self._recent.clear()
        self._in_a_row, self._trial = 0, False
        self._era += 1
        self._moved(BreakerMoved(self._node_id, before, after, reason))


def breakers(
    node_ids: Iterable[str],
    limits: Limits,
    *,
    clock: Callable[[], float],
    moved: Callable[[BreakerMoved], None],
) -> dict[str, Breaker]:
    """A breaker for each node; they belong to this process, and start closed."""
    return {one: Breaker(one, limits, clock=clock, moved=moved) for one in node_ids}
