"""What a person who watches is told, and when watching ends."""

import time
from pathlib import Path

import pytest

from firedrill.errors import FiredrillError, StartError
from firedrill.local.follow import Announcer, hopeless, settled, states
from firedrill.local.layout import Layout
from firedrill.local.records import Phase, ServiceState, StackState, read_state, write_state

BEGAN = 1000.0


def stack(*services: ServiceState, **fields: object) -> StackState:
    known = {"instance": "i", "status": "running", "project": "p", "pace": "demo", "began": BEGAN,
             "supervisor_pid": 1, "supervisor_born": 0.0} | fields  # fmt: skip
    return StackState(**known, services={one.name: one for one in services})  # type: ignore[arg-type]  # plain fields


def one(name: str, phase: Phase, **fields: object) -> ServiceState:
    return ServiceState(name, phase, since=BEGAN, **fields)  # type: ignore[arg-type]  # plain fields


def test_watching_ends_when_all_is_up_or_held() -> None:
    """Building, starting and waiting go on."""
    assert settled(stack(one("a", "ready"), one("b", "finished"), one("c", "held")), BEGAN)
    assert not settled(stack(one("a", "ready"), one("b", "building")), BEGAN)
    assert not settled(stack(), BEGAN)


def test_watching_ends_when_the_rest_is_hopeless() -> None:
    """A failed build, many restarts, a start that takes too long; the waiting ones wait for those."""
    services = (
        one("built", "build failed", detail="disk full"),
        one("crashing", "failing", restarts=6, detail="exited with code 1"),
        one("slow", "starting", detail="refused"),
        one("next", "waiting"),
        one("fine", "ready"),
    )
    assert settled(stack(*services), BEGAN + 100)
    assert hopeless(stack(*services), BEGAN + 100) == {
        "built": "its build failed: disk full",
        "crashing": "it fails again and again: exited with code 1",
        "slow": "not ready after 100 s: refused",
    }
    assert not settled(stack(*services), BEGAN + 10)


def test_news_are_told_once() -> None:
    """Plain lines: readiness, failures and milestones, not each look."""
    said: list[str] = []
    announcer = Announcer(said.append)
    announcer.take(stack(one("a", "building")), BEGAN + 1, services=True)
    announcer.take(stack(one("a", "building", progress=0.5, detail="compile")), BEGAN + 40, services=True)
    ready = stack(one("a", "ready", ready_after=50.0), milestones={"services": 50.0})
    for _ in range(2):
        announcer.take(ready, BEGAN + 50, services=True)
    assert said == [
        "[    1 s] a: building",
        "[   40 s] a: building, 50% compile",
        "[   50 s] a: ready after 50.0 s",
        "services usable after 50 s",
    ]


def test_a_failed_preparation_is_raised_as_it_was(tmp_path: Path) -> None:
    """What, why and what to do."""
    layout = Layout(tmp_path)
    write_state(layout.state_file, stack(status="failed", failure=("what", "why", "todo")))
    with pytest.raises(FiredrillError) as caught:
        next(states(layout, "i", lambda: False))
    assert (caught.value.what, caught.value.why, caught.value.todo) == ("what", "why", "todo")


def test_a_supervisor_that_is_gone_is_noticed(tmp_path: Path) -> None:
    """Before its first word, and after."""
    layout = Layout(tmp_path)
    with pytest.raises(StartError, match="did not start"):
        next(states(layout, "i", lambda: True))
    write_state(layout.state_file, stack(one("a", "ready"), supervisor_born=time.time()))
    seen = states(layout, "i", lambda: False)
    next(seen)
    with pytest.raises(StartError, match="without a word"):
        next(seen)


def test_state_files_survive_the_round_and_strangers_are_ignored(tmp_path: Path) -> None:
    """What is written is read; another version's file is as none."""
    path = tmp_path / "state.json"
    state = stack(one("a", "ready", pid=3), shows=("x",), failure=None)
    write_state(path, state)
    assert read_state(path) == state
    path.write_text('{"instance": "i", "colour": "red"}')
    assert read_state(path) is None
