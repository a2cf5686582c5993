"""Keeps one service running: waits for what it needs, starts it, probes it, restarts it, holds it down."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any, Protocol

from firedrill.local.board import Board
from firedrill.local.logfile import last_lines
from firedrill.local.plan import Probe, Process
from firedrill.local.records import UP
from firedrill.topology import Dependency

FIRST_DELAY, LONGEST_DELAY, STEADY_SECONDS = 0.5, 15.0, 60.0
PROBE_SECONDS, PATIENT_PROBE_SECONDS, WATCH_SECONDS = 0.25, 1.0, 5.0
# After so many failed probes in a row a service that was ready is called unready.
LOST_AFTER = 3
# A process without a probe counts as ready when it has not ended by then.
SETTLED_SECONDS = 1.0


class Backoff:
    """How long to wait before the next start: doubling, and from the beginning again after a steady run."""

    def __init__(self) -> None:
        self.failures = 0

    def next_delay(self, ran_seconds: float) -> float:
        """Seconds to wait after a run of `ran_seconds`."""
        self.failures = 1 if ran_seconds >= STEADY_SECONDS else self.failures + 1
        return min(LONGEST_DELAY, FIRST_DELAY * 2.0 ** min(self.failures - 1, 10))


class Running(Protocol):
    """A started process, as `Child` is."""

    exited: "asyncio.Future[int]"

    @property
    def pid(self) -> int: ...
    async def stop(self, signal_name: str, grace_seconds: float) -> None: ...
    async def sweep(self) -> None: ...


class Host(Protocol):
    """What a runner asks of the supervisor."""

    async def available(self, process: Process) -> None:
        """Return once the process's program is there."""

    def start(self, process: Process) -> Running:
        """Start it. Raises OSError or FiredrillError."""

    def ended(self, running: Running) -> None:
        """It ended and nothing of it is left."""

    async def ask(self, probe: Probe) -> None:
        """Return when it is ready; raise when not."""


class Runner:
    """One service. `run` goes on until it is cancelled by `stop`."""

    def __init__(
        self,
        process: Process,
        host: Host,
        board: Board,
        *,
        clock: Callable[[], float] = time.monotonic,
        pause: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self.process, self._host, self._board = process, host, board
        self._clock, self._pause = clock, pause
        self._backoff = Backoff()
        self._running: Running | None = None
        self._wanted = asyncio.Event()
        self._wanted.set()
        self._unwanted = asyncio.Event()
        self._idle = asyncio.Event()
        self._idle.set()
        self._task: asyncio.Task[None] | None = None

    def launch(self) -> None:
        """Begin; returns at once."""
        self._task = asyncio.create_task(self._run(), name=self.process.name)

    async def hold(self) -> None:
        """Stop the process and keep it down until `release`; returns when it is down."""
        self._wanted.clear()
        self._unwanted.set()
        await self._idle.wait()
        self._set(phase="held", detail="held down until it is started again", pid=None)

    def release(self) -> None:
        """Let it run again; a service that finished is started anew."""
        self._unwanted.clear()
        self._wanted.set()

    async def stop(self) -> None:
        """End the process for good; returns when nothing of it is left."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        self._set(phase="stopping")
        await self._end_running()
        self._set(phase="stopped", detail="", pid=None)

    async def _run(self) -> None:
        name = self.process.name
        await self._host.available(self.process)
        waits_for = ", ".join(one.service for one in self.process.depends_on)
        self._set(phase="waiting", detail=f"for {waits_for}" if waits_for else "", progress=None)
        await self._board.changed(lambda: all(self._has_come(one) for one in self.process.depends_on))
        while True:
            if not self._wanted.is_set():
                await self._wanted.wait()
                self._backoff = Backoff()
            began = self._clock()
            why = await self._one_run(began)
            if not self._wanted.is_set():
                continue
            if why is None:
                self._unwanted.clear()
                self._wanted.clear()  # finished: nobody wants it until somebody says `start`
                continue
            delay = self._backoff.next_delay(self._clock() - began)
            self._set(phase="failing", detail=why, pid=None, restarts=self._board.service(name).restarts + 1)
            if self.process.restart == "no":
                self._wanted.clear()
                continue
            await self._pause_unless_unwanted(delay)

    async def _one_run(self, began: float) -> str | None:
        """Start it and see it through to its end: None when it finished, or why it failed."""
        last = self._board.service(self.process.name).detail if self._backoff.failures else ""
        self._idle.clear()
        try:
            self._running = running = self._host.start(self.process)
        except Exception as error:  # whatever keeps one process from starting must not end the others
            self._idle.set()
            return f"cannot be started: {error}"
        self._set(phase="starting", detail=last, pid=running.pid)
        probing = asyncio.create_task(self._watch(began))
        unwanted = asyncio.create_task(self._unwanted.wait())
        try:
            tasks: set[asyncio.Future[Any]] = {running.exited, unwanted}
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            probing.cancel()
            unwanted.cancel()
        if not running.exited.done():
            self._set(phase="stopping")
        await self._end_running()
        if not running.exited.done():
            return "it did not end when it was killed"
        return self._judge(running.exited.result())

    def _judge(self, code: int) -> str | None:
        if code == 0 and self.process.restart in {"no", "on-failure"}:
            self._set(phase="finished", detail="", pid=None)
            return None
        how = f"ended by signal {-code}" if code < 0 else f"exited with code {code}"
        lines = [line for line in last_lines(self.process.log, 3) if line.strip()]
        return how + (f": {lines[-1].strip()[:300]}" if lines else "")

    async def _end_running(self) -> None:
        """Stop what runs, as a whole; when the caller is cancelled in between, `stop` comes back here."""
        running = self._running
        if running is None:
            return
        if running.exited.done():
            await running.sweep()
        else:
            await running.stop(self.process.stop_signal, self.process.stop_grace_seconds)
        self._running = None
        self._host.ended(running)
        self._idle.set()

    async def _watch(self, began: float) -> None:
        """Probe until ready, then now and then, and say when readiness is lost."""
        probe = self.process.probe
        if probe is None:
            await self._pause(SETTLED_SECONDS)
            self._become_ready(began)
            return
        failures = 0
        while True:
            try:
                await self._host.ask(probe)
            except Exception as error:  # any failure of a probe means "not yet"; it is shown to the user
                failures += 1
                self._not_ready(failures, error)
            else:
                failures = 0
                self._become_ready(began)
            await self._pause(self._probe_interval(began))

    def _probe_interval(self, began: float) -> float:
        if self._board.service(self.process.name).phase == "ready":
            return WATCH_SECONDS
        return PROBE_SECONDS if self._clock() - began < 20.0 else PATIENT_PROBE_SECONDS

    def _become_ready(self, began: float) -> None:
        state = self._board.service(self.process.name)
        if state.phase in {"starting", "unready"}:
            seconds = state.start_seconds
            if seconds is None:
                seconds = round(self._clock() - began, 1)
            self._set(phase="ready", detail="", start_seconds=seconds)

    def _not_ready(self, failures: int, error: Exception) -> None:
        phase = self._board.service(self.process.name).phase
        text = f"not ready: {str(error) or type(error).__name__}"
        if phase == "ready" and failures >= LOST_AFTER:
            self._set(phase="unready", detail=text)
        elif phase in {"starting", "unready"} and failures >= LOST_AFTER:
            self._set(detail=text)

    async def _pause_unless_unwanted(self, seconds: float) -> None:
        """Wait before a restart, cut short when somebody holds the service down."""
        pausing = asyncio.ensure_future(self._pause(seconds))
        unwanted = asyncio.create_task(self._unwanted.wait())
        try:
            await asyncio.wait({pausing, unwanted}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            pausing.cancel()
            unwanted.cancel()

    def _has_come(self, dependency: Dependency) -> bool:
        state = self._board.service(dependency.service)
        if dependency.condition == "service_completed_successfully":
            return state.phase == "finished"
        if dependency.condition == "service_healthy":
            return state.phase in UP or state.ready_after is not None
        return state.pid is not None or state.phase in UP

    def _set(self, **fields: object) -> None:
        self._board.set(self.process.name, **fields)
