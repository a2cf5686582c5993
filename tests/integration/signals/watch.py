"""One loop over all wishes: first what traffic brings, then, fault by fault, what only errors bring."""

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Protocol

import httpx

from firedrill.wait import TimedOut, poll_until
from tests.integration.signals.wishes import Step, Stores, Wish

LONGEST_SECONDS = 330.0
INTERVAL_SECONDS = 0.2


class Faults(Protocol):
    """The fault switches of the running services."""

    def put(self, service: str, fault: str, parameters: Mapping[str, object]) -> None:
        """Set a fault; httpx.HTTPError when that fails."""

    def clear(self, service: str, fault: str) -> None:
        """Take it away; no error when it is not set."""


class Group:
    """Wishes that are looked at together from the first look on; each has its own time."""

    def __init__(
        self, wishes: Iterable[Wish], told: Callable[[Wish, str], None], *, clock: Callable[[], float]
    ) -> None:
        self._open, self._told, self._clock = list(wishes), told, clock
        self._begun = clock()
        self._due: dict[int, float] = {}

    def waits(self, longest: float = float("inf")) -> bool:
        """Whether a wish that may take up to `longest` seconds is still open."""
        return any(wish.within <= longest for wish in self._open)

    def look(self, stores: Stores) -> None:
        """Look once at each open wish, and tell those that are met or late."""
        for wish in list(self._open):
            spent = self._clock() - self._begun
            if self._due.get(id(wish), 0.0) > spent:
                continue
            self._due[id(wish)] = spent + wish.every
            why = _why(wish, stores)
            if not why:
                self._close(wish, "")
            elif spent > wish.within:
                self._close(wish, f"not within {spent:.0f} s: {why}")

    def give_up(self, why: str) -> None:
        """Tell all open wishes that they were not met."""
        for wish in list(self._open):
            self._close(wish, why)

    def _close(self, wish: Wish, why: str) -> None:
        self._open.remove(wish)
        self._told(wish, why)


class Queue:
    """Steps one after another: look, set the fault, wait for its wishes, heal, wait for what follows."""

    def __init__(self, steps: Sequence[Step], faults: Faults, told: Callable[[Wish, str], None],
                 *, clock: Callable[[], float]) -> None:  # fmt: skip
        self._left, self._faults, self._told, self._clock = list(steps), faults, told, clock
        self._now: Step | None = None
        self._during, self._after = self._group(()), self._group(())

    def _group(self, wishes: Iterable[Wish]) -> Group:
        return Group(wishes, self._told, clock=self._clock)

    def advance(self, stores: Stores) -> bool:
        """Do what can be done now; True when nothing is left."""
        if self._now is None:
            if not self._left:
                return True
            self._begin(self._left.pop(0), stores)
        elif self._during.waits():
            self._during.look(stores)
            if not self._during.waits():
                self._heal()
        else:
            self._after.look(stores)
        if not self._during.waits() and not self._after.waits():
            self._now = None
        return False

    def _begin(self, step: Step, stores: Stores) -> None:
        for wish in (*step.during, *step.after):
            wish.unmet(stores)  # remembers how it stands
        try:
            self._faults.put(step.service, step.fault, step.parameters)
        except httpx.HTTPError as error:
            self._group((*step.during, *step.after)).give_up(f"the fault could not be set: {error}")
            return
        self._now = step
        self._during, self._after = self._group(step.during), self._group(step.after)

    def _heal(self) -> None:
        assert self._now is not None
        self._faults.clear(self._now.service, self._now.fault)
        self._after = self._group(self._now.after)

    def stop(self) -> None:
        """Leave no fault behind, and tell what was not reached."""
        if self._now is not None:
            self._faults.clear(self._now.service, self._now.fault)
        left = (wish for step in self._left for wish in (*step.during, *step.after))
        for group in (self._during, self._after, self._group(left)):
            group.give_up("there was no time left for it")


def watch(
    stores: Stores,
    wishes: Sequence[Wish],
    queues: Sequence[Sequence[Step]],
    faults: Faults,
    *,
    patience: float,
    clock: Callable[[], float] = time.monotonic,
) -> Mapping[str, str]:
    """Look until every wish is met or late: by name, nothing or what was missing.

    Faults begin when no wish of up to `patience` seconds waits for traffic any more, so that no fault can
    bring what traffic should. The steps of a queue follow one another; queues run side by side.
    """
    results: dict[str, str] = {}

    def told(wish: Wish, why: str) -> None:
        results[wish.name] = why

    traffic = Group(wishes, told, clock=clock)
    running = [Queue(steps, faults, told, clock=clock) for steps in queues]

    def look() -> bool:
        stores.scrapes.renew()
        traffic.look(stores)
        if traffic.waits(patience):
            return False
        ended = [queue.advance(stores) for queue in running]
        return all(ended) and not traffic.waits()

    try:
        poll_until(look, "all signals", LONGEST_SECONDS, interval=INTERVAL_SECONDS)
    except TimedOut as error:
        traffic.give_up(str(error))
    finally:
        for queue in running:
            queue.stop()
    return results


def _why(wish: Wish, stores: Stores) -> str:
    try:
        return wish.unmet(stores)
    except Exception as error:  # a probe that fails means "not yet", as in poll_until
        return f"{type(error).__name__}: {error}"
