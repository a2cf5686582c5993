"""What a build starts: each process its own group, nice 19, ended together, found again after a crash."""

import json
import os
import queue
import signal
import subprocess
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

import psutil

NICENESS = 19  # at equal priority a build starves what already serves
GRACE_SECONDS = 3.0


class CancelledError(Exception):
    """The build was told to stop; its children are ended."""


class Children:
    """Starts commands, notes them in `record`, ends them all at once. Safe to use from several threads."""

    def __init__(self, record: Path) -> None:
        self._record = record
        self._lock = threading.Lock()
        self._running: dict[int, tuple[subprocess.Popen[str], float]] = {}
        self._cancelled = False  # no Event: its lock is not for signal handlers

    @property
    def cancelled(self) -> bool:
        return self._cancelled

    def cancel(self) -> None:
        """Ask for the end, also inside a signal handler: who waits for a child raises CancelledError soon."""
        self._cancelled = True

    def run(
        self,
        command: Sequence[str],
        *,
        folder: Path,
        environ: Mapping[str, str],
        log: IO[str],
        on_line: Callable[[str], None] = lambda line: None,
        tick: Callable[[], None] = lambda: None,
        tick_seconds: float = 0.5,
    ) -> tuple[int, str]:
        """Run to the end: exit code and standard output. Lines of standard error go to `log` and `on_line`.

        `tick` is called about every `tick_seconds`. Raises CancelledError when `cancel` was called.
        """
        with self._started(command, folder, environ) as process:
            lines: queue.Queue[str | None] = queue.Queue()
            output: list[str] = []
            readers = [
                threading.Thread(target=_drain, args=(process.stderr, lines.put), daemon=True),
                threading.Thread(target=_drain, args=(process.stdout, _collect(output)), daemon=True),
            ]
            for reader in readers:
                reader.start()
            while not self.cancelled:
                try:
                    line = lines.get(timeout=tick_seconds)
                except queue.Empty:
                    line = ""
                if line is None:
                    break
                if line:
                    log.write(line)
                    on_line(line.rstrip("\n"))
                tick()
            if self.cancelled:
                raise CancelledError
            readers[1].join()
            log.flush()
            return process.wait(), "".join(output)

    @contextmanager
    def _started(
        self, command: Sequence[str], folder: Path, environ: Mapping[str, str]
    ) -> Iterator[subprocess.Popen[str]]:
        with self._lock:
            if self.cancelled:
                raise CancelledError
            process = subprocess.Popen(
                list(command),
                cwd=folder,
                env=dict(environ),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
                errors="replace",
                start_new_session=True,
            )
            with suppress(OSError):  # it may have ended already
                os.setpriority(os.PRIO_PGRP, process.pid, NICENESS)
            self._running[process.pid] = (process, _born(process.pid))
            self._write_record()
        try:
            yield process
        finally:
            end_group(process.pid, process)
            with self._lock:
                del self._running[process.pid]
                self._write_record()

    def _write_record(self) -> None:
        self._record.parent.mkdir(parents=True, exist_ok=True)
        self._record.write_text(json.dumps({str(pid): born for pid, (_, born) in self._running.items()}))


def end_group(pid: int, process: subprocess.Popen[str] | None = None) -> None:
    """End the process group of `pid`: politely, then by force after three seconds; nothing if it is gone."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        if process and process.poll() is not None:
            return
        try:
            os.killpg(pid, number)
        except (ProcessLookupError, PermissionError):
            return
        if process:
            with suppress(subprocess.TimeoutExpired):
                process.wait(GRACE_SECONDS)
        else:
            psutil.wait_procs(_of(pid), timeout=GRACE_SECONDS)


def end_leftovers(record: Path) -> list[int]:
    """End what a killed build left running, as its `record` says; start times tell a reused pid apart."""
    try:
        noted = json.loads(record.read_text())
    except (OSError, ValueError):
        return []
    left = [int(pid) for pid, born in noted.items() if abs(_born(int(pid)) - born) < 1.0]
    for pid in left:
        end_group(pid)
    return left


def _born(pid: int) -> float:
    try:
        return psutil.Process(pid).create_time()
    except psutil.Error:
        return 0.0


def _of(pid: int) -> list[psutil.Process]:
    with suppress(psutil.Error):
        return [psutil.Process(pid)]
    return []


def _drain(stream: IO[str] | None, take: Callable[[str | None], None]) -> None:
    if stream is not None:
        with stream:
            for line in stream:
                take(line)
    take(None)


def _collect(lines: list[str]) -> Callable[[str | None], None]:
    return lambda line: lines.append(line) if line else None
