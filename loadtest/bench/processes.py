"""Starting what is measured: pinned to a core where that can be done, with its CPU time, stopped for sure."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil

SERVER_CORE, CLIENT_CORE = 0, 1
STOP_SECONDS = 15.0


def pinned(command: Sequence[str], core: int) -> list[str]:
    """The command on one core, where there is taskset and a second core for the others."""
    tool = shutil.which("taskset")
    if tool is None or (os.cpu_count() or 1) < 2:
        return list(command)
    return [tool, "-c", str(core), *command]


def can_pin() -> bool:
    """Whether `pinned` does anything."""
    return len(pinned(["true"], 0)) > 1


def free_port() -> int:
    """A port of the loopback that nobody has at this moment."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])


@dataclass(frozen=True)
class Running:
    """A started process and the file that its output goes to."""

    process: subprocess.Popen[bytes]
    output: Path

    def cpu_seconds(self) -> float:
        """CPU time of the process and its children so far."""
        top = psutil.Process(self.process.pid)
        return float(sum(sum(each.cpu_times()[:2]) for each in [top, *top.children(recursive=True)]))

    def check(self) -> None:
        """Raise RuntimeError with the end of its output when it has ended."""
        if self.process.poll() is not None:
            tail = self.output.read_text(errors="replace")[-2000:]
            raise RuntimeError(f"it ended with {self.process.returncode}:\n{tail}")


@contextmanager
def running(
    command: Sequence[str], *, core: int, environment: Mapping[str, str], folder: Path, output: Path
) -> Iterator[Running]:
    """Run a command until the block ends; its output is a file, which a log collector would read."""
    with output.open("wb") as sink:
        process = subprocess.Popen(
            pinned(command, core), stdout=sink, stderr=subprocess.STDOUT, cwd=folder, env=dict(environment)
        )
    try:
        yield Running(process, output)
    finally:
        process.terminate()
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
