"""Runs a drill: calm, traffic, fault, and every step timed until the resolved notice; always heals."""

import signal
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Protocol, TypeVar

from firedrill.clients import Refused
from firedrill.errors import FiredrillError
from firedrill.pace import longest_range, pace_expression
from firedrill.wait import TimedOut, poll_until

from .bound import Bound, History, lower_bound
from .model import Deadlines, Drill
from .ports import ActiveAlert, LoadedRule, RunningTraffic, Surroundings, Timings
from .result import Result, Step, StepFailed
from .watch import delivered, held_back, is_own, missing_notices, strangers

POLL_SECONDS = 0.2  # a fifth of the shortest term of the bound, group_wait at demo pace
ARRIVED = 0.5  # of the asked rate: tells it from the unevenness of the background; the loader keeps the rate
HEAL_SECONDS = 10.0  # how long a heal is tried again when the service does not answer
TTL_MARGIN_SECONDS = 60  # after the last moment at which the drill itself would heal

T = TypeVar("T")


BoundOf = Callable[[Drill, LoadedRule, Timings, History], Bound]


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


class Runner:
    """One run of one drill in its surroundings."""

    def __init__(
        self,
        drill: Drill,
        around: Surroundings,
        *,
        pace: str,
        listener: Listener,
        bound: BoundOf = lower_bound,
    ) -> None:
        self._drill, self._around, self._pace, self._listener = drill, around, pace, listener
        self._bound_of = bound
        self._deadlines: Deadlines = drill.deadlines[pace]
        self._arrives = pace_expression(drill.traffic.arrives, pace)
        self._steps: list[Step] = []
        self._notes: list[str] = []
        self._current = "calm"
        self._bound: Bound | None = None
        self._traffic: RunningTraffic | None = None
        self._fault_set = False

    def run(self) -> Result:
        """The measured steps, up to the one that failed. KeyboardInterrupt passes, after the heal."""
        started, failed_step, failure = self._around.clock.now(), "", ""
        summary: dict[str, object] = {}
        try:
            with ExitStack() as cleaning:
                cleaning.callback(self._stop_traffic, summary)
                cleaning.callback(self._ensure_healed)
                self._go(started)
        except StepFailed as failed:
            failed_step, failure = failed.step, str(failed)
        except FiredrillError as failed:
            failed_step, failure = self._current, f"step '{self._current}': {failed}"
        return Result(
            alert=self._drill.alert,
            slice=self._drill.slice,
            pace=self._pace,
            started_at=started,
            seconds=self._around.clock.now() - started,
            steps=tuple(self._steps),
            bound=self._bound,
            failed_step=failed_step,
            failure=failure,
            traffic=summary,
            notes=tuple(self._notes),
        )

    def _go(self, started: float) -> None:
        rule, timings = self._calm(started)
        history = self._bring_traffic()
        self._bound = self._compute(rule, timings, history)
        faulted = self._inject()
        self._rises(rule, timings, faulted)
        self._notice("notified", "fault", faulted, self._deadlines.fire, "firing")
        healed = self._heal()
        self._falls(healed)
        self._notice("cleared", "heal", healed, self._deadlines.clear, "resolved")

    def _calm(self, started: float) -> tuple[LoadedRule, Timings]:
        """Wait until no alert is on its way; read the rule and the timings as they are loaded.

        Calm must hold for the window of the arrival query, so that another drill's traffic has left it.
        """
        around, states = self._around, frozenset({"pending", "firing"})
        rule = around.metrics.rule(self._drill)
        wait, interval = around.notifier.group_times({"alertname": self._drill.alert, **self._drill.labels})
        timings = Timings(around.metrics.scrape_seconds(), wait, interval)

        window, quiet = longest_range(self._arrives) / 1000, [started]

        def disturbing() -> list[str]:
            active = around.metrics.active()
            own = [f"{one.name} ({one.state})" for one in active if is_own(self._drill, one)]
            return own + strangers(self._drill, active, states=states)

        def calm() -> bool:
            if disturbing():
                quiet[0] = around.clock.now()
            return around.clock.now() - quiet[0] >= window

        self._until(
            "calm",
            calm,
            ends=started + 2 * self._deadlines.clear,
            missing=lambda: "not calm, " + (", ".join(disturbing()) or "until just now"),
            todo="find out what is wrong before a drill adds to it: firedrill query ALERTS",
        )
        self._reached("calm", "start", started)
        return rule, timings

    def _bring_traffic(self) -> History:
        """Start the traffic and wait until its rate arrives, on top of the background."""
        clock, plan, metrics = self._around.clock, self._drill.traffic, self._around.metrics
        arrives = self._arrives
        background = metrics.value(arrives) or 0.0
        wanted = background + ARRIVED * plan.rate
        settling = 3 * longest_range(arrives) / 1000 + 10
        self._current, began = "traffic", clock.now()
        # Long enough for every deadline and for the waits on the way, whatever the deadlines of the steps.
        longest = (
            settling + self._deadlines.fire + self._deadlines.clear + 2 * HEAL_SECONDS + TTL_MARGIN_SECONDS
        )
        self._traffic = self._around.traffic.start(plan.target, rate=plan.rate, seconds=longest)
        self._until(
            "traffic",
            lambda: (metrics.value(arrives) or 0.0) >= wanted,
            ends=began + settling,
            missing=lambda: f"{plan.rate:g} requests a second to {plan.target} do not arrive",
            why=lambda: f"{arrives} gives {metrics.value(arrives) or 0:.3g}, wanted {wanted:.3g}",
            todo=f"firedrill logs {plan.target}",
        )
        self._reached("traffic", "start", began, text=f"{background:.1f} + {plan.rate:g} requests a second")
        return History(background, plan.rate, clock.now() - began)

    def _compute(self, rule: LoadedRule, timings: Timings, history: History) -> Bound:
        bound = self._bound_of(self._drill, rule, timings, history)
        self._listener.bound(bound)
        if bound.fires is None:
            self._note("the rule never fires on the ideal series of this drill: fault and rule do not fit")
        return bound

    def _inject(self) -> float:
        """Set the fault; the time is taken before the request, since it works from its arrival on."""
        self._current = "fault"
        faulted = self._around.clock.now()
        self._fault_set = True  # also when the request fails: it may have arrived
        try:
            self._around.faults.set(
                self._drill.fault, ttl_seconds=int(self._deadlines.fire) + TTL_MARGIN_SECONDS
            )
        except Refused:
            self._fault_set = False
            raise
        fault = self._drill.fault
        parameters = ", ".join(f"{name}={value}" for name, value in fault.parameters.items())
        self._reached("fault", "fault", faulted, text=f"{fault.service}/{fault.name} {parameters}".strip())
        return faulted

    def _rises(self, rule: LoadedRule, timings: Timings, faulted: float) -> None:
        """Signal, pending, firing. What `for` and group_wait take is kept for the steps that need it."""
        metrics, drill = self._around.metrics, self._drill
        firing_by = self._deadlines.fire - timings.group_wait
        pending_by = firing_by - rule.for_seconds
        query = pace_expression(drill.signal.query, self._pace)
        self._until(
            "signal",
            lambda: _above(metrics.value(query), drill.signal.above),
            ends=faulted + pending_by,
            missing=lambda: (
                f"the signal did not move: {drill.signal.means} stayed at or below {drill.signal.above:g}"
            ),
            why=lambda: f"{query} gives {metrics.value(query)}",
            todo=f"see whether the fault works: firedrill logs {drill.fault.service}",
        )
        self._reached("signal", "fault", faulted, deadline=pending_by, text=drill.signal.means)
        self._becomes("pending", {"pending", "firing"}, rule, faulted, pending_by)
        self._becomes("firing", {"firing"}, rule, faulted, firing_by)

    def _becomes(self, step: str, states: set[str], rule: LoadedRule, faulted: float, by: float) -> None:
        alert = self._until(
            step,
            lambda: self._own(states),
            ends=faulted + by,
            missing=lambda: f"{self._drill.alert} did not become {step} within {by:.0f} s",
            why=lambda: held_back(rule, self._around.metrics.value),
            todo=f"compare the rule with services/{self._drill.slice}/drills.yml",
        )
        at = alert.active_at if step == "pending" else None  # Prometheus's own time; a poll comes later
        self._reached(step, "fault", faulted, deadline=by, at=at)

    def _heal(self) -> float:
        self._current = "heal"
        healed = self._around.clock.now()
        self._around.faults.clear(self._drill.fault)
        self._fault_set = False
        self._reached("heal", "heal", healed, at=healed)
        return healed

    def _falls(self, healed: float) -> None:
        self._until(
            "resolved",
            lambda: self._own({"firing"}) is None,
            ends=healed + self._deadlines.clear,
            missing=lambda: f"{self._drill.alert} still fires {self._deadlines.clear:.0f} s after the heal",
            todo=f"see whether the fault is gone: firedrill logs {self._drill.fault.service}",
        )
        self._reached("resolved", "heal", healed, deadline=self._deadlines.clear)

    def _notice(self, step: str, since: str, start: float, by: float, status: str) -> None:
        """Wait for the notice at every place where it is expected, and at no other."""
        drill, inbox = self._drill, self._around.inbox
        at = self._until(
            step,
            lambda: delivered(drill, inbox.messages(since=start), status=status, step=step),
            ends=start + by,
            missing=lambda: f"no {status} notice of {drill.alert} within {by:.0f} s of the {since}",
            why=lambda: "missing: " + missing_notices(drill, inbox.messages(since=start), status=status),
            todo="firedrill logs alertmanager",
        )
        self._reached(step, since, start, deadline=by, at=at, text="; ".join(map(str, drill.notices)))

    def _own(self, states: set[str]) -> ActiveAlert | None:
        active = self._around.metrics.active()
        return next((one for one in active if is_own(self._drill, one) and one.state in states), None)

    def _until(
        self,
        step: str,
        check: Callable[[], T | StepFailed | None],
        *,
        ends: float,
        missing: Callable[[], str],
        why: Callable[[], str] = lambda: "",
        todo: str = "",
    ) -> T:
        """Poll `check` until the unix time `ends`, and look for what must not happen meanwhile."""
        self._current, clock = step, self._around.clock
        self._listener.waiting(step, ends - clock.now())

        def guarded() -> T | StepFailed | None:
            return (self._disturbed(step) if step != "calm" else None) or check()

        try:
            found = poll_until(
                guarded, step, ends - clock.now(), interval=POLL_SECONDS, clock=clock.now, pause=clock.pause
            )
        except TimedOut as late:
            reason = _tried(why) or str(late).partition("; ")[2]
            raise StepFailed(step, _tried(missing) or "not in time", reason, todo) from None
        if isinstance(found, StepFailed):
            raise found
        assert found is not None  # poll_until returns truthy values only
        return found

    def _disturbed(self, step: str) -> StepFailed | None:
        """What must not happen meanwhile."""
        others = strangers(self._drill, self._around.metrics.active(), states=frozenset({"firing"}))
        if others:
            return StepFailed(
                step,
                f"unexpected: {', '.join(others)}",
                "another alert fired during the drill",
                "if it follows from the fault, name it in the drill's also_expected",
            )
        why = self._traffic.ended() if self._traffic else None
        return StepFailed(step, "the drill's traffic ended by itself", why or "") if why else None

    def _reached(
        self,
        name: str,
        since: str,
        start: float,
        *,
        deadline: float | None = None,
        at: float | None = None,
        text: str = "",
    ) -> None:
        moment = self._around.clock.now() if at is None else at
        step = Step(name, since, moment - start, moment, self._least(name), deadline, text)
        self._steps.append(step)
        self._listener.done(step)

    def _least(self, step: str) -> float | None:
        """The part of the lower bound that belongs to a step."""
        bound, reached = self._bound, {one.name: one.at for one in self._steps}
        if bound is None:
            return None
        if step == "cleared":
            return bound.cleared(healed_after=reached["heal"] - reached["notified"])
        parts = {"pending": bound.crosses, "firing": bound.fires, "notified": bound.notified}
        return {**parts, "resolved": bound.drains}.get(step)

    def _note(self, text: str) -> None:
        self._notes.append(text)
        self._listener.note(text)

    def _ensure_healed(self) -> None:
        """Heal whatever happened; the fault's own end is the last resort."""
        if not self._fault_set:
            return
        clock = self._around.clock
        with _undisturbed():
            try:
                poll_until(
                    self._clear, "heal", HEAL_SECONDS, interval=0.5, clock=clock.now, pause=clock.pause
                )
            except TimedOut as late:
                self._note(
                    f"the fault could not be cleared and ends by itself ({str(late).partition('; ')[2]})"
                )

    def _clear(self) -> bool:
        self._around.faults.clear(self._drill.fault)
        self._fault_set = False
        return True

    def _stop_traffic(self, summary: dict[str, object]) -> None:
        if self._traffic:
            with _undisturbed():
                summary.update(self._traffic.stop())
            if errors := summary.get("errors"):
                self._note(f"requests of the drill's traffic got no answer: {errors}")


def _above(value: float | None, limit: float) -> bool:
    return value is not None and value > limit


def _tried(say: Callable[[], str]) -> str:
    """The explanation, or nothing when the backend that it asks is away."""
    try:
        return say()
    except FiredrillError as error:
        return error.what


@contextmanager
def _undisturbed() -> Iterator[None]:
    """Ctrl-C and SIGTERM wait until the cleaning is done."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGTERM, signal.SIGHUP})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
