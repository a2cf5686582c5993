"""The drill of an alert that always fires: its silence is measured, and its return."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from firedrill.drill.heartbeat import HeartbeatRunner, silent_after
from firedrill.drill.model import HEARTBEAT, AnyFault, Deadlines, Drill, ProcessFault
from firedrill.drill.ports import (
    ActiveAlert,
    LoadedRule,
    Message,
    Pulse,
    RunningTraffic,
    Surroundings,
    Timings,
)
from firedrill.drill.result import HEARTBEAT_STEPS, Result, Step
from firedrill.errors import NotRunning

LABELS = {"severity": "none", "system": "platform"}
LIMIT, EVERY = 18.0, 6.0


@dataclass
class World:
    """A stack whose Prometheus sends a heartbeat every 6 seconds, and for 24 more after it was stopped."""

    time: float = 1000.0
    stopped_at: float | None = None
    started_at: float | None = None
    deaf: bool = False
    never_silent: bool = False
    others: Sequence[ActiveAlert] = field(default_factory=tuple)
    asked: list[str] = field(default_factory=list)

    def now(self) -> float:
        return self.time

    def pause(self, seconds: float) -> None:
        self.time += seconds

    def active(self) -> Sequence[ActiveAlert]:
        if self.stopped_at is not None and self.started_at is None:
            raise NotRunning("Prometheus does not answer")
        return self.others

    def value(self, promql: str) -> float | None:
        raise NotImplementedError

    def rule(self, drill: Drill) -> LoadedRule:
        return LoadedRule("vector(1)", 0.0, 1.5, "groups: []")

    def scrape_seconds(self) -> float:
        return 1.5

    def course(self, selector: str, *, end: float, step: float, count: int) -> Sequence[float]:
        raise NotImplementedError

    def evaluated_at(self, drill: Drill) -> float:
        return 999.0

    def resend_seconds(self) -> float:
        return 6.0

    def fired_besides(self, alert: ActiveAlert, *, seconds: float) -> int:
        raise NotImplementedError

    def held(self, labels: Mapping[str, str]) -> str:
        raise NotImplementedError

    def group_times(self, labels: Mapping[str, str]) -> tuple[float, float]:
        return 1.0, EVERY

    def end(self, found: object, *, now: float) -> None:
        raise NotImplementedError

    def messages(self, *, since: float, alertname: str = "") -> Sequence[Message]:
        raise NotImplementedError

    def set(self, fault: AnyFault, *, ttl_seconds: int) -> None:
        assert fault == ProcessFault("prometheus")
        self.stopped_at = self.time

    def clear(self, fault: AnyFault) -> None:
        self.time += 2.0  # it starts
        self.started_at = self.time

    def start(self, target: str, *, rate: float, seconds: float) -> RunningTraffic:
        raise NotImplementedError

    def found(self, kind: str, query: str, *, since: float, until: float) -> int | None:
        self.asked.append(kind)
        return 1

    def pulse(self) -> Pulse:
        if self.deaf:
            return Pulse(False, None, LIMIT)
        last = self.time - self.time % EVERY
        if self.stopped_at is not None and not self.never_silent:
            if self.started_at is not None and self.time >= self.started_at + 2.0:
                return Pulse(True, self.started_at + 2.0, LIMIT)
            ends = self.stopped_at + 24.0
            last = min(last, ends - ends % EVERY)
        return Pulse(self.time - last <= LIMIT, last, LIMIT)


class Told:
    """Listens to nothing."""

    def waiting(self, step: str, deadline: float | None) -> None: ...
    def done(self, step: Step) -> None: ...
    def note(self, text: str) -> None: ...
    def bound(self, bound: object) -> None: ...


@pytest.fixture
def drill(tmp_path: Path) -> Drill:
    """The Watchdog's, with a runbook that asks for logs."""
    file = tmp_path / "runbooks/Watchdog.md"
    file.parent.mkdir()
    file.write_text("```logql\n{a=`b`}\n```\n")
    return Drill(
        alert="Watchdog",
        file=tmp_path / "drills.yml",
        labels=LABELS,
        fault=ProcessFault("prometheus"),
        traffic=None,
        signal=None,
        ideal=(),
        deadlines={"demo": Deadlines(75, 30)},
        notices=(),
        kind=HEARTBEAT,
    )


def run(drill: Drill, world: World) -> Result:
    """One drill at demo pace."""
    around = Surroundings(world, world, world, world, world, world, world, world)
    return HeartbeatRunner(drill, around, pace="demo", listener=Told()).run()


def test_silence_and_return_are_timed_beside_their_bounds(drill: Drill) -> None:
    """Stopped at 1000, the last heartbeat comes 20 seconds later, and the silence 18 after that."""
    world = World()
    result = run(drill, world)
    assert result.passed, result.failure
    assert tuple(step.name for step in result.steps) == HEARTBEAT_STEPS
    silent, back = result.step("notified"), result.step("cleared")
    assert silent is not None
    assert back is not None
    assert silent.seconds == pytest.approx(20.0 + LIMIT, abs=0.5)
    assert silent.least == pytest.approx(14.0 + LIMIT)  # it may have been sent 6 seconds before the fault
    assert back.seconds == pytest.approx(4.0, abs=0.3)
    assert back.least is not None
    assert 3.0 <= back.least <= 4.5  # the start, the next evaluation, group_wait
    assert world.asked == ["logql"]


def test_a_silence_that_nobody_reports_fails_the_drill_and_prometheus_runs_again(drill: Drill) -> None:
    """With the inbox's own words."""
    world = World(never_silent=True)
    result = run(drill, world)
    assert result.failed_step == "notified"
    assert "reports no silence within 75 s" in result.failure
    assert world.started_at is not None


def test_without_a_heartbeat_the_drill_does_not_begin(drill: Drill) -> None:
    """Nothing is stopped."""
    world = World(deaf=True)
    result = run(drill, world)
    assert result.failed_step == "calm"
    assert "hears no heartbeat" in result.failure
    assert world.stopped_at is None


def test_another_alert_keeps_the_drill_from_beginning(drill: Drill) -> None:
    """A stopped Prometheus would hide it."""
    result = run(drill, World(others=(ActiveAlert("TargetDown", {}, "pending", 0.0),)))
    assert (result.failed_step, "TargetDown" in result.failure) == ("calm", True)


def test_the_least_time_to_silence_counts_ticks_from_the_last_heartbeat() -> None:
    """Three resend times after the fault at the least the alert ends; the last tick before that is heard."""
    timings = Timings(1.5, 1.0, 6.0)
    assert silent_after(Pulse(True, 997.0, 18.0), 1000.0, 6.0, timings) == 15.0 + 18.0
    assert silent_after(Pulse(True, 1000.0, 18.0), 1000.0, 6.0, timings) == 18.0 + 18.0
    assert silent_after(Pulse(True, None, 18.0), 1000.0, 1.5, timings) == 18.0
