"""A drill's steps on a simulated stack: what passes, what fails and where, and that it always heals."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from firedrill.clients import Refused, Unreachable
from firedrill.drill.bound import Bound, History
from firedrill.drill.model import (
    Deadlines,
    Drill,
    Fault,
    IdealSeries,
    Notice,
    ProcessFault,
    Signal,
    TrafficPlan,
)
from firedrill.drill.ports import ActiveAlert, LoadedRule, Message, Pulse, Surroundings, Timings
from firedrill.drill.result import STEPS, Result, Step
from firedrill.drill.roster import Roster
from firedrill.drill.runner import BELOW, Runner
from firedrill.errors import CheckFailed
from firedrill.untold import Told as Ended

LABELS = {"severity": "critical", "system": "ai-factory", "service": "judgment", "component": "judgment"}
DRILL = Drill(
    alert="TooManyErrors",
    file=Path("services/judgment/drills.yml"),
    labels=LABELS,
    fault=Fault("judgment", "execution_error", {"rate": 0.05}),
    traffic=TrafficPlan("judgment", 10.0, "arrives[1m]"),
    signal=Signal("errors[1m]", "share of errors", above=0.01),
    ideal=(IdealSeries("x", 0, 1),),
    deadlines={"demo": Deadlines(45, 75), "production": Deadlines(420, 660)},
    notices=(Notice("inbox", "slack", "alerts"), Notice("inbox", "webhook")),
)
RULE = LoadedRule("sum(errors[30s]) > 0.01", 18.0, 1.5, "groups: []")
OTHER = ActiveAlert("TargetDown", {"alertname": "TargetDown", "system": "platform"}, "firing", 0.0)
SLACK = Message("slack", "inbox", "alerts", 0.0, "firing", DRILL.alert, LABELS, "")
WEBHOOK = replace(SLACK, kind="webhook", channel="inbox")


@dataclass
class World:
    """A stack whose parts behave as told, on a clock that moves only when the drill waits.

    `crosses` and `drains` are the seconds after fault and heal at which the rule's condition changes.
    """

    time: float = 1000.0
    crosses: float = 6.0
    drains: float = 20.0
    told_late: float = 0.0
    besides: int = 0
    background: float = 1.0
    arriving: float = 10.0
    signal_moves: bool = True
    others: list[ActiveAlert] = field(default_factory=list)
    notices: tuple[Message, ...] = (SLACK, WEBHOOK)
    set_error: Exception | None = None
    clear_errors: list[Exception] = field(default_factory=list)
    traffic_ends: float | None = None
    before: list[Message] = field(default_factory=list)
    listens: bool = True
    ends: list[float] = field(default_factory=list)
    evidence: Mapping[str, int | None] = field(
        default_factory=lambda: {"promql": 1, "logql": 3, "traces": 1, "traceql": None}
    )
    interrupt_at: float | None = None
    fault_at: float | None = None
    healed_at: float | None = None
    ttl: int = 0
    traffic_at: float | None = None
    traffic_stopped: int = 0
    traffic_seconds: float = 0.0

    # Clock
    def now(self) -> float:
        return self.time

    def pause(self, seconds: float) -> None:
        self.time += seconds
        if self.interrupt_at is not None and self.time >= self.interrupt_at:
            self.interrupt_at = None
            raise KeyboardInterrupt

    # Metrics
    def active(self) -> Sequence[ActiveAlert]:
        state = self._state()
        at = (self.fault_at or 0.0) + self.crosses
        own = [ActiveAlert(DRILL.alert, {"alertname": DRILL.alert, **LABELS}, state, at)] if state else []
        return own + self.others

    def value(self, promql: str) -> float | None:
        if promql == "arrives[6s]":
            return self.background + (self.arriving if self.traffic_at is not None else 0.0)
        if promql == "errors[6s]":
            return 0.05 if self.fault_at is not None and self.signal_moves else None
        return 0.051

    def rule(self, drill: Drill) -> LoadedRule:
        return RULE

    def scrape_seconds(self) -> float:
        return 1.5

    def course(self, selector: str, *, end: float, step: float, count: int) -> Sequence[float]:
        assert (selector, step) == ("x", 1.5)
        return [0.0] * count

    def evaluated_at(self, drill: Drill) -> float:
        raise NotImplementedError  # of heartbeats

    def resend_seconds(self) -> float:
        raise NotImplementedError  # of heartbeats

    # Heartbeat
    def pulse(self) -> Pulse:
        raise NotImplementedError

    # Evidence
    def found(self, kind: str, query: str, *, since: float, until: float) -> int | None:
        assert self.fault_at is not None
        assert since < self.fault_at <= until
        return self.evidence[kind]

    def fired_besides(self, alert: ActiveAlert, *, seconds: float) -> int:
        assert (alert.name, alert.state, seconds) == (DRILL.alert, "firing", 900.0)
        return self.besides

    # Notifier
    def held(self, labels: Mapping[str, str]) -> str:
        assert labels == {"alertname": DRILL.alert, **LABELS}
        return "holds no such alert"

    def group_times(self, labels: Mapping[str, str]) -> tuple[float, float]:
        assert labels == {"alertname": DRILL.alert, **LABELS}
        return 1.0, 30.0

    def end(self, found: Sequence[Ended], *, now: float) -> None:
        assert [(one.alertname, one.labels) for one in found] == [(DRILL.alert, LABELS)]
        assert now == self.time
        self.ends.append(now)
        if self.listens:
            self.before.append(replace(self.before[-1], status="resolved", received_at=now))

    # Inbox
    def messages(self, *, since: float, alertname: str = "") -> Sequence[Message]:
        if alertname:
            assert (alertname, since) == (DRILL.alert, 0.0)
            return [one for one in self.before if one.received_at <= self.time]
        found = [replace(one, received_at=self.told_at()) for one in self.notices]
        if self.healed_at is not None:
            found += [
                replace(one, status="resolved", received_at=self.told_at() + 30.0) for one in self.notices
            ]
        return [one for one in found if since < one.received_at <= self.time]

    # FaultSwitch
    def set(self, fault: Fault, *, ttl_seconds: int) -> None:
        assert fault == DRILL.fault
        self.ttl = ttl_seconds
        if self.set_error:
            raise self.set_error
        self.fault_at = self.time

    def clear(self, fault: Fault) -> None:
        if self.clear_errors:
            raise self.clear_errors.pop()
        self.healed_at = self.time

    # Traffic
    def start(self, target: str, *, rate: float, seconds: float) -> "World":
        assert (target, rate) == ("judgment", 10.0)
        self.traffic_at, self.traffic_seconds = self.time, seconds
        return self

    def ended(self) -> str | None:
        return "it crashed" if self.traffic_ends is not None and self.time >= self.traffic_ends else None

    def stop(self) -> Mapping[str, object]:
        self.traffic_stopped += 1
        return {"sent": 100}

    def told_at(self) -> float:
        """When the firing notice arrives."""
        return (self.fault_at or self.time) + self.crosses + RULE.for_seconds + 1.0 + self.told_late

    def _state(self) -> str:
        if self.fault_at is None or self.time < self.fault_at + self.crosses:
            return ""
        if self.healed_at is not None and self.time >= self.healed_at + self.drains:
            return ""
        return "firing" if self.time >= self.fault_at + self.crosses + RULE.for_seconds else "pending"


RUNBOOK = """# TooManyErrors

## Diagnosis

```promql
up
```

1. Lines:

   ```logql
   {service="judgment"}
   ```

```traces
service=judgment
```

```traceql
{ }
```

```sh
echo not asked
```
"""


@pytest.fixture(autouse=True)
def runbook(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The drill's runbook, in a project of its own."""
    file = tmp_path / "services/judgment/runbooks/TooManyErrors.md"
    file.parent.mkdir(parents=True)
    file.write_text(RUNBOOK, "utf-8")
    monkeypatch.chdir(tmp_path)
    return file


class Told:
    """Remembers what the drill said."""

    def __init__(self) -> None:
        self.steps: list[str] = []
        self.notes: list[str] = []
        self.bounds: list[Bound] = []

    def waiting(self, step: str, deadline: float | None) -> None:
        assert deadline is not None

    def done(self, step: Step) -> None:
        self.steps.append(step.name)

    def note(self, text: str) -> None:
        self.notes.append(text)

    def bound(self, bound: Bound) -> None:
        self.bounds.append(bound)


def bound_of(
    drill: Drill,
    rule: LoadedRule,
    timings: Timings,
    history: History,
    *,
    lasted: float | None = None,
    within: Deadlines | None = None,
) -> Bound:
    """A lower bound without promtool: it crosses after 5 seconds and drains in 20."""
    assert (timings, history.background_rate, history.traffic_rate) == (Timings(1.5, 1.0, 30.0), 1.0, 10.0)
    return Bound(timings.scrape, 1.5, rule.for_seconds, 1.0, 30.0, crosses=5.0, fires=23.0, drains=20.0)


def run(world: World, drill: Drill = DRILL, told: Told | None = None) -> Result:
    """One drill at demo pace in `world`."""
    around = Surroundings(world, world, world, world, world, world, world, world)
    return Runner(drill, around, pace="demo", listener=told or Told(), bound=bound_of).run()


def test_a_drill_passes_with_every_step_timed() -> None:
    """Times count from fault and from heal, as Prometheus and the inbox saw them."""
    told = Told()
    result = run(World(), told=told)
    assert result.passed, result.failure
    assert told.steps == list(STEPS)
    times = {step.name: round(step.seconds, 1) for step in result.steps}
    assert times["calm"] == pytest.approx(6.0, abs=0.3)  # the window of the arrival query, without alerts
    assert times["pending"] == 6.0  # activeAt, not the poll after it
    assert times["firing"] == pytest.approx(24.0, abs=0.3)
    assert times["notified"] == 25.0  # the inbox's own time
    assert times["resolved"] == pytest.approx(20.0, abs=0.3)
    assert times["cleared"] == pytest.approx(30.0, abs=0.3)
    assert result.traffic == {"sent": 100}


def test_the_measured_time_stands_beside_the_lower_bound() -> None:
    """With its ratio; the resolved notice's bound knows how long after the notice the heal came."""
    result = run(World())
    notified, cleared = result.step("notified"), result.step("cleared")
    assert notified is not None
    assert cleared is not None
    assert notified.least == 24.0
    assert result.ratio("notified") == pytest.approx(25 / 24)
    assert cleared.least == pytest.approx(cleared.seconds)
    assert "lower bound 24.0 s, ratio 1.04" in result.line()


def test_the_fault_is_healed_and_traffic_stopped_once() -> None:
    """The fault would have ended by itself soon after the last moment at which the drill heals."""
    world = World()
    assert run(world).passed
    assert world.healed_at is not None
    assert world.traffic_stopped == 1
    assert world.ttl == 45 + 30 + 20 + 60
    assert world.traffic_seconds > 45 + 30 + 75


def test_a_fault_asks_for_no_longer_time_than_a_service_gives() -> None:
    """The slowest drills at production pace may take an hour until they are notified."""
    world = World()
    slow = replace(DRILL, deadlines={"demo": Deadlines(3600, 75)})
    assert run(world, slow).passed
    assert world.ttl == 3600


def test_a_notice_may_be_late_when_another_of_its_group_has_fired() -> None:
    """By a group_interval, which is noted; without such another the deadline stands."""
    told = Told()
    late = run(World(told_late=29.0, besides=1), told=told)
    assert late.passed, late.failure
    assert any("a group_interval (30 s) later" in note for note in told.notes)
    assert not run(World(told_late=29.0)).passed


def test_the_end_of_an_alert_told_before_is_waited_for() -> None:
    """Alertmanager tells it at its next look at the group; nobody has to help."""
    world, told = World(), Told()
    world.before = [replace(SLACK, received_at=900.0), replace(SLACK, status="resolved", received_at=1025.0)]
    result = run(world, told=told)
    calm = result.step("calm")
    assert result.passed, result.failure
    assert calm is not None
    assert calm.seconds == pytest.approx(25.0 + 6.0, abs=0.5)
    assert (world.ends, told.notes) == ([], [])


def test_an_end_that_nobody_was_told_is_told_first() -> None:
    """A stack that stopped meanwhile; else the alert would fire and bring no page."""
    world, told = World(), Told()
    world.before = [replace(SLACK, received_at=900.0)]
    result = run(world, told=told)
    assert result.passed, result.failure
    assert world.ends == [pytest.approx(1035.0, abs=0.5)]
    assert [note for note in told.notes if "has been told of its end" in note]


def test_a_drill_goes_on_without_an_end_that_never_comes() -> None:
    """The notice went elsewhere, say; ten seconds after Alertmanager was told."""
    world = World(before=[replace(SLACK, received_at=900.0)], listens=False)
    result = run(world)
    calm = result.step("calm")
    assert result.passed, result.failure
    assert calm is not None
    assert calm.seconds == pytest.approx(35.0 + 10.0 + 6.0, abs=1.0)
    assert len(world.ends) == 1


def test_the_end_of_another_systems_alert_is_not_waited_for() -> None:
    """Of the same name."""
    labels = {**LABELS, "system": "platform"}
    world = World(before=[replace(SLACK, labels=labels, received_at=900.0)])
    assert run(world).passed
    assert not world.ends


Change = Callable[[World], None]


def change(**values: object) -> Change:
    """Sets attributes of a world."""

    def changed(world: World) -> None:
        for name, value in values.items():
            setattr(world, name, value)

    return changed


@pytest.mark.parametrize(
    ("changed", "step", "words"),
    [
        (change(others=[OTHER]), "calm", "not calm, TargetDown (platform, firing)"),
        (change(arriving=3.0), "traffic", "10 requests a second to judgment do not arrive"),
        (change(set_error=Refused("judgment refused the fault", "HTTP 401")), "fault", "judgment refused"),
        (change(signal_moves=False), "signal", "share of errors stayed at or below 0.01"),
        (change(crosses=1e9), "pending", "TooManyErrors did not become pending within 26 s"),
        (change(notices=()), "notified", "no firing notice of TooManyErrors within 45 s of the fault"),
        (change(notices=()), "notified", "missing: slack of receiver inbox, channel alerts; webhook"),
        (change(notices=()), "notified", "; Alertmanager holds no such alert"),
        (change(notices=(SLACK,)), "notified", "missing: webhook of receiver inbox"),
        (
            change(notices=(SLACK, WEBHOOK, replace(SLACK, channel="other"))),
            "notified",
            "the firing notice went to slack of receiver inbox, channel other",
        ),
        (
            change(notices=(SLACK, replace(WEBHOOK, receiver="pager"))),
            "notified",
            "the firing notice went to webhook of receiver pager, channel inbox",
        ),
        (
            change(notices=(SLACK, replace(WEBHOOK, labels={**LABELS, "severity": "warning"}))),
            "notified",
            "carries {'severity': 'warning'}",
        ),
        (change(drains=1e9), "resolved", "TooManyErrors still fires 75 s after the heal"),
        (change(traffic_ends=1010.0), "pending", "the drill's traffic ended by itself"),
    ],
)
def test_a_drill_fails_at_the_step_that_is_wrong(changed: Change, step: str, words: str) -> None:
    """With what was seen, and healed in every case."""
    world = World()
    changed(world)
    if world.traffic_ends:
        world.crosses = 20.0
    result = run(world)
    assert (result.failed_step, result.passed) == (step, False)
    assert f"step '{step}'" in result.failure
    assert words in result.failure
    assert world.fault_at is None or world.healed_at is not None
    assert world.traffic_at is None or world.traffic_stopped == 1


def test_a_rule_that_is_too_lax_shows_what_it_asks_and_what_there_is() -> None:
    """The first thing that one wants to know of a drill that fails at pending."""
    result = run(World(crosses=1e9))
    assert "sum(errors[30s]) gives 0.051, the rule asks > 0.01" in result.failure
    assert "services/judgment/drills.yml" in result.failure


def test_an_alert_that_nobody_expects_fails_the_drill() -> None:
    """Unless the drill names it, or it is a heartbeat."""
    world = World()
    world.others = [replace(OTHER, state="pending")]
    drill = replace(DRILL, also_expected=frozenset({"TargetDown"}))
    assert run(world, drill).passed
    world = World(others=[replace(OTHER, labels={"severity": "none"})])
    assert run(world).passed

    class Late(World):
        def active(self) -> Sequence[ActiveAlert]:
            late = [OTHER] if self.fault_at is not None and self.time > self.fault_at + 10 else []
            return [*super().active(), *late]

    result = run(Late())
    assert result.failed_step == "firing"
    assert "unexpected: TargetDown (platform, firing)" in result.failure


def test_an_alert_of_the_same_name_in_another_system_is_another_alert() -> None:
    """Its firing is unexpected, and its notice is not the drill's."""
    namesake = ActiveAlert(DRILL.alert, {**LABELS, "system": "kerp"}, "firing", 0.0)
    result = run(World(others=[namesake]))
    assert result.failed_step == "calm"
    stranger = replace(SLACK, labels={**LABELS, "system": "kerp"}, channel="elsewhere")
    assert run(World(notices=(SLACK, WEBHOOK, stranger))).passed


@pytest.mark.parametrize("seconds", [0.1, 7.0, 10.0, 20.0, 40.0, 55.0])
def test_ctrl_c_heals_and_stops_the_traffic(seconds: float) -> None:
    """At any moment, and goes on to whoever asked."""
    world = World(interrupt_at=1000.0 + seconds, arriving=0.0 if seconds == 7.0 else 10.0)
    with pytest.raises(KeyboardInterrupt):
        run(world)
    assert (world.fault_at is None) == (world.healed_at is None)
    assert world.traffic_stopped == (0 if world.traffic_at is None else 1)
    assert (world.traffic_at is None) == (seconds < 6.0)
    assert (world.fault_at is None) == (seconds < 10.0)


def test_a_heal_that_fails_is_tried_again() -> None:
    """A service that restarts just then is healed all the same, though the drill has failed."""
    world = World(clear_errors=[Unreachable("judgment does not take its fault")] * 3)
    result = run(world)
    assert result.failed_step == "heal"
    assert world.healed_at is not None
    assert not result.notes


def test_a_heal_that_never_works_is_told() -> None:
    """The fault ends by itself, and the reader knows."""
    told = Told()
    result = run(World(clear_errors=[Unreachable("judgment does not take its fault")] * 1000), told=told)
    assert result.failed_step == "heal"
    assert "ends by itself" in told.notes[0]


def test_a_fault_that_may_have_arrived_is_cleared() -> None:
    """A time-out of the request says nothing about its effect."""
    world = World(set_error=Unreachable("judgment does not take its fault"))
    result = run(world)
    assert result.failed_step == "fault"
    assert world.healed_at is not None


def test_a_missing_rule_fails_before_anything_is_broken() -> None:
    """Nothing to heal, no traffic sent."""

    class Without(World):
        def rule(self, drill: Drill) -> LoadedRule:
            raise CheckFailed("Prometheus has no rule TooManyErrors")

    world = Without()
    result = run(world)
    assert result.failed_step == "calm"
    assert "has no rule" in result.failure
    assert world.traffic_at is None


def test_a_drill_goes_on_when_a_backend_misses_a_beat() -> None:
    """One unanswered poll is not a failure."""

    class Flaky(World):
        def active(self) -> Sequence[ActiveAlert]:
            if self.fault_at is not None and 3 < self.time - self.fault_at < 5:
                raise Unreachable("Prometheus does not answer")
            return super().active()

    assert run(Flaky()).passed


def test_calm_must_hold_for_a_whole_window() -> None:
    """An alert that comes in between begins it anew."""

    class Uneasy(World):
        def active(self) -> Sequence[ActiveAlert]:
            return [OTHER] if 1004 < self.time < 1008 else super().active()

    calm = run(Uneasy()).step("calm")
    assert calm is not None
    assert calm.seconds == pytest.approx(14.0, abs=0.5)


class Restarted(World):
    """Prometheus has begun anew: it has scraped nothing for `silent` seconds, not enough for `known`."""

    silent, known = 3.0, 12.0

    def rule(self, drill: Drill) -> LoadedRule:
        return replace(RULE, expression="up == 0 and count_over_time(up[30s]) >= 18")

    def value(self, promql: str) -> float | None:
        new = self.time < 1000.0 + self.known
        if promql == "count(count_over_time(up[30s]) < 18)":
            return 2.0 if new and self.time >= 1000.0 + self.silent else None
        if promql == "count(count_over_time(up[30s]) >= 18)":
            return None if new else 17.0
        return super().value(promql)


def test_a_rules_grace_after_a_start_of_prometheus_is_waited_out() -> None:
    """Within it the rule holds back, and the fault's time would mean nothing."""
    world = Restarted()
    result = run(world)
    assert result.passed, result.failure
    calm = result.step("calm")
    assert calm is not None
    assert calm.seconds == pytest.approx(12.0 + 6.0, abs=0.5)


def test_a_grace_that_does_not_end_is_told() -> None:
    """A target that is always new, and nothing is broken."""
    world = Restarted()
    world.known = 1e9
    result = run(world)
    assert result.failed_step == "calm"
    assert "2 targets that Prometheus has not scraped 18 times yet" in result.failure
    assert world.fault_at is None


def test_a_runbook_query_without_data_fails_the_drill_and_names_it() -> None:
    """File, line, kind and the query itself; the fault is healed."""
    world = World(evidence={"promql": 1, "logql": 0, "traces": 1, "traceql": None})
    result = run(world)
    assert result.failed_step == "runbook"
    assert "a query of the runbook TooManyErrors.md (line 11, logql) gives no data" in result.failure
    assert 'TooManyErrors.md, line 11, logql: {service="judgment"} gives no data' in result.failure
    assert "promql" not in result.failure
    assert world.healed_at is not None


def test_a_runbook_query_that_is_refused_fails_the_drill_with_the_backends_words() -> None:
    """A query of a runbook can be wrong, too."""

    class Picky(World):
        def found(self, kind: str, query: str, *, since: float, until: float) -> int | None:
            if kind == "promql":
                raise Refused("Prometheus refused the request", "HTTP 400: parse error")
            return super().found(kind, query, since=since, until=until)

    result = run(Picky())
    assert result.failed_step == "runbook"
    assert "line 5, promql: up cannot be asked: Prometheus refused the request; HTTP 400" in result.failure


def test_data_that_comes_late_is_waited_for() -> None:
    """Lines and spans take a moment to arrive."""

    class Slow(World):
        def found(self, kind: str, query: str, *, since: float, until: float) -> int | None:
            late = self.fault_at is not None and self.time < self.fault_at + 30
            return 0 if late else super().found(kind, query, since=since, until=until)

    runbook = run(Slow()).step("runbook")
    assert runbook is not None
    assert runbook.seconds == pytest.approx(30.0, abs=0.3)
    assert runbook.text == "3 queries give data, 1 left out: their backend does not run"


@pytest.mark.parametrize(("text", "words"), [(None, "cannot be read"), ("# A\n", "has no query")])
def test_a_drill_without_runbook_fails_there(runbook: Path, text: str | None, words: str) -> None:
    """A page without a query proves nothing."""
    if text is None:
        runbook.unlink()
    else:
        runbook.write_text(text)
    result = run(World())
    assert result.failed_step == "runbook"
    assert words in result.failure


def test_the_bound_is_made_again_with_what_really_was() -> None:
    """At the end: the counters up to the fault, and the time for which it was set."""
    seen: list[tuple[float | None, int]] = []

    def counting(
        drill: Drill,
        rule: LoadedRule,
        timings: Timings,
        history: History,
        *,
        lasted: float | None = None,
        within: Deadlines | None = None,
    ) -> Bound:
        seen.append((lasted, len(history.recorded["x"].values)))
        drains = 20.0 if lasted is None else 25.0
        return Bound(1.5, 1.5, 18.0, 1.0, 30.0, crosses=5.0, fires=23.0, drains=drains)

    world = World()
    around = Surroundings(world, world, world, world, world, world, world, world)
    result = Runner(DRILL, around, pace="demo", listener=Told(), bound=counting).run()
    assert [lasted for lasted, _ in seen] == [None, pytest.approx(25.0, abs=0.5)]
    resolved = result.step("resolved")
    assert resolved is not None
    assert resolved.least == 25.0


@pytest.mark.parametrize(("fires", "noted"), [(23.0, []), (25.4, []), (26.0, ["notified"])])
def test_a_bound_above_the_measured_time_is_told(fires: float, noted: list[str]) -> None:
    """By more than a scrape, 1.5 s: the notice comes after 25 s. The drill passes all the same."""

    def too_long(*_: object, **__: object) -> Bound:
        return Bound(1.5, 1.5, 18.0, 1.0, 30.0, crosses=5.0, fires=fires, drains=20.0)

    world, told = World(), Told()
    around = Surroundings(world, world, world, world, world, world, world, world)
    result = Runner(DRILL, around, pace="demo", listener=told, bound=too_long).run()
    assert result.passed, result.failure
    below = [note for note in result.notes if BELOW in note]
    assert [note.partition(": ")[2].split()[0] for note in below] == noted
    assert below == told.notes


def test_a_process_is_stopped_and_started_without_traffic() -> None:
    """The ideal series are then by the second, and no step is named traffic."""

    class Processes(World):
        def set(self, fault: object, *, ttl_seconds: int) -> None:
            self.fault_at = self.time

    drill = replace(DRILL, fault=ProcessFault("promtail"), traffic=None)
    world = Processes()
    around = Surroundings(world, world, world, world, world, world, world, world)
    histories: list[History] = []

    def noting(*arguments: object, **options: object) -> Bound:
        histories.append(arguments[3])  # type: ignore[arg-type]  # as in bound_of
        return Bound(1.5, 1.5, 18.0, 1.0, 30.0, crosses=5.0, fires=23.0, drains=20.0)

    result = Runner(drill, around, pace="demo", listener=Told(), bound=noting).run()
    assert result.passed, result.failure
    assert [step.name for step in result.steps] == [name for name in STEPS if name != "traffic"]
    assert histories[0].rate == 1.0
    heal = result.step("heal")
    assert heal is not None
    assert heal.text.startswith("ready again after")


def test_an_alert_of_a_drill_beside_does_not_disturb() -> None:
    """Neither the calm nor what follows."""
    roster = Roster()
    beside = replace(DRILL, alert="TargetDown", file=Path("config/platform/drills.yml"))
    world = World(others=[OTHER])
    around = Surroundings(world, world, world, world, world, world, world, world)
    with roster.running(beside):
        result = Runner(DRILL, around, pace="demo", listener=Told(), bound=bound_of, roster=roster).run()
    assert result.passed, result.failure


def test_requests_without_an_answer_are_told() -> None:
    """They may explain a drill that failed."""

    class Deaf(World):
        def stop(self) -> Mapping[str, object]:
            return {"sent": 10, "errors": {"ConnectError": 9}}

    assert run(Deaf()).notes == ("requests of the drill's traffic got no answer: {'ConnectError': 9}",)
