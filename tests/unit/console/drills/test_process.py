"""The drill's process: what it tells of steps, and how it ends."""

import json
from collections.abc import Sequence
from pathlib import Path

from console.drills.process import run
from firedrill.clients import Unreachable
from firedrill.drill.declared import read_drills
from firedrill.drill.model import AnyFault, Drill
from firedrill.drill.ports import (
    ActiveAlert,
    LoadedRule,
    Message,
    Pulse,
    RunningTraffic,
    Surroundings,
)

ROOT = Path(__file__).resolve().parents[4]
DRILL = next(one for one in read_drills(ROOT / "services/fds/drills.yml") if one.alert == "FDSSLAViolation")


class Stack:
    """A stack in which another alert fires for ever, or whose Prometheus does not answer."""

    def __init__(self, *, down: bool = False) -> None:
        self._down = down
        self.faults: list[str] = []

    def active(self) -> Sequence[ActiveAlert]:
        """Never calm."""
        return [ActiveAlert("Other", {"alertname": "Other"}, "firing", 0.0)]

    def value(self, promql: str) -> float | None:
        """Nothing."""
        return None

    def rule(self, drill: Drill) -> LoadedRule:
        """As asked."""
        if self._down:
            raise Unreachable("Prometheus does not answer", "refused")
        return LoadedRule("up == 0", 1.0, 1.0, "groups: []")

    def scrape_seconds(self) -> float:
        """A short one."""
        return 1.0

    def course(self, selector: str, *, end: float, step: float, count: int) -> Sequence[float]:
        """Nothing."""
        return ()

    def evaluated_at(self, drill: Drill) -> float:
        """Now."""
        return 0.0

    def resend_seconds(self) -> float:
        """A minute."""
        return 60.0

    def fired_besides(self, alert: object, *, seconds: float) -> int:
        """None."""
        return 0

    def held(self, labels: object) -> str:
        """Nothing."""
        return "holds no such alert"

    def group_times(self, labels: object) -> tuple[float, float]:
        """Short ones."""
        return 1.0, 30.0

    def end(self, found: object, *, now: float) -> None:
        """Never in these tests."""

    def messages(self, *, since: float, alertname: str = "") -> Sequence[Message]:
        """None."""
        return ()

    def pulse(self) -> Pulse:
        """Alive."""
        return Pulse(True, 0.0, 18.0)

    def found(self, kind: str, query: str, *, since: float, until: float) -> int | None:
        """Nothing."""
        return 0

    def set(self, fault: AnyFault, *, ttl_seconds: int) -> None:
        """Never in these tests."""
        self.faults.append(str(fault))

    def clear(self, fault: AnyFault) -> None:
        """Never in these tests."""

    def start(self, target: str, *, rate: float, seconds: float) -> RunningTraffic:
        """Never in these tests."""
        raise AssertionError


class Clock:
    """Time that passes only in waits, and that is stopped after so many of them."""

    def __init__(self, waits: int) -> None:
        self._left, self._now = waits, 100.0

    def now(self) -> float:
        """Unix seconds."""
        return self._now

    def pause(self, seconds: float) -> None:
        """Let time pass, or stop."""
        self._left -= 1
        if self._left < 0:
            raise KeyboardInterrupt
        self._now += seconds


def told(stack: Stack, clock: Clock, results: Path) -> list[dict[str, object]]:
    """What the process says of a run."""
    lines: list[str] = []
    around = Surroundings(
        metrics=stack, notifier=stack, inbox=stack, faults=stack, traffic=stack, clock=clock, heartbeat=stack,
        evidence=stack,
    )  # fmt: skip
    run(DRILL, around, pace="demo", say=lines.append, results=results)
    return [json.loads(line) for line in lines]


def test_a_stop_while_it_waits_is_told(tmp_path: Path) -> None:
    """The step that was waited for is told before; no fault was set, and no result is kept."""
    stack = Stack()
    found = told(stack, Clock(3), tmp_path)
    assert [one["event"] for one in found if one["event"] != "note"] == ["waiting", "stopped"]
    assert next(one for one in found if one["event"] == "waiting")["step"] == "calm"
    assert not stack.faults
    assert not list(tmp_path.iterdir())


def test_a_failure_is_told_and_kept_as_the_last_result(tmp_path: Path) -> None:
    """A drill that never becomes calm fails at that step; the list shows it from then on."""
    found = told(Stack(), Clock(100_000), tmp_path)
    assert found[-1]["event"] == "result"
    assert (found[-1]["passed"], found[-1]["failed_step"]) == (False, "calm")
    kept = json.loads((tmp_path / "fds-FDSSLAViolation.json").read_text("utf-8"))
    assert kept["failed_step"] == "calm"


def test_a_backend_that_is_away_is_a_failure_with_its_reason(tmp_path: Path) -> None:
    """The page shows what did not answer."""
    found = told(Stack(down=True), Clock(10), tmp_path)
    assert "Prometheus does not answer" in str(found[-1]["failure"])
