"""The drill that this console runs: at most one, in a process of its own, watched by every page."""

import asyncio
import contextlib
import os
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from firedrill.errors import UsageError

from . import events
from .events import Progress

PROJECT = Path(__file__).resolve().parents[2]
# After the word to stop, a drill heals; a process that it had stopped must become ready first.
HEAL_SECONDS = 100.0
# A console that ends waits so long for the heal; what is left then, the process does alone.
CLOSE_SECONDS = 12.0
LONGEST_LINE = 1024 * 1024
KEPT_WORDS = 2_000


class Runs:
    """Starts, follows and stops one drill at a time; `command` is what runs it, followed by its name."""

    def __init__(
        self,
        command: Sequence[str],
        *,
        arguments: Sequence[str] = (),
        environ: Mapping[str, str] | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._command, self._arguments = list(command), list(arguments)
        self._environ, self._clock = environ, clock
        self._process: asyncio.subprocess.Process | None = None
        self._following: asyncio.Task[None] | None = None
        self._progress: Progress | None = None

    @property
    def progress(self) -> Progress | None:
        """The run that goes on, or the last one; None before the first."""
        return self._progress

    @property
    def is_running(self) -> bool:
        """Whether a drill runs now."""
        return self._progress is not None and not self._progress.is_over

    async def start(self, name: str) -> None:
        """Begin the drill `slice/Alert`. Raises UsageError while another runs."""
        if self._progress is not None and not self._progress.is_over:
            raise UsageError(
                f"the drill {self._progress.drill} is running",
                "one at a time: they would see each other's alerts",
                "stop it, or wait for its end",
            )  # fmt: skip
        self._progress = Progress(name, self._clock())
        try:
            # A session of its own: Ctrl-C reaches the console alone, whose end is the drill's sign to heal.
            self._process = await asyncio.create_subprocess_exec(
                *self._command, name, *self._arguments, cwd=PROJECT, env=self._environment(),
                stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
                start_new_session=True, limit=LONGEST_LINE,
            )  # fmt: skip
        except OSError as error:
            self._progress = events.died(self._progress, str(error), now=self._clock())
            return
        self._following = asyncio.create_task(self._follow(self._process))

    async def stop(self) -> None:
        """Tell the drill to heal and end; returns at once, the progress says when it has."""
        process = self._process
        if process is None or not self.is_running or self._progress is None:
            return
        self._progress = replace(self._progress, state="stopping")
        if process.stdin is not None:
            with contextlib.suppress(OSError):
                process.stdin.write(b"stop\n")
                await process.stdin.drain()

    async def over(self, seconds: float = HEAL_SECONDS) -> None:
        """Wait for the end of the run, at most so long."""
        if self._following is not None:
            await asyncio.wait([self._following], timeout=seconds)

    async def close(self) -> None:
        """Stop and wait for the heal, because the console ends."""
        await self.stop()
        await self.over(CLOSE_SECONDS)

    async def _follow(self, process: asyncio.subprocess.Process) -> None:
        assert process.stdout is not None
        assert process.stderr is not None
        said = asyncio.create_task(_last_words(process.stderr))
        async for line in process.stdout:
            event = events.read(line.decode("utf-8", "replace"))
            if event is not None and self._progress is not None:
                found = events.after(self._progress, event, now=self._clock())
                stopping = self._progress.state == "stopping" and not found.is_over
                self._progress = replace(found, state="stopping") if stopping else found
        await process.wait()
        words = await said
        if self._progress is not None:
            self._progress = events.died(self._progress, words, now=self._clock())

    def _environment(self) -> dict[str, str]:
        known = dict(os.environ if self._environ is None else self._environ)
        return {**known, "PYTHONPATH": str(PROJECT), "PYTHONUNBUFFERED": "1"}


def runs_for(results: Path, *, python: str = sys.executable) -> Runs:
    """Runs of the real drills, whose results are kept in `results`."""
    return Runs([python, "-m", "console.drills.process"], arguments=[str(results)])


async def _last_words(stream: asyncio.StreamReader) -> str:
    """The end of what was written on standard error, all of it read so that nobody waits for it."""
    words = b""
    while chunk := await stream.read(4096):
        words = (words + chunk)[-KEPT_WORDS:]
    return words.decode("utf-8", "replace").strip()
