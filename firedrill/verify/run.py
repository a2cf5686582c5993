"""Runs checks side by side until each has passed or the common deadline is over."""

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor

from firedrill.verify.check import Check, Missing, Outcome, Seen, attempt_once
from firedrill.verify.seams import State
from firedrill.wait import TimedOut, poll_until

# Phases (firedrill.local.records) in which a service does its work, and those that nothing ends but a person.
UP = frozenset({"ready", "finished"})
HELD = frozenset({"held", "stopped", "build failed"})

# A check whose service is held is tried this long all the same: it then tells what it really misses.
PATIENCE_SECONDS = 3.0

States = Callable[[], Mapping[str, State]]


class Progress:
    """What the checks have found so far; read by the display while they run."""

    def __init__(self, checks: Sequence[Check]) -> None:
        self._lock = threading.Lock()
        self._waiting = {check.name: "" for check in checks}
        self._outcomes: list[Outcome] = []

    def still_missing(self, name: str, what: str) -> None:
        """Note what the last attempt at a check did not find."""
        with self._lock:
            self._waiting[name] = what

    def ended(self, outcome: Outcome) -> None:
        """Note that a check has ended."""
        with self._lock:
            self._waiting.pop(outcome.check, None)
            self._outcomes.append(outcome)

    def waiting(self) -> dict[str, str]:
        """The checks that have not ended, each with what it misses."""
        with self._lock:
            return dict(self._waiting)

    def outcomes(self) -> list[Outcome]:
        """The checks that have ended, in the order in which they did."""
        with self._lock:
            return list(self._outcomes)


class Runner:
    """Polls every check in threads of a pool; `seconds` counts from the construction."""

    def __init__(
        self,
        states: States,
        *,
        deadline_seconds: float,
        patience_seconds: float = PATIENCE_SECONDS,
        interval: float = 0.5,
        clock: Callable[[], float] = time.monotonic,
        pause: Callable[[float], None] = time.sleep,
    ) -> None:
        self._patience, self._interval, self._clock, self._pause = patience_seconds, interval, clock, pause
        self._states, self._lock = states, threading.Lock()
        self._known: tuple[float, Mapping[str, State]] | None = None
        self._start = clock()
        self._end = self._start + deadline_seconds

    def seconds(self) -> float:
        """Seconds since the start."""
        return self._clock() - self._start

    def left(self) -> float:
        """Seconds to the deadline, never below 0."""
        return max(0.0, self._end - self._clock())

    def run(self, checks: Sequence[Check], progress: Progress) -> list[Outcome]:
        """Run all, one thread each (they wait far more than they work); outcomes in the order of `checks`."""
        with ThreadPoolExecutor(max_workers=max(1, len(checks))) as pool:
            return list(pool.map(lambda check: self._one(check, progress), checks))

    def _one(self, check: Check, progress: Progress) -> Outcome:
        last = Missing("not tried within the deadline")

        def step() -> Seen | Missing | None:
            nonlocal last
            found = attempt_once(check)
            if isinstance(found, Seen):
                return found
            last = found
            progress.still_missing(check.name, found.what)
            # Nobody brings a held service back while we wait for the deadline.
            return (
                found
                if found.final or (self.seconds() >= self._patience and self._not_up(check, HELD))
                else None
            )

        try:
            found = poll_until(
                step, check.name, self.left(), interval=self._interval, clock=self._clock, pause=self._pause
            )
        except TimedOut:
            found = last
        outcome = self._outcome(check, found or last)
        progress.ended(outcome)
        return outcome

    def _outcome(self, check: Check, found: Seen | Missing) -> Outcome:
        if isinstance(found, Seen):
            return Outcome(check.name, "passed", self.seconds(), found.detail)
        causes = self._not_up(check, None)
        todo = found.todo
        if causes:
            names = " ".join(cause.split()[1] for cause in causes)
            todo = f"`firedrill start {names}`, or see `firedrill logs {names.split()[0]}`"
        return Outcome(check.name, "failed", self.seconds(), found.what, found.query, todo, causes)

    def _not_up(self, check: Check, phases: frozenset[str] | None) -> tuple[str, ...]:
        """The needed services that are in one of `phases`, or in none in which they work."""
        states = self._current_states()
        causes = []
        for name in check.needs:
            state = states.get(name)
            if state is None:
                causes.append(f"service {name} was not started")
            elif state.phase in phases if phases is not None else state.phase not in UP:
                detail = f": {state.detail}" if state.detail else ""
                causes.append(f"service {name} is not running ({state.phase}{detail})")
        return tuple(causes)

    def _current_states(self) -> Mapping[str, State]:
        """The services' states, not older than a second: to ask a container engine takes its time."""
        with self._lock:
            if self._known is None or self._clock() - self._known[0] > 1.0:
                self._known = (self._clock(), self._states())
            return self._known[1]
