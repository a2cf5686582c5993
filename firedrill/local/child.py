"""One running process of the stack: its own session, its output always read, its end awaited."""

import asyncio
import contextlib
import os
import signal
import subprocess
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path

import psutil

from firedrill.local.logfile import LogFile
from firedrill.local.processes import Identity, family, identity, signal_group

_CHUNK = 65536
# After the kill signal the kernel needs a moment; more than this is a process stuck in the kernel.
_KILL_SECONDS = 5.0


class Child:
    """A started process. Raises OSError from the constructor when it cannot be started."""

    def __init__(
        self, command: Sequence[str], *, environ: Mapping[str, str], folder: Path, log: LogFile
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self.exited: asyncio.Future[int] = self._loop.create_future()
        self._process = subprocess.Popen(
            list(command),
            cwd=folder,
            env=dict(environ),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        self.identity: Identity = identity(self._process.pid)
        # Threads: whatever the event loop is busy with, a full pipe must never block a process.
        threading.Thread(target=self._pump, args=(log,), name=f"pump-{self.pid}", daemon=True).start()
        threading.Thread(target=self._wait, name=f"wait-{self.pid}", daemon=True).start()

    @property
    def pid(self) -> int:
        return self._process.pid

    async def stop(self, signal_name: str, grace_seconds: float) -> None:
        """Ask the process to end, and after `grace_seconds` end its whole group and all its descendants."""
        members = self._members()
        if not self.exited.done():
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(self.pid, signal.Signals[signal_name])
            await asyncio.wait([self.exited], timeout=grace_seconds)
        members |= self._members()
        await self.sweep(members)

    async def sweep(self, members: set[psutil.Process] | None = None) -> None:
        """End what is left of the group after the leader is gone, and the leader if it is not."""
        signal_group(self.pid, signal.SIGKILL)
        for member in members or ():
            with contextlib.suppress(psutil.Error):
                member.kill()
        if not self.exited.done():
            await asyncio.wait([self.exited], timeout=_KILL_SECONDS)

    def _members(self) -> set[psutil.Process]:
        process = self.identity.process()
        return set(family(process)) if process is not None else set()

    def _pump(self, log: LogFile) -> None:
        stream = self._process.stdout
        if stream is None:
            return
        with stream, contextlib.suppress(OSError, ValueError):
            while chunk := os.read(stream.fileno(), _CHUNK):
                log.write(chunk)
        log.close()

    def _wait(self) -> None:
        code = self._process.wait()
        with contextlib.suppress(RuntimeError):  # the loop is closed: nobody asks any more
            self._loop.call_soon_threadsafe(self._tell, code)

    def _tell(self, code: int) -> None:
        if not self.exited.done():
            self.exited.set_result(code)
