"""The supervisor with real processes: order, restarts, holds, and nothing left behind."""

import json
import os
import signal
import time

import psutil
import pytest

from firedrill.errors import NotRunning, UsageError
from firedrill.local import control
from firedrill.local.supervisor import end_leftovers
from firedrill.wait import poll_until
from tests.unit.local.rig import Rig, server

pytestmark = pytest.mark.timeout(90)


def compose(*services: str) -> str:
    return "services:\n" + "".join(f"  {one}\n" for one in services)


def gone(process: psutil.Process) -> bool:
    """True when it ended; nobody may have collected its exit code yet."""
    return not process.is_running() or process.status() == psutil.STATUS_ZOMBIE


def test_it_starts_in_order_of_health_and_stops_in_reverse(rig: Rig) -> None:
    """Who depends on a slow service waits for its readiness, and ends before it."""
    rig.compose(compose(server("web", 19401, depends_on="db"), server("db", 19402, DELAY="0.5")))
    rig.launch()
    web = rig.wait("web", "ready")
    db = rig.service("db")
    assert db.ready_after is not None
    assert web.ready_after is not None
    assert web.ready_after >= db.ready_after >= 0.5
    assert rig.down() == 0
    assert rig.order() == ["db starts", "web starts", "web ends", "db ends"]
    assert rig.processes() == []
    state = rig.state()
    assert state is not None
    assert (state.status, {one.phase for one in state.services.values()}) == ("stopped", {"stopped"})
    assert "all" in json.loads(rig.layout.timeline_file.read_text())["milestones"]


def test_output_is_captured(rig: Rig) -> None:
    """Standard output of a service is in its log file."""
    rig.compose(compose(server("web", 19401)))
    rig.launch()
    rig.wait("web", "ready")
    assert rig.log("web") == "hello from web\n"


def test_a_process_that_dies_is_started_again(rig: Rig) -> None:
    """With its number of restarts shown."""
    rig.compose(compose(server("web", 19401)))
    rig.launch()
    first = rig.wait("web", "ready").pid
    assert first is not None
    os.kill(first, signal.SIGKILL)
    rig.wait_until("web", lambda now: now.restarts == 1 and now.phase == "ready")
    assert rig.service("web").pid != first


def test_a_process_that_fails_says_why(rig: Rig) -> None:
    """Exit code and last line are the detail; the supervisor goes on trying, slower each time."""
    command = "[python, -c, 'print(\"no such table\"); raise SystemExit(3)']"
    rig.compose(compose(f"job: {{command: {command}, restart: always, x-firedrill: {{python: true}}}}"))
    rig.launch()
    failing = rig.wait("job", "failing")
    assert failing.detail == "exited with code 3: no such table"
    poll_until(lambda: rig.service("job").restarts >= 2, "a second restart", 20)


def test_a_job_that_ends_well_is_finished(rig: Rig) -> None:
    """With restart on-failure, exit code 0 is the end and not a failure."""
    rig.compose(compose("job: {command: [python, -c, ''], restart: on-failure, x-firedrill: {python: true}}"))
    rig.launch()
    assert rig.wait("job", "finished").restarts == 0


def test_a_held_service_stays_down_until_it_is_released(rig: Rig) -> None:
    """Restarts do not hide a stopped service; a wrong name is refused."""
    rig.compose(compose(server("web", 19401)))
    rig.launch()
    rig.wait("web", "ready")
    control.send(rig.layout.socket, "hold", "web")
    assert rig.service("web").phase == "held"
    assert rig.order() == ["web starts", "web ends"]
    until = time.monotonic() + 1.5
    poll_until(lambda: time.monotonic() > until, "longer than a restart takes", 5)
    assert rig.service("web").phase == "held"
    control.send(rig.layout.socket, "release", "web")
    rig.wait("web", "ready")
    with pytest.raises(UsageError, match="no service 'wbe'"):
        control.send(rig.layout.socket, "hold", "wbe")


def test_a_stubborn_process_and_its_child_are_ended_by_force(rig: Rig) -> None:
    """A process that ignores SIGTERM, and a child that left its group, are gone after the grace period."""
    rig.compose(compose(server("web", 19401, STUBBORN="1", CHILD="1")))
    rig.launch()
    pid = rig.wait("web", "ready").pid
    children = psutil.Process(pid).children()
    assert len(children) == 1
    assert rig.down() == 0
    assert gone(children[0])
    assert rig.processes() == []


def test_nothing_survives_the_supervisor(rig: Rig) -> None:
    """kill -9 of the supervisor: the warden ends everything, also children in groups of their own."""
    rig.compose(compose(server("web", 19401, CHILD="1"), server("db", 19402)))
    rig.launch()
    rig.wait("web", "ready")
    rig.wait("db", "ready")
    assert len(rig.processes()) >= 4
    rig.supervisor.kill()
    rig.supervisor.wait()
    poll_until(lambda: not rig.processes(), "nothing of the stack runs", 15)
    with pytest.raises(NotRunning):
        control.send(rig.layout.socket, "ping")


def test_a_dead_warden_is_replaced(rig: Rig) -> None:
    """And the new one knows who lives."""
    rig.compose(compose(server("web", 19401)))
    rig.launch()
    rig.wait("web", "ready")
    first = rig.wardens()
    assert len(first) == 1
    first[0].kill()
    poll_until(lambda: [one for one in rig.wardens() if one.pid != first[0].pid], "another warden", 10)
    rig.supervisor.kill()
    rig.supervisor.wait()
    poll_until(lambda: not rig.processes(), "nothing of the stack runs", 15)


def test_what_both_left_is_ended_by_the_next_start(rig: Rig) -> None:
    """kill -9 of supervisor and warden: the next start ends what they left, and goes on."""
    rig.compose(compose(server("web", 19401)))
    rig.launch()
    old = rig.wait("web", "ready").pid
    rig.supervisor.send_signal(signal.SIGSTOP)
    for warden in rig.wardens():
        warden.kill()
    rig.supervisor.kill()
    rig.supervisor.wait()
    assert psutil.pid_exists(old or 0)
    rig.launch()
    assert rig.wait("web", "ready").pid != old
    assert rig.order()[:2] == ["web starts", "web ends"]
    rig.down()
    assert end_leftovers(rig.layout) == []


def test_a_second_supervisor_is_refused(rig: Rig) -> None:
    """One state folder, one supervisor; the first is not disturbed."""
    rig.compose(compose(server("web", 19401)))
    rig.launch()
    rig.wait("web", "ready")
    first, instance = rig.supervisor, rig.instance
    rig.launch()
    assert rig.supervisor.wait(20) != 0
    rig.instance = instance
    assert first.poll() is None
    assert rig.service("web").phase == "ready"


def test_a_topology_that_cannot_be_used_ends_it_with_the_reason(rig: Rig) -> None:
    """Nothing is started, and state.json carries the message for whoever follows."""
    rig.compose("services:\n  web: {image: x, gpus: all}\n")
    rig.launch()
    assert rig.supervisor.wait(20) == 1
    state = rig.state()
    assert state is not None
    assert state.status == "failed"
    assert state.failure is not None
    assert "compose feature 'gpus' is not known" in state.failure[0]
    assert rig.processes() == []


def test_ports_move_together(rig: Rig) -> None:
    """PORT_OFFSET moves arguments and probes of every service."""
    rig.compose(compose(server("web", 9401)))
    rig.launch(PORT_OFFSET="10000")
    rig.wait("web", "ready")
    state = rig.state()
    assert state is not None
    assert state.ports == {"web": {"9401": 19401}}
