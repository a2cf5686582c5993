"""Runs a drill: calm, traffic, fault, and every step timed until the resolved notice; always heals."""

from collections.abc import Callable, Mapping
from dataclasses import replace

from firedrill.errors import FiredrillError
from firedrill.pace import longest_range, pace_expression

from . import runbook
from .bound import Bound, History, lower_bound
from .healing import HEAL_SECONDS, TTL_MARGIN_SECONDS, undisturbed
from .model import Drill, IdealSeries
from .needed import needed_rules
from .notice import Notices
from .ports import ActiveAlert, LoadedRule, Surroundings, Timings
from .recorded import Recorded
from .result import Result, StepFailed
from .roster import Roster
from .stage import Afterwards, Stage
from .steps import POLL_SECONDS, Listener
from .watch import held_back, is_own

__all__ = ["POLL_SECONDS", "Listener", "Runner"]

ARRIVED = 0.5  # of the asked rate: tells it from the unevenness of the background; the loader keeps the rate
BELOW = "quicker than its lower bound"  # by more than a scrape, which is how exact a bound is
ESTIMATED_SCRAPES = 100  # of a window; promtool runs the rule over it in about a second

BoundOf = Callable[..., Bound]


class Runner:
    """One run of one drill in its surroundings; without `bound` its times stand beside no lower bound."""

    def __init__(
        self,
        drill: Drill,
        around: Surroundings,
        *,
        pace: str,
        listener: Listener,
        bound: BoundOf | None = lower_bound,
        roster: Roster | None = None,
    ) -> None:
        self._stage = Stage(drill, around, pace=pace, listener=listener, roster=roster)
        self._drill, self._around, self._pace, self._listener = drill, around, pace, listener
        self._bound_of = bound
        self._deadlines = self._stage.deadlines
        self._arrives = pace_expression(drill.traffic.arrives, pace) if drill.traffic else ""
        self._steps, self._healing = self._stage.steps, self._stage.healing
        self._notices = Notices(drill, around, self._steps)
        self._bound: Bound | None = None
        self._summary: Mapping[str, object] = {}

    def run(self) -> Result:
        """The measured steps, up to the one that failed. KeyboardInterrupt passes, after the heal."""
        result = self._stage.perform(self._go, clean=self._stop_traffic)
        return replace(result, bound=self._bound, traffic=self._summary)

    def _go(self, started: float) -> Afterwards:
        """All steps; gives what makes the bound anew, which needs neither traffic nor fault."""
        drill, around, steps = self._drill, self._around, self._steps
        rule, timings = self._calm(started)
        with self._stage.roster.beginning:
            history = self._bring_traffic(timings)
            self._estimate(rule, timings, history)
        self._still_calm()
        by = self._deadlines.fire
        faulted = self._healing.inject(at_most=by + timings.group_interval + runbook.SECONDS)
        self._rises(rule, timings, faulted)
        by += self._notices.delay(self._own({"firing"}), timings)
        self._notice("notified", "fault", faulted, by, "firing")
        runbook.follow(drill, around, steps, faulted=faulted)
        healed = self._healing.heal()
        self._falls(healed)
        self._notice("cleared", "heal", healed, self._deadlines.clear, "resolved")
        return lambda: self._refine(rule, timings, history, faulted=faulted, healed=healed)

    def _calm(self, started: float) -> tuple[LoadedRule, Timings]:
        """Wait until no alert is on its way; read the rule and the timings as they are loaded.

        Calm must hold for the window of the arrival query, so that another drill's traffic has left it, the
        rule must have no grace left to give, and no end may be untold: see Stage.unknown_targets and
        Notices.pending_end.
        """
        rule, timings = self._stage.rule()
        window = longest_range(self._arrives) / 1000 if self._arrives else 0.0

        def disturbing() -> list[str]:
            active = [one for one in self._steps.active if is_own(self._drill, one)]
            own = [f"{one.name} ({one.state})" for one in active]
            untold = self._notices.pending_end(timings, active=bool(own))
            return own + untold + self._stage.unknown_targets(rule)

        self._stage.calm(started, disturbing, seconds=window)
        return rule, timings

    def _bring_traffic(self, timings: Timings) -> History:
        """Start the traffic and wait until its rate arrives, on top of the background."""
        clock, plan, metrics = self._around.clock, self._drill.traffic, self._around.metrics
        if plan is None:
            return History(1.0, 0.0, 0.0)  # the ideal series are per second
        arrives = self._arrives
        background = metrics.value(arrives) or 0.0
        wanted = background + ARRIVED * plan.rate
        settling = 3 * longest_range(arrives) / 1000 + 10
        self._steps.current, began = "traffic", clock.now()
        # Long enough for every deadline and for the waits on the way, whatever the deadlines of the steps.
        waits = settling + timings.group_interval + runbook.SECONDS + 2 * HEAL_SECONDS + TTL_MARGIN_SECONDS
        longest = waits + self._deadlines.fire + self._deadlines.clear
        self._steps.traffic = self._around.traffic.start(plan.target, rate=plan.rate, seconds=longest)
        self._steps.until(
            "traffic",
            lambda: (metrics.value(arrives) or 0.0) >= wanted,
            ends=began + settling,
            missing=lambda: f"{plan.rate:g} requests a second to {plan.target} do not arrive",
            why=lambda: f"{arrives} gives {metrics.value(arrives) or 0:.3g}, wanted {wanted:.3g}",
            todo=f"firedrill logs {plan.target}",
        )
        self._steps.done(
            "traffic", "start", began, text=f"{background:.1f} + {plan.rate:g} requests a second"
        )
        return History(background, plan.rate, clock.now() - began)

    def _still_calm(self) -> None:
        """The traffic alone must not do it: the times from the fault on would mean nothing."""
        self._steps.active = self._around.metrics.active()
        early = self._own({"pending", "firing"})
        if early:
            raise StepFailed(
                "traffic",
                f"{self._drill.alert} is {early.state} before the fault",
                "the drill's traffic alone is too much for the service, or the machine is too busy",
                "firedrill status, and another time",
            )

    def _estimate(self, rule: LoadedRule, timings: Timings, history: History) -> None:
        """The bound as it can be known before the fault; its time of heal is the earliest.

        Over long windows promtool needs its time: they have their bound at the end only.
        """
        if self._bound_of is None or needed_rules(rule).longest_range > ESTIMATED_SCRAPES * timings.scrape:
            return
        now = self._around.clock.now()
        history = self._recorded(rule, timings, history, now)
        self._bound = self._bound_of(self._drill, rule, timings, history, within=self._deadlines)
        self._listener.bound(self._bound)
        if self._bound.fires is None:
            text = "the rule never fires on the ideal series of this drill: fault and rule do not fit"
            self._steps.note(text)

    def _refine(
        self, rule: LoadedRule, timings: Timings, history: History, *, faulted: float, healed: float
    ) -> None:
        """The bound for the history up to the fault and for the time that the fault was set."""
        if self._bound_of is None:
            return
        try:
            history = self._recorded(rule, timings, history, faulted)
            self._bound = self._bound_of(
                self._drill, rule, timings, history, lasted=healed - faulted, within=self._deadlines
            )
        except FiredrillError as error:
            self._steps.note(f"the lower bound could not be computed: {error.what}: {error.why}")
        self._steps.reached[:] = [replace(step, least=self._least(step.name)) for step in self._steps.reached]
        for step in self._steps.reached:
            if step.name in {"notified", "cleared"} and step.seconds < (step.least or 0.0) - timings.scrape:
                self._steps.note(
                    f"{BELOW}: {step.name} after {step.seconds:.1f} s, at the least {step.least:.1f} s; "
                    "the bound is wrong, not the drill: please report it"
                )

    def _recorded(self, rule: LoadedRule, timings: Timings, history: History, end: float) -> History:
        """`history` with the counters of the ideal series as Prometheus has them."""
        window = needed_rules(rule).longest_range
        count = int(window / timings.scrape) + 6
        recorded = {}
        for one in self._drill.ideal:
            if isinstance(one, IdealSeries):
                found = self._around.metrics.course(one.series, end=end, step=timings.scrape, count=count)
                if found:
                    recorded[one.series] = Recorded(timings.scrape, tuple(found))
        return replace(history, recorded=recorded)

    def _rises(self, rule: LoadedRule, timings: Timings, faulted: float) -> None:
        """Signal, pending, firing. What `for` and group_wait take is kept for the steps that need it."""
        metrics, drill, signal = self._around.metrics, self._drill, self._drill.signal
        assert signal is not None  # drills of alerts have one
        firing_by = self._deadlines.fire - timings.group_wait
        pending_by = firing_by - rule.for_seconds
        query = pace_expression(signal.query, self._pace)
        self._steps.until(
            "signal",
            lambda: signal.moved(metrics.value(query)),
            ends=faulted + pending_by,
            missing=lambda: f"the signal did not move: {signal.stayed()}",
            why=lambda: f"{query} gives {metrics.value(query)}",
            todo=f"see whether the fault works: firedrill logs {drill.fault.service}",
        )
        self._steps.done("signal", "fault", faulted, deadline=pending_by, text=signal.means)
        self._becomes("pending", {"pending", "firing"}, rule, faulted, pending_by)
        self._becomes("firing", {"firing"}, rule, faulted, firing_by)

    def _becomes(self, step: str, states: set[str], rule: LoadedRule, faulted: float, by: float) -> None:
        alert = self._steps.until(
            step,
            lambda: self._own(states),
            ends=faulted + by,
            missing=lambda: f"{self._drill.alert} did not become {step} within {by:.0f} s",
            why=lambda: held_back(rule, self._around.metrics.value),
            todo=f"compare the rule with {'/'.join(self._drill.file.parts[-3:])}",
        )
        at = alert.active_at if step == "pending" else None  # Prometheus's own time; a poll comes later
        self._steps.done(step, "fault", faulted, least=self._least(step), deadline=by, at=at)

    def _falls(self, healed: float) -> None:
        clear = self._deadlines.clear
        self._steps.until(
            "resolved",
            lambda: self._own({"firing"}) is None,
            ends=healed + clear,
            missing=lambda: f"{self._drill.alert} still fires {clear:.0f} s after the heal",
            todo=f"see whether the fault is gone: firedrill logs {self._drill.fault.service}",
        )
        self._steps.done("resolved", "heal", healed, least=self._least("resolved"), deadline=clear)

    def _notice(self, step: str, since: str, start: float, by: float, status: str) -> None:
        at = self._notices.arrived(step, since, start, by, status)
        text = "; ".join(map(str, self._drill.notices))
        self._steps.done(step, since, start, least=self._least(step), deadline=by, at=at, text=text)

    def _own(self, states: set[str]) -> ActiveAlert | None:
        """The drill's alert in one of `states`; the earliest, where a rule has several."""
        found = [one for one in self._steps.active if is_own(self._drill, one) and one.state in states]
        return min(found, key=lambda one: one.active_at, default=None)

    def _least(self, step: str) -> float | None:
        """The part of the lower bound that belongs to a step."""
        bound = self._bound
        if bound is None:
            return None
        if step == "cleared":
            steps = self._steps
            return bound.cleared(healed_after=steps.at("heal") - steps.at("notified"))
        parts = {"pending": bound.crosses, "firing": bound.fires, "notified": bound.notified}
        return {**parts, "resolved": bound.drains}.get(step)

    def _stop_traffic(self) -> None:
        if self._steps.traffic:
            with undisturbed():
                self._summary = self._steps.traffic.stop()
            if errors := self._summary.get("errors"):
                self._steps.note(f"requests of the drill's traffic got no answer: {errors}")
