"""The steps of a drill: waiting for each with a deadline, looking for what must not happen meanwhile."""

from collections.abc import Callable, Sequence
from typing import Protocol, TypeVar

from firedrill.errors import FiredrillError
from firedrill.wait import TimedOut, poll_until

from .bound import Bound
from .model import Drill
from .ports import ActiveAlert, RunningTraffic, Surroundings
from .result import Step, StepFailed
from .roster import Roster
from .watch import strangers

POLL_SECONDS = 0.2  # a fifth of the shortest term of the bound, group_wait at demo pace
CALM = "calm"

T = TypeVar("T")


class Listener(Protocol):
    """Is told what a drill does."""

    def waiting(self, step: str, deadline: float | None) -> None:
        """A step begins; `deadline` is in seconds from now."""

    def done(self, step: Step) -> None:
        """A step was reached."""

    def note(self, text: str) -> None:
        """Something that a reader should know."""

    def bound(self, bound: Bound) -> None:
        """The lower bound is known."""


class Steps:
    """What a drill has reached, and the way to the next step."""

    def __init__(self, drill: Drill, around: Surroundings, listener: Listener, roster: Roster) -> None:
        self._drill, self._around, self._listener, self._roster = drill, around, listener, roster
        self.reached: list[Step] = []
        self.notes: list[str] = []
        self.current = CALM
        self.active: Sequence[ActiveAlert] = ()
        self.traffic: RunningTraffic | None = None
        self.sees_alerts = True

    def until(
        self,
        step: str,
        check: Callable[[], T | StepFailed | None],
        *,
        ends: float,
        missing: Callable[[], str],
        why: Callable[[], str] = lambda: "",
        todo: str = "",
    ) -> T:
        """Poll `check` until the unix time `ends`, and look for what must not happen meanwhile.

        `active` holds the alerts as of the same poll. Raises StepFailed.
        """
        self.current, clock = step, self._around.clock
        self._listener.waiting(step, ends - clock.now())

        def guarded() -> T | StepFailed | None:
            if self.sees_alerts:
                self.active = self._around.metrics.active()
            return (self._disturbed(step) if step != CALM else None) or check()

        try:
            found = poll_until(
                guarded, step, ends - clock.now(), interval=POLL_SECONDS, clock=clock.now, pause=clock.pause
            )
        except TimedOut as late:
            reason = tried(why) or str(late).partition("; ")[2]
            raise StepFailed(step, tried(missing) or "not in time", reason, todo) from None
        if isinstance(found, StepFailed):
            raise found
        assert found is not None  # poll_until returns truthy values only
        return found

    def others(self, states: frozenset[str]) -> list[str]:
        """Alerts in `states` that neither this drill expects nor one beside it."""
        elsewhere = self._roster.expected_elsewhere(self._drill, self.active)
        return strangers(self._drill, self.active, states=states, elsewhere=elsewhere)

    def done(
        self,
        name: str,
        since: str,
        start: float,
        *,
        at: float | None = None,
        least: float | None = None,
        deadline: float | None = None,
        text: str = "",
    ) -> None:
        """A step was reached at unix second `at`, or now."""
        moment = self._around.clock.now() if at is None else at
        step = Step(name, since, moment - start, moment, least, deadline, text)
        self.reached.append(step)
        self._listener.done(step)

    def at(self, name: str) -> float:
        """When a step was reached, in unix seconds."""
        return next(one.at for one in self.reached if one.name == name)

    def note(self, text: str) -> None:
        """Tell it now and keep it for the report."""
        self.notes.append(text)
        self._listener.note(text)

    def _disturbed(self, step: str) -> StepFailed | None:
        """What must not happen meanwhile."""
        others = self.others(frozenset({"firing"}))
        if others:
            return StepFailed(
                step,
                f"unexpected: {', '.join(others)}",
                "another alert fired during the drill",
                "if it follows from the fault, name it in the drill's also_expected",
            )
        why = self.traffic.ended() if self.traffic else None
        return StepFailed(step, "the drill's traffic ended by itself", why or "") if why else None


def tried(say: Callable[[], str]) -> str:
    """The explanation, or nothing when the backend that it asks is away."""
    try:
        return say()
    except FiredrillError as error:
        return error.what
