"""Processes as faults: stopped, held down, started and waited for; and a guard for a drill that dies."""

import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from firedrill.clients import open_http
from firedrill.drill import breaking
from firedrill.drill.breaking import GuardProcess, LiveFaults
from firedrill.drill.guard import watch
from firedrill.drill.model import ProcessFault
from firedrill.wait import poll_until

FAULT = ProcessFault("promtail")


@dataclass
class State:
    """How a service is."""

    phase: str


@dataclass
class Stack:
    """A stack of one service that is ready at the third look after its start."""

    settings: Mapping[str, str] = field(default_factory=lambda: {"FAULTS_TOKEN": "secret"})
    did: list[str] = field(default_factory=list)
    root: Path = Path()
    started: frozenset[str] = frozenset({"promtail"})
    phases: Iterator[str] = field(default_factory=lambda: iter(("starting", "starting", "ready")))

    def url(self, service: str, container_port: int | None = None) -> str:
        raise NotImplementedError

    def state(self) -> Mapping[str, State]:
        return dict.fromkeys(self.started, State(next(self.phases)))

    def stop_service(self, name: str) -> None:
        self.did.append(f"stop {name}")

    def start_service(self, name: str) -> None:
        self.did.append(f"start {name}")


class Guard:
    """Remembers that it was released."""

    def __init__(self, did: list[str]) -> None:
        self._did = did

    def release(self) -> None:
        self._did.append("release")


def test_a_process_is_down_until_the_heal_and_ready_after_it() -> None:
    """The guard stands before anything is stopped, and goes when the service is ready."""
    stack = Stack()

    def guard(name: str) -> Guard:
        stack.did.append(f"guard {name}")
        return Guard(stack.did)

    faults = LiveFaults(stack, http=open_http(), guard=guard)
    faults.set(FAULT, ttl_seconds=10)
    assert stack.did == ["guard promtail", "stop promtail"]
    faults.clear(FAULT)
    assert stack.did[2:] == ["start promtail", "release"]
    assert next(stack.phases, None) is None


def test_the_log_shipper_is_the_one_that_runs() -> None:
    """The drill names Promtail; with LOGS=collector its successor is stopped and started."""
    stack = Stack({"FAULTS_TOKEN": "secret", "LOGS": "collector"}, started=frozenset({"log-collector"}))
    faults = LiveFaults(stack, http=open_http(), guard=lambda name: Guard(stack.did))
    faults.set(FAULT, ttl_seconds=10)
    faults.clear(FAULT)
    assert stack.did == ["stop log-collector", "start log-collector", "release"]


def test_a_service_that_goes_on_starting_is_waited_for() -> None:
    """One look at its phase is not enough."""
    stack = Stack(phases=iter(["starting"] * 5 + ["ready"]))
    LiveFaults(stack, http=open_http(), guard=lambda name: Guard(stack.did)).clear(FAULT)
    assert stack.did == ["start promtail"]
    assert breaking.READY_SECONDS > 30


@pytest.mark.parametrize(("lines", "needed"), [(["healed\n"], False), ([], True), (["something\n"], True)])
def test_the_guard_starts_what_was_left_down(lines: list[str], needed: bool) -> None:
    """The end of its input without the word means that the drill is gone."""
    started: list[bool] = []
    assert watch(lines, lambda: started.append(True)) is needed
    assert bool(started) is needed


CHILD = "import sys, pathlib; pathlib.Path(sys.argv[1]).write_text(sys.stdin.read())"


def test_the_guard_is_told_that_the_service_was_healed(tmp_path: Path) -> None:
    """By a line on its standard input."""
    file = tmp_path / "said"
    GuardProcess("promtail", command=[sys.executable, "-c", CHILD, str(file)]).release()
    assert file.read_text() == "healed\n"


def test_the_guard_hears_of_a_drill_that_was_killed(tmp_path: Path) -> None:
    """Its standard input ends with the drill's process, whatever killed that."""
    file = tmp_path / "said"
    dying = (
        "import os, sys; from firedrill.drill.breaking import GuardProcess;"
        f"GuardProcess('promtail', command=[sys.executable, '-c', {CHILD!r}, {str(file)!r}]);"
        "os.kill(os.getpid(), 9)"
    )
    done = subprocess.run([sys.executable, "-c", dying], check=False, timeout=30)
    assert done.returncode == -9
    assert poll_until(file.exists, "the guard's file", 10)
    assert file.read_text() == ""
