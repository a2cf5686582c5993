"""The last of the session: `down` leaves no process and no listening port, and keeps the data."""

import socket
from typing import Any

import psutil

from firedrill.local.layout import Layout
from firedrill.local.records import read_state


def listens(port: int) -> bool:
    """Whether somebody answers on the port."""
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex(("127.0.0.1", port)) == 0


def test_down_leaves_nothing_running(stack: Any) -> None:
    """Every process of the stack is gone with its children, and every port is free."""
    view = stack.view()
    layout = Layout(view.state_folder)
    state = read_state(layout.state_file)
    assert state is not None
    pids = [state.supervisor_pid, *(one.pid for one in state.services.values() if one.pid)]
    family = {
        process
        for pid in pids
        for process in (psutil.Process(pid), *psutil.Process(pid).children(recursive=True))
    }
    ports = [port for own in view.ports.values() for port in own.values()]
    assert any(listens(port) for port in ports)
    stack.must("down", seconds=180)
    assert [process for process in family if process.is_running() and process.status() != "zombie"] == []
    assert [port for port in ports if listens(port)] == []
    assert layout.data.is_dir()
    assert any(layout.data.iterdir())


def test_commands_say_that_nothing_runs(stack: Any) -> None:
    """Without a stack each command ends with one clear message and what to do."""
    for command in (["verify"], ["query", "up"], ["search", "{}"], ["trace", "0" * 32]):
        done = stack.command(*command)
        assert done.returncode == 1
        assert "not running" in done.stderr
        assert "make up" in done.stderr
