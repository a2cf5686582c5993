"""A drill's fault while it is set: healed whatever happens."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager

from firedrill.clients import Refused
from firedrill.errors import EnvironmentProblem, UsageError
from firedrill.wait import TimedOut, poll_until

from .model import AnyFault, ProcessFault
from .ports import Surroundings
from .steps import Steps

HEAL_SECONDS = 10.0  # how long a heal is tried again when the service does not answer
PROCESS_HEAL_SECONDS = 90.0  # a process must start and become ready
LONGEST_TTL_SECONDS = 3600  # the most that a service takes; slow drills at production pace need more
TTL_MARGIN_SECONDS = 60  # after the last moment at which the drill itself would heal


class Healing:
    """Sets the fault of one drill and heals it."""

    def __init__(self, fault: AnyFault, around: Surroundings, steps: Steps) -> None:
        self._fault, self._around, self._steps = fault, around, steps
        self._is_set = False

    def inject(self, *, at_most: float) -> float:
        """Set the fault, for `at_most` seconds; gives the unix time from which it works.

        A fault works from its arrival on, so the time is taken before the request; a process is down when
        it has been stopped.
        """
        around, steps = self._around, self._steps
        steps.current = "fault"
        faulted = around.clock.now()
        self._is_set = True  # also when the request fails: it may have arrived
        try:
            ttl = min(int(at_most) + TTL_MARGIN_SECONDS, LONGEST_TTL_SECONDS)
            around.faults.set(self._fault, ttl_seconds=ttl)
        except (Refused, UsageError, EnvironmentProblem):  # so nothing is broken
            self._is_set = False
            raise
        steps.done("fault", "fault", faulted, text=str(self._fault))
        return faulted

    def heal(self) -> float:
        """Clear the fault; gives the unix time at which that was asked for."""
        self._steps.current = "heal"
        healed = self._around.clock.now()
        self._clear()
        took = self._around.clock.now() - healed
        text = f"ready again after {took:.1f} s" if isinstance(self._fault, ProcessFault) else ""
        self._steps.done("heal", "heal", healed, at=healed, text=text)
        return healed

    def ensure(self) -> None:
        """Heal whatever happened; the fault's own end is the last resort."""
        if not self._is_set:
            return
        clock = self._around.clock
        is_process = isinstance(self._fault, ProcessFault)
        seconds = PROCESS_HEAL_SECONDS if is_process else HEAL_SECONDS
        with undisturbed():
            try:
                poll_until(self._clear, "heal", seconds, interval=0.5, clock=clock.now, pause=clock.pause)
            except TimedOut as late:
                last = str(late).partition("; ")[2]
                what = (
                    f"{self._fault.service} could not be started again: make up"
                    if is_process
                    else "the fault could not be cleared and ends by itself"
                )
                self._steps.note(f"{what} ({last})")

    def _clear(self) -> bool:
        self._around.faults.clear(self._fault)
        self._is_set = False
        return True


@contextmanager
def undisturbed() -> Iterator[None]:
    """Ctrl-C and SIGTERM wait until the cleaning is done."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGTERM, signal.SIGHUP})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
