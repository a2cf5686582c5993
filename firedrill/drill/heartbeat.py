"""The drill of an alert that always fires: Prometheus stops, the inbox reports silence, Prometheus starts.

Prometheus gives an alert an end of four resend times after it last sent it, so Alertmanager goes on repeating
for as long; the inbox waits for its limit after the last heartbeat that it heard. Both are in the bound.
"""

import math

from . import runbook
from .model import Drill
from .ports import Pulse, Surroundings, Timings
from .result import Result
from .roster import Roster
from .stage import Afterwards, Stage, nothing
from .steps import Listener

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
        self._stage = Stage(drill, around, pace=pace, listener=listener, roster=roster)
        self._drill, self._around = drill, around
        self._steps, self._deadlines = self._stage.steps, self._stage.deadlines

    def run(self) -> Result:
        """As Runner.run."""
        return self._stage.perform(self._go)

    def _go(self, started: float) -> Afterwards:
        around, steps, healing = self._around, self._steps, self._stage.healing
        rule, timings = self._stage.rule()
        resend = max(rule.evaluation_seconds, around.metrics.resend_seconds())
        alive = self._calm(started)
        evaluated = around.metrics.evaluated_at(self._drill)
        steps.sees_alerts = False  # nothing evaluates them any more
        faulted = healing.inject(at_most=self._deadlines.fire)
        self._silence(faulted, silent_after(alive, faulted, resend, timings))
        runbook.follow(self._drill, around, steps, faulted=faulted)
        healed = healing.heal()
        ready = around.clock.now()
        evaluation = rule.evaluation_seconds
        waited = (evaluated - ready) % evaluation  # until the next slot of the rule's group
        self._return(healed, ready - healed + waited + timings.group_wait)
        steps.sees_alerts = True
        return nothing

    def _calm(self, started: float) -> Pulse:
        """The heartbeat is heard, and nothing else fires."""
        heartbeat = self._around.heartbeat
        self._stage.calm(started, lambda: [] if heartbeat.pulse().alive else ["the inbox hears no heartbeat"])
        return heartbeat.pulse()

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
