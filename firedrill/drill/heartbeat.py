"""The drill of an alert that always fires: Prometheus stops, the inbox reports silence, Prometheus starts.

Prometheus gives an alert an end of four resend times after it last sent it, so Alertmanager goes on repeating
for as long; the inbox waits for its limit after the last heartbeat that it heard. Both are in the bound.
"""

import math
from contextlib import ExitStack

from firedrill.errors import FiredrillError

from . import runbook
from .healing import Healing
from .model import Deadlines, Drill
from .ports import Pulse, Surroundings, Timings
from .result import Result, StepFailed
from .roster import Roster
from .steps import Listener, Steps

ENDS_AFTER = 4  # resend times: Prometheus's own constant (rules/alerting.go, resolvedRetention aside)


class HeartbeatRunner:
    """One run of a heartbeat's drill."""

    def __init__(
        self,
        drill: Drill,
        around: Surroundings,
        *,
        pace: str,
        listener: Listener,
        roster: Roster | None = None,
    ) -> None:
        self._drill, self._around, self._pace = drill, around, pace
        self._deadlines: Deadlines = drill.deadlines[pace]
        self._roster = roster or Roster()
        self._steps = Steps(drill, around, listener, self._roster)
        self._healing = Healing(drill.fault, around, self._steps)

    def run(self) -> Result:
        """As Runner.run."""
        started, failed_step, failure = self._around.clock.now(), "", ""
        try:
            with self._roster.running(self._drill), ExitStack() as cleaning:
                cleaning.callback(self._healing.ensure)
                self._go(started)
        except StepFailed as failed:
            failed_step, failure = failed.step, str(failed)
        except FiredrillError as failed:
            failed_step, failure = self._steps.current, f"step '{self._steps.current}': {failed}"
        return Result(
            alert=self._drill.alert,
            slice=self._drill.slice,
            pace=self._pace,
            started_at=started,
            seconds=self._around.clock.now() - started,
            steps=tuple(self._steps.reached),
            failed_step=failed_step,
            failure=failure,
            notes=tuple(self._steps.notes),
        )

    def _go(self, started: float) -> None:
        around, steps = self._around, self._steps
        rule = around.metrics.rule(self._drill)
        timings = Timings(
            around.metrics.scrape_seconds(),
            *around.notifier.group_times({"alertname": self._drill.alert, **self._drill.labels}),
        )
        resend = max(rule.evaluation_seconds, around.metrics.resend_seconds())
        alive = self._calm(started)
        evaluated = around.metrics.evaluated_at(self._drill)
        steps.sees_alerts = False  # nothing evaluates them any more
        faulted = self._healing.inject(at_most=self._deadlines.fire)
        self._silence(faulted, silent_after(alive, faulted, resend, timings))
        runbook.follow(self._drill, around, steps, faulted=faulted)
        healed = self._healing.heal()
        ready = around.clock.now()
        evaluation = rule.evaluation_seconds
        waited = (evaluated - ready) % evaluation  # until the next slot of the rule's group
        self._return(healed, ready - healed + waited + timings.group_wait)
        steps.sees_alerts = True

    def _calm(self, started: float) -> Pulse:
        """The heartbeat is heard, and nothing else fires."""
        around, steps = self._around, self._steps

        def disturbing() -> list[str]:
            quiet = [] if around.heartbeat.pulse().alive else ["the inbox hears no heartbeat"]
            return quiet + steps.others(frozenset({"pending", "firing"}))

        def calm() -> Pulse | None:
            return None if disturbing() else around.heartbeat.pulse()

        found = steps.until(
            "calm",
            calm,
            ends=started + 2 * self._deadlines.clear,
            missing=lambda: "not calm, " + ", ".join(disturbing()),
            todo="find out what is wrong before a drill adds to it: firedrill query ALERTS",
        )
        steps.done("calm", "start", started)
        return found

    def _silence(self, faulted: float, least: float) -> None:
        heartbeat, fire = self._around.heartbeat, self._deadlines.fire
        self._steps.until(
            "notified",
            lambda: not heartbeat.pulse().alive,
            ends=faulted + fire,
            missing=lambda: f"the inbox reports no silence within {fire:.0f} s of the fault",
            why=lambda: f"it says {heartbeat.pulse()}",
            todo="firedrill logs inbox",
        )
        text = "the inbox reports the silence"
        self._steps.done("notified", "fault", faulted, least=least, deadline=fire, text=text)

    def _return(self, healed: float, least: float) -> None:
        heartbeat, clear = self._around.heartbeat, self._deadlines.clear
        self._steps.until(
            "cleared",
            lambda: heartbeat.pulse().alive,
            ends=healed + clear,
            missing=lambda: f"the inbox hears no heartbeat within {clear:.0f} s of the heal",
            why=lambda: f"it says {heartbeat.pulse()}",
            todo="firedrill logs prometheus",
        )
        text = "the inbox hears the heartbeat again"
        self._steps.done("cleared", "heal", healed, least=least, deadline=clear, text=text)


def silent_after(alive: Pulse, faulted: float, resend: float, timings: Timings) -> float:
    """The least seconds from the fault to the report of the silence.

    Prometheus last sent the alert at most `resend` before the fault; until its end Alertmanager repeats it
    at every group_interval after the heartbeat that was heard last.
    """
    ends = faulted + (ENDS_AFTER - 1) * resend
    last = alive.last_at if alive.last_at is not None else faulted
    ticks = max(0, math.floor((ends - last) / timings.group_interval))
    return last + ticks * timings.group_interval + alive.limit - faulted
