"""What the doctor finds before anything starts."""

from pathlib import Path

import pytest

from firedrill.errors import EnvironmentProblem, TopologyError
from firedrill.local.doctor import GIGABYTE, Finding, Machine, examine, is_taken
from firedrill.local.layout import Layout
from firedrill.local.plan import Plan, make_plan
from firedrill.settings import Settings

COMPOSE = """
services:
  web:
    command: [python, -c, '']
    ports: ["127.0.0.1:${WEB_PORT:-19410}:8010"]
    x-firedrill: {python: true, ready: "tcp://self:8010"}
  other:
    command: [python, -c, '']
    expose: ["19411"]
    x-firedrill: {python: true}
"""
FINE = Machine(lambda port: False, lambda port: "", lambda: 8 * GIGABYTE, lambda folder: 100 * GIGABYTE)


def plan(folder: Path, **settings: str) -> Plan:
    (folder / "docker-compose.yml").write_text(COMPOSE)
    layout = Layout(folder / "state")
    return make_plan(folder, Settings(settings), layout, pace=lambda path, text: text, find=lambda name: None)


def problems(folder: Path, machine: Machine, *, build: tuple[str, ...] = (), **settings: str) -> list[str]:
    return [str(one.problem) for one in findings(folder, machine, build=build, **settings) if one.problem]


def findings(
    folder: Path, machine: Machine, *, build: tuple[str, ...] = (), **settings: str
) -> list[Finding]:
    def no_go(missing: list[str]) -> None:
        raise EnvironmentProblem("no go command was found", f"needed for {missing}", "install Go")

    return examine(
        lambda: plan(folder, **settings), layout=Layout(folder / "state"), cache=folder / "cache",
        to_build=lambda made: list(build), find_go=no_go, machine=machine,
    )  # fmt: skip


def test_a_fine_machine_has_no_problem(tmp_path: Path) -> None:
    """And the findings say what was looked at."""
    assert problems(tmp_path, FINE) == []
    assert {one.subject for one in findings(tmp_path, FINE)} >= {"ports", "memory", "disk", "binaries"}


def test_a_port_that_is_taken_names_who_has_it_and_what_moves_it(tmp_path: Path) -> None:
    """The setting for a published port; the offset for one that is only exposed."""
    machine = Machine(lambda port: True, lambda port: "process 7 (nginx)", FINE.free_memory, FINE.free_disk)
    first, second = problems(tmp_path, machine)
    assert first == (
        "port 19410 is taken, and web needs it\n  why: process 7 (nginx)\n"
        "  do:  stop that process, or set WEB_PORT in .env to another port"
    )
    assert "set PORT_OFFSET in .env" in second


def test_two_services_on_one_port(tmp_path: Path) -> None:
    """A mistake in .env is found before the second process fails to bind."""
    assert "other and web both want port 19411" in problems(tmp_path, FINE, WEB_PORT="19411")[0]


def test_a_port_beyond_the_last(tmp_path: Path) -> None:
    """An offset may be too large."""
    assert "none above 65535" in problems(tmp_path, FINE, PORT_OFFSET="49999")[0]


def test_too_little_memory_and_disk(tmp_path: Path) -> None:
    """Each with what is needed; a cold build needs more."""
    machine = Machine(FINE.is_taken, FINE.owner_of, lambda: GIGABYTE, lambda folder: GIGABYTE // 2)
    memory, disk = problems(tmp_path, machine)
    assert "too little memory: 1.0 GB free" in memory
    assert "FIREDRILL_STATE" in disk


def test_no_go_is_a_problem_only_when_something_must_be_built(tmp_path: Path) -> None:
    """The message is the builder's own."""
    assert "no go command was found" in problems(tmp_path, FINE, build=("loki",))[0]


def test_a_topology_that_cannot_be_read_is_the_only_finding(tmp_path: Path) -> None:
    """Everything else would be guesswork."""

    def broken() -> Plan:
        raise TopologyError("docker-compose.yml:3: no")

    found = examine(
        broken,
        layout=Layout(tmp_path),
        cache=tmp_path,
        to_build=lambda made: [],
        find_go=lambda names: None,
        machine=FINE,
    )
    assert [str(one.problem) for one in found] == ["docker-compose.yml:3: no"]


@pytest.mark.parametrize("host", ["127.0.0.1", "0.0.0.0"])
def test_a_listener_is_seen(host: str) -> None:
    """On loopback and on all addresses; and not any more when it is gone."""
    import socket  # noqa: PLC0415 - only this test opens one

    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, 19412))
        listener.listen()
        assert is_taken(19412)
    assert not is_taken(19412)
