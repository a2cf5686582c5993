"""Finding and ending our processes: by id and start time, or a mark in their environment; never by name."""

import contextlib
import os
import signal
import time
from collections.abc import Iterable
from dataclasses import dataclass

import psutil

# Each process of a stack carries the stack's mark; a child that left its group is found by it.
MARK = "FIREDRILL_INSTANCE"
# Start times are computed from the boot time, which a corrected clock may shift a little.
SAME_START_SECONDS = 2.0


@dataclass(frozen=True)
class Identity:
    """A process id and its start in seconds since the epoch: together they name one process."""

    pid: int
    born: float

    def process(self) -> psutil.Process | None:
        """The process, if it still runs."""
        with contextlib.suppress(psutil.Error):
            found = psutil.Process(self.pid)
            same = abs(found.create_time() - self.born) < SAME_START_SECONDS
            if same and found.status() != psutil.STATUS_ZOMBIE:
                return found
        return None


def identity(pid: int) -> Identity:
    """The identity of a process that was just started; a start time of now if it ended already."""
    try:
        return Identity(pid, psutil.Process(pid).create_time())
    except psutil.Error:
        return Identity(pid, time.time())


def family(process: psutil.Process) -> list[psutil.Process]:
    """The process and all its descendants that run now."""
    try:
        return [process, *process.children(recursive=True)]
    except psutil.Error:
        return [process]


def marked(mark: str) -> list[psutil.Process]:
    """Every process of ours whose environment carries `mark`, except this one and its parents."""
    spared = {os.getpid(), *(parent.pid for parent in psutil.Process().parents())}
    found = []
    for process in psutil.process_iter():
        if process.pid in spared:
            continue
        with contextlib.suppress(psutil.Error, OSError):
            if process.environ().get(MARK) == mark:
                found.append(process)
    return found


def signal_group(pid: int, number: signal.Signals) -> None:
    """Signal a process group; nothing if it is gone."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, number)


def end_all(
    leaders: Iterable[Identity],
    *,
    mark: str | None = None,
    grace_seconds: float = 5.0,
    spare: Iterable[int] = (),
) -> list[int]:
    """End the groups and descendants of `leaders`, and whoever carries `mark`; SIGTERM, then SIGKILL.

    Gives the ids of what had to be ended. Processes in `spare` are left alone.
    """
    spared = {os.getpid(), *spare}
    alive: dict[int, psutil.Process] = {}
    for leader in leaders:
        process = leader.process()
        if process is not None:
            alive |= {one.pid: one for one in family(process)}
    if mark is not None:
        alive |= {one.pid: one for process in marked(mark) for one in family(process)}
    alive = {pid: process for pid, process in alive.items() if pid not in spared}
    for process in alive.values():
        with contextlib.suppress(psutil.Error):
            process.terminate()
    _, stubborn = psutil.wait_procs(list(alive.values()), timeout=grace_seconds)
    for process in stubborn:
        with contextlib.suppress(psutil.Error):
            process.kill()
    psutil.wait_procs(stubborn, timeout=grace_seconds)
    return sorted(alive)
