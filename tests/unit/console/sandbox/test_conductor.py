"""The conductor on a simulated stack: one run at a time, and it heals whatever happens."""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from itertools import count
from pathlib import Path

import pytest

from console.sandbox.conductor import BusyError, Conductor, MissingError
from console.sandbox.model import Incident, StoppedProcess
from console.sandbox.ports import StageError
from console.sandbox.run import Run
from console.sandbox.secret import Secret
from firedrill.untold import Told
from tests.unit.console.sandbox.fakes import FakeStage

pytestmark = pytest.mark.anyio
TROUBLE = StageError("fds takes no fault now", "it does not answer")


def conducting(stage: FakeStage, *incidents: Incident, secret: Secret | None = None) -> Conductor:
    """On the stage's clock."""
    ids = count(1)
    return Conductor(
        {one.name: one for one in incidents},
        stage,
        slowness=1.0,
        clock=stage.now,
        pause=stage.pause,
        new_id=lambda: f"r{next(ids)}",
        secret=secret or Secret(),
    )


async def until(conductor: Conductor, run_id: str, done: Callable[[Run], bool]) -> Run:
    """Turns of the loop until it is so; the stage's clock passes meanwhile."""
    for _ in range(5000):
        run = conductor.run(run_id)
        if done(run):
            return run
        await asyncio.sleep(0)
    raise AssertionError(f"it did not become so: {conductor.run(run_id).phase}")


async def test_an_incident_from_start_to_end(incident: Incident) -> None:
    """Traffic, fault, page, action, end; afterwards nothing is left."""
    stage = FakeStage()
    conductor = conducting(stage, incident)
    run = await conductor.start(incident.name, 7)
    run = await until(conductor, run.id, lambda one: one.phase == "open")
    assert [one.target for one in stage.traffic] == ["fds"]
    assert stage.ttl_seconds == 690.0
    assert run.paged_at == (run.faulted_at or 0) + 20.0
    conductor.acknowledge(run.id)
    conductor.answer(run.id, "where", "feed")
    conductor.answer(run.id, "cause", "slow")
    conductor.answer_since(run.id, run.faulted_at or 0)
    _, deed = await conductor.act(run.id, "spare")
    assert deed.heals
    assert not stage.broken
    run = await until(conductor, run.id, lambda one: one.phase == "over")
    assert run.outcome == "solved"
    assert run.cleared_at == (run.healed_at or 0) + 30.0
    await until(conductor, run.id, lambda _: not stage.traffic)
    assert conductor.active is None


async def test_an_end_that_nobody_was_told_is_told_before_anything_breaks(incident: Incident) -> None:
    """As after a stack that was stopped while its alert fired: its page would never come."""
    stage = FakeStage(untold=(Told("SlowThing", {}, "firing", 900.0),))
    conductor = conducting(stage, incident)
    run = await conductor.start(incident.name, 7)
    run = await until(conductor, run.id, lambda one: one.phase == "open")
    assert stage.done == ["end", "break"]
    await conductor.end(run.id)


async def test_giving_up_heals_before_it_returns(incident: Incident) -> None:
    """The next trainee finds a healthy stack."""
    stage = FakeStage()
    conductor = conducting(stage, incident)
    run = await conductor.start(incident.name, 7)
    await until(conductor, run.id, lambda one: one.phase == "open")
    assert stage.broken
    run = await conductor.end(run.id)
    assert (run.outcome, list(stage.broken), list(stage.traffic)) == ("gave up", [], [])


async def test_time_running_out_heals(incident: Incident) -> None:
    """Nobody did anything."""
    stage = FakeStage()
    conductor = conducting(stage, incident)
    run = await conductor.start(incident.name, 7)
    run = await until(conductor, run.id, lambda one: one.phase == "over")
    assert run.outcome == "too late"
    await until(conductor, run.id, lambda _: "heal" in stage.done)


async def test_a_console_that_ends_heals(incident: Incident) -> None:
    """In the middle of an incident."""
    stage = FakeStage()
    conductor = conducting(stage, incident)
    run = await conductor.start(incident.name, 7)
    await until(conductor, run.id, lambda one: one.phase == "open")
    await conductor.close()
    assert (list(stage.broken), list(stage.traffic)) == ([], [])


async def test_a_heal_that_fails_is_tried_again(incident: Incident) -> None:
    """Until the service answers."""
    stage = FakeStage(heal_errors=[TROUBLE, TROUBLE, TROUBLE])
    conductor = conducting(stage, incident)
    run = await conductor.start(incident.name, 7)
    await until(conductor, run.id, lambda one: one.phase == "open")
    await conductor.end(run.id)
    assert not stage.broken


async def test_an_action_that_cannot_heal_counts_as_not_done(incident: Incident) -> None:
    """It may be tried again."""
    stage = FakeStage(heal_errors=[TROUBLE])
    conductor = conducting(stage, incident)
    run = await conductor.start(incident.name, 7)
    await until(conductor, run.id, lambda one: one.phase == "open")
    with pytest.raises(StageError):
        await conductor.act(run.id, "spare")
    assert conductor.run(run.id).phase == "open"
    run, _ = await conductor.act(run.id, "spare")
    assert run.phase == "clearing"
    await conductor.close()


async def test_a_fault_that_is_refused_ends_the_run(incident: Incident) -> None:
    """Not counted, with the reason; what may have arrived is healed."""
    stage = FakeStage(break_error=TROUBLE)
    conductor = conducting(stage, incident)
    run = await conductor.start(incident.name, 7)
    run = await until(conductor, run.id, lambda one: one.phase == "over")
    assert (run.outcome, "takes no fault" in run.why) == ("void", True)
    await until(conductor, run.id, lambda _: "heal" in stage.done)


async def test_one_at_a_time(incident: Incident) -> None:
    """The second is refused, and begins when the first is over."""
    conductor = conducting(FakeStage(), incident)
    run = await conductor.start(incident.name, 7)
    with pytest.raises(BusyError, match=run.id):
        await conductor.start(incident.name, 8)
    with pytest.raises(BusyError, match=run.id):
        await conductor.start_shift(1)
    await conductor.end(run.id)
    assert (await conductor.start(incident.name, 8)).id == "r2"
    await conductor.close()


async def test_the_next_one_waits_until_the_last_has_cleaned_up(incident: Incident) -> None:
    """The page offers the next one as soon as a run is over; its traffic takes a moment longer to end."""
    stopped = asyncio.Event()

    class Slow(FakeStage):
        async def stop_traffic(self) -> None:
            await stopped.wait()
            await super().stop_traffic()

    conductor = conducting(Slow(), incident)
    first = await conductor.start(incident.name, 7)
    await until(conductor, first.id, lambda one: one.phase == "over")
    assert conductor.active is None
    second = asyncio.create_task(conductor.start(incident.name, 8))
    await asyncio.sleep(0.05)
    assert not second.done()
    stopped.set()
    assert (await second).id != first.id
    await conductor.close()


async def test_somebody_elses_fault_is_in_the_way(incident: Incident) -> None:
    """A drill, or a fault by hand; its name is not told."""
    conductor = conducting(FakeStage(others=["fds/cti_slow"]), incident)
    with pytest.raises(BusyError, match="make heal") as raised:
        await conductor.start(incident.name, 7)
    assert "cti_slow" not in str(raised.value)


async def test_what_stops_a_process_needs_a_runtime_that_can(incident: Incident) -> None:
    """Else it is refused, with the reason."""
    stopping = replace(incident, breakages=(StoppedProcess("promtail"),))
    conductor = conducting(FakeStage(cannot_stop="only locally"), stopping)
    assert conductor.unavailable(stopping) == "only locally"
    with pytest.raises(BusyError, match="only locally"):
        await conductor.start(stopping.name, 7)


async def test_unknown_names_are_refused(incident: Incident) -> None:
    """Incident, run, shift."""
    conductor = conducting(FakeStage(), incident)
    with pytest.raises(MissingError, match="fds/slow-thing"):
        await conductor.start("fds/nothing", 7)
    with pytest.raises(MissingError, match="restarts"):
        conductor.run("r9")
    with pytest.raises(MissingError, match="restarts"):
        conductor.shift("s9")


async def test_the_faults_name_is_secret_while_it_runs(incident: Incident) -> None:
    """And told to all when it is over."""
    secret = Secret()
    conductor = conducting(FakeStage(), incident, secret=secret)
    run = await conductor.start(incident.name, 7)
    assert secret.hidden == {"fds/cti_slow"}
    await conductor.end(run.id)
    assert secret.hidden == frozenset()


def _three(incident: Incident) -> list[Incident]:
    return [
        replace(incident, slice=name, file=Path(f"{name}/incidents/x.yml"), level=level)
        for level, name in enumerate(("fds", "judgment", "workflow"), start=1)
    ]


async def test_a_shift_runs_three_one_after_another(incident: Incident) -> None:
    """Each begins when the one before is over; the same seed gives the same."""
    stage = FakeStage()
    conductor = conducting(stage, *_three(incident))
    shift = await conductor.start_shift(5)
    for number in range(3):
        for _ in range(5000):
            if len(conductor.shift(shift.id).runs) > number:
                break
            await asyncio.sleep(0)
        run_id = conductor.shift(shift.id).runs[number]
        await until(conductor, run_id, lambda one: one.phase == "open")
        await conductor.act(run_id, "spare")
        await conductor.end(run_id)
    for _ in range(5000):
        if conductor.shift(shift.id).ended:
            break
        await asyncio.sleep(0)
    ended = conductor.shift(shift.id)
    assert ended.ended
    runs = [conductor.run(one) for one in ended.runs]
    assert [one.incident.name for one in runs] == list(ended.names)
    assert [one.outcome for one in runs] == ["solved"] * 3
    again = await conducting(FakeStage(), *_three(incident)).start_shift(5)
    assert again.names == ended.names


async def test_ending_a_shift_ends_what_runs(incident: Incident) -> None:
    """And begins nothing more."""
    stage = FakeStage()
    conductor = conducting(stage, *_three(incident))
    shift = await conductor.start_shift(5)
    for _ in range(100):
        await asyncio.sleep(0)
    ended = await conductor.end_shift(shift.id)
    assert ended.ended
    for _ in range(100):
        await asyncio.sleep(0)
    assert len(conductor.shift(shift.id).runs) == 1
    assert conductor.active is None
    assert not stage.broken


async def test_old_runs_are_forgotten(incident: Incident) -> None:
    """Fifty are enough."""
    conductor = conducting(FakeStage(), incident)
    for seed in range(52):
        await conductor.end((await conductor.start(incident.name, seed)).id)
    assert len(conductor.runs) == 50
    with pytest.raises(MissingError):
        conductor.run("r1")
