"""What drills of every kind go through: on the roster, calm first, healed in any case, and a result."""

from collections.abc import Callable
from contextlib import ExitStack

from firedrill.errors import FiredrillError
from firedrill.pace import comparisons

from .healing import Healing
from .model import Deadlines, Drill
from .ports import LoadedRule, Surroundings, Timings
from .result import Result, StepFailed
from .roster import Roster
from .steps import CALM, Listener, Steps

CALM_STATES = frozenset({"pending", "firing"})
_GRACE = "count_over_time(up"  # how a rule asks whether Prometheus has known a target for long enough

Afterwards = Callable[[], None]


def nothing() -> None:
    """For drills that have nothing to do at this point."""


class Stage:
    """One run of one drill of any kind: what its steps work with, and what comes before and after them."""

    def __init__(
        self,
        drill: Drill,
        around: Surroundings,
        *,
        pace: str,
        listener: Listener,
        roster: Roster | None = None,
    ) -> None:
        self.drill, self.around, self.pace, self.listener = drill, around, pace, listener
        self.deadlines: Deadlines = drill.deadlines[pace]
        self.roster = roster or Roster()
        self.steps = Steps(drill, around, listener, self.roster)
        self.healing = Healing(drill.fault, around, self.steps)

    def perform(self, act: Callable[[float], Afterwards], *, clean: Callable[[], None] = nothing) -> Result:
        """The measured steps, up to the one that failed. KeyboardInterrupt passes, after the heal.

        `act` goes through all steps, from the unix time of the start on, and gives what is to be done when
        the fault is healed and `clean` has been called, which is called in any case.
        """
        started, failed_step, failure = self.around.clock.now(), "", ""
        try:
            with self.roster.running(self.drill), ExitStack() as cleaning:
                cleaning.callback(clean)
                cleaning.callback(self.healing.ensure)
                afterwards = act(started)
            afterwards()
        except StepFailed as failed:
            failed_step, failure = failed.step, str(failed)
        except FiredrillError as failed:
            failed_step, failure = self.steps.current, f"step '{self.steps.current}': {failed}"
        return Result(
            alert=self.drill.alert,
            slice=self.drill.slice,
            pace=self.pace,
            started_at=started,
            seconds=self.around.clock.now() - started,
            steps=tuple(self.steps.reached),
            failed_step=failed_step,
            failure=failure,
            notes=tuple(self.steps.notes),
        )

    def rule(self) -> tuple[LoadedRule, Timings]:
        """The drill's rule and its timings, as they are loaded."""
        around, labels = self.around, {"alertname": self.drill.alert, **self.drill.labels}
        rule = around.metrics.rule(self.drill)
        return rule, Timings(around.metrics.scrape_seconds(), *around.notifier.group_times(labels))

    def calm(self, started: float, disturbing: Callable[[], list[str]], *, seconds: float = 0.0) -> None:
        """Wait until nothing has disturbed for `seconds`, other alerts included. Raises StepFailed."""
        clock, quiet = self.around.clock, [started]

        def troubles() -> list[str]:
            return disturbing() + self.steps.others(CALM_STATES)

        def calm() -> bool:
            if troubles():
                quiet[0] = clock.now()
                return False
            return clock.now() - quiet[0] >= seconds

        self.steps.until(
            CALM,
            calm,
            ends=started + 2 * self.deadlines.clear,
            missing=lambda: "not calm, " + (", ".join(troubles()) or "until just now"),
            todo="find out what is wrong before a drill adds to it: firedrill query ALERTS",
        )
        self.steps.done(CALM, "start", started)

    def unknown_targets(self, rule: LoadedRule) -> list[str]:
        """The grace that a rule gives targets after a start of Prometheus, where it is not over for all.

        Within it the rule holds back, whatever is broken.
        """
        found = []
        for one in comparisons(rule.expression):
            if one.left.startswith(_GRACE) and one.operator in {">", ">="}:
                opposite = {">": "<=", ">=": "<"}[one.operator]
                value = self.around.metrics.value
                if count := value(f"count({one.left} {opposite} {one.right})"):
                    text = f"{count:.0f} targets that Prometheus has not scraped {one.right} times yet"
                    found.append(f"{text} ({one.left})")
                elif not value(f"count({one.left} {one.operator} {one.right})"):
                    found.append(f"no target that Prometheus has scraped ({one.left})")
        return found
