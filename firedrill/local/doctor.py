"""Looks for what would keep the stack from starting, before anything starts."""

import contextlib
import errno
import os
import socket
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import psutil

from firedrill.errors import EnvironmentProblem, FiredrillError
from firedrill.local import packages, system
from firedrill.local.layout import Layout
from firedrill.local.plan import Plan

GIGABYTE = 1024**3
# Measured with traffic: what all processes of the core together hold, with room for their queries.
NEEDED_MEMORY_BYTES = 2.0 * GIGABYTE
# Linking Prometheus or Loki takes this much besides.
NEEDED_TO_BUILD_BYTES = 1.5 * GIGABYTE
# More ports than these are told in one message.
MOST_PORTS_NAMED = 3
# A cold build: sources, the build cache and the binaries; a warm start: a day's data.
NEEDED_DISK_COLD_BYTES, NEEDED_DISK_WARM_BYTES = 15 * GIGABYTE, 1 * GIGABYTE


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at; `problem` is set when it keeps the stack from starting."""

    subject: str
    text: str
    problem: FiredrillError | None = None


@dataclass(frozen=True)
class Machine:
    """What the checks ask the machine; tests give their own."""

    is_taken: Callable[[int], bool]
    owner_of: Callable[[int], str]
    free_memory: Callable[[], int]
    free_disk: Callable[[Path], int]


def examine(
    plan: Callable[[], Plan],
    *,
    layout: Layout,
    cache: Path,
    to_build: Callable[[Plan], list[str]],
    find_go: Callable[[list[str]], None],
    machine: Machine,
    running: bool = False,
) -> list[Finding]:
    """All findings. `running` says that our own stack runs, whose ports and memory do not count."""
    try:
        made = plan()
        count = sum(1 for _ in made.files())
    except FiredrillError as error:
        return [Finding("docker-compose.yml and configs", error.what, error)]
    findings = [
        Finding("docker-compose.yml and configs", f"{len(made.processes)} services, {count} config files")
    ]
    findings += _system(made)
    try:
        missing = to_build(made)
        findings.append(Finding("binaries", f"to build: {', '.join(missing)}" if missing else "all there"))
        if missing:
            find_go(missing)
            findings.append(Finding("Go", "found"))
    except FiredrillError as error:
        missing = ["?"]
        findings.append(Finding("Go", error.what, error))
    if not running:
        findings += _ports(made, machine)
        findings.append(_memory(machine, building=bool(missing)))
    findings += _disks(
        {"state": layout.root, "cache": cache} if missing else {"state": layout.root}, machine, bool(missing)
    )
    return findings


def _system(plan: Plan) -> list[Finding]:
    wanted = [one.program.kind for one in plan.processes.values() if one.program.kind in system.PACKAGES]
    lacking = system.missing(wanted)
    if not lacking:
        return [Finding("system packages", "PostgreSQL and Redis found")]
    names = " and ".join(package.server for package in lacking)
    if packages.can_install():
        return [Finding("system packages", f"{names}: `up` will install it with apt")]
    problem = EnvironmentProblem(
        f"{names} is not installed",
        f"looked on PATH and in the usual folders for {', '.join(package.server for package in lacking)}",
        system.how_to_install(lacking),
    )
    return [Finding("system packages", problem.what, problem)]


def _ports(plan: Plan, machine: Machine) -> Iterator[Finding]:
    taken_by: dict[int, str] = {}
    problems: dict[int, EnvironmentProblem] = {}
    for name, process in plan.processes.items():
        for port in process.ports:
            problem = _port(plan, name, port, taken_by, machine)
            taken_by[port] = name
            if problem is not None:
                problems[port] = problem
    if not problems:
        yield Finding("ports", f"{len(taken_by)} free on 127.0.0.1")
    if len(problems) > MOST_PORTS_NAMED:
        yield _many_ports(problems, taken_by)
        return
    for port, problem in problems.items():
        yield Finding(f"port {port}", problem.what, problem)


def _many_ports(problems: Mapping[int, EnvironmentProblem], wanted_by: Mapping[int, str]) -> Finding:
    """One message for many ports: most often a second stack wants those of the first."""
    named = ", ".join(f"{port} ({wanted_by[port]})" for port in problems)
    reasons = list(dict.fromkeys(problem.why for problem in problems.values()))
    if len(reasons) > MOST_PORTS_NAMED:
        reasons = [*reasons[:MOST_PORTS_NAMED], "and others"]
    return Finding(
        "ports",
        f"{len(problems)} ports are not free",
        EnvironmentProblem(
            f"{len(problems)} ports are not free: {named}",
            "; ".join(reasons),
            "end the other stack where it was started (make down), or set PORT_OFFSET=1000 in .env",
        ),
    )


def _port(
    plan: Plan, name: str, port: int, taken_by: Mapping[int, str], machine: Machine
) -> EnvironmentProblem | None:
    declared = {one.container: one for one in plan.topology.services[name].ports}
    variable = next(
        (declared[inside].variable for inside, host in plan.ports[name].items() if host == port), None
    )
    move = (
        f"set {variable} in .env to another port" if variable else "set PORT_OFFSET in .env to move all ports"
    )
    if port in taken_by:
        return EnvironmentProblem(
            f"{name} and {taken_by[port]} both want port {port}", "the settings say so", move
        )
    if port > 65535:
        return EnvironmentProblem(
            f"{name} would need port {port}", "there is none above 65535", "lower PORT_OFFSET"
        )
    if port < 1024 and os.geteuid() != 0 and sys.platform != "darwin":
        return EnvironmentProblem(f"{name} would need port {port}", "ports below 1024 are for root", move)
    if machine.is_taken(port):
        owner = machine.owner_of(port)
        return EnvironmentProblem(
            f"port {port} is taken, and {name} needs it", owner, f"stop that process, or {move}"
        )
    return None


def _memory(machine: Machine, *, building: bool) -> Finding:
    free = machine.free_memory()
    needed = NEEDED_MEMORY_BYTES + (NEEDED_TO_BUILD_BYTES if building else 0)
    text = f"{free / GIGABYTE:.1f} GB free"
    if free >= needed:
        return Finding("memory", text)
    problem = EnvironmentProblem(
        f"too little memory: {text}",
        f"the stack needs {needed / GIGABYTE:.1f} GB" + (" while it builds" if building else ""),
        "close something large, then run it again",
    )
    return Finding("memory", problem.what, problem)


def _disks(folders: Mapping[str, Path], machine: Machine, cold: bool) -> Iterator[Finding]:
    for name, folder in folders.items():
        free = machine.free_disk(folder)
        needed = NEEDED_DISK_COLD_BYTES if cold and name == "cache" else NEEDED_DISK_WARM_BYTES
        text = f"{free / GIGABYTE:.1f} GB free for the {name} in {folder}"
        if free >= needed:
            yield Finding("disk", text)
            continue
        variable = "FIREDRILL_CACHE" if name == "cache" else "FIREDRILL_STATE"
        problem = EnvironmentProblem(
            f"too little disk: {text}",
            f"{needed / GIGABYTE:.0f} GB are needed" + (", since components must be built" if cold else ""),
            f"make room, or set {variable} to a folder on a larger disk",
        )
        yield Finding("disk", problem.what, problem)


def this_machine() -> Machine:
    """The machine that we run on."""
    return Machine(is_taken, owner_of, lambda: psutil.virtual_memory().available, free_disk)


def is_taken(port: int) -> bool:
    """True when a process listens on the port, on loopback or on all addresses."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.settimeout(0.5)
        if probe.connect_ex(("127.0.0.1", port)) == 0:
            return True
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        # Connections that are only winding down must not count.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            return error.errno == errno.EADDRINUSE
    return False


def owner_of(port: int) -> str:
    """Who listens on the port, as far as we may see."""
    with contextlib.suppress(psutil.Error, OSError):
        for connection in psutil.net_connections(kind="tcp"):
            if connection.status == psutil.CONN_LISTEN and connection.laddr and connection.laddr.port == port:
                if connection.pid is None:
                    break
                process = psutil.Process(connection.pid)
                return f"process {connection.pid} ({process.name()}, of {process.username()}) listens there"
    return "another user's process listens there"


def free_disk(folder: Path) -> int:
    """Bytes free where `folder` is or will be."""
    while not folder.exists():
        folder = folder.parent
    return psutil.disk_usage(str(folder)).free
