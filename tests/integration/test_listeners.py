"""What listens, and as whom the stack runs."""

import os
from typing import Any

import psutil
import pytest

from firedrill.local.layout import Layout
from firedrill.local.records import read_state


def processes(stack: Any) -> list[psutil.Process]:
    """The supervisor and everything under it, and the services' own process trees."""
    state = read_state(Layout(stack.view().state_folder).state_file)
    assert state is not None
    roots = {state.supervisor_pid, *(one.pid for one in state.services.values() if one.pid)}
    found: dict[int, psutil.Process] = {}
    for pid in roots:
        process = psutil.Process(pid)
        for one in (process, *process.children(recursive=True)):
            found[one.pid] = one
    return list(found.values())


def connections(process: psutil.Process, kind: str) -> list[Any]:
    """Those of a process; none when it has ended meanwhile, as PostgreSQL's do with their connection."""
    try:
        return list(process.net_connections(kind=kind))
    except psutil.NoSuchProcess:
        return []


def test_only_loopback_listens(stack: Any) -> None:
    """Every listening socket of every process is on 127.0.0.1, whatever the configs say for containers."""
    open_sockets = []
    for process in processes(stack):
        for connection in connections(process, "inet"):
            if connection.status == psutil.CONN_LISTEN or (connection.type == 2 and not connection.raddr):
                open_sockets.append((process.name(), connection.laddr.ip, connection.laddr.port))
    assert len(open_sockets) >= 12
    assert [one for one in open_sockets if one[1] not in ("127.0.0.1", "::1")] == []


def test_every_listener_is_known(stack: Any) -> None:
    """No process opens a port that docker-compose.yml does not give to it."""
    known = {port for ports in stack.view().ports.values() for port in ports.values()}
    assert known
    foreign = [
        (process.name(), connection.laddr.port)
        for process in processes(stack)
        for connection in connections(process, "tcp")
        if connection.status == psutil.CONN_LISTEN and connection.laddr.port not in known
    ]
    # Peers that are not published (OTLP inside, self-metrics, gRPC) are moved along by the same offset.
    offset = int(stack.environ["PORT_OFFSET"])
    assert [one for one in foreign if one[1] < offset] == []


@pytest.mark.skipif(os.geteuid() != 0, reason="only a stack that root started could run as root")
def test_nothing_runs_as_root(stack: Any) -> None:
    """Started by root, every process still belongs to somebody else."""
    rooted = [one.cmdline()[:3] for one in processes(stack) if 0 in one.uids()]
    assert rooted == []


def test_secrets_are_not_in_command_lines(stack: Any) -> None:
    """Whoever lists processes learns no password and no token."""
    secrets = [stack.environ[name] for name in ("POSTGRES_PASSWORD", "FAULTS_TOKEN", "GRAFANA_PASSWORD")]
    shown = [" ".join(one.cmdline()) for one in processes(stack)]
    assert [line[:80] for line in shown if any(secret in line for secret in secrets)] == []
