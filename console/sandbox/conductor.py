"""Leads one run at a time over the stage: waits for calm, breaks, watches, and heals whatever happens.

ConductorError
├── BusyError      a run or somebody else's fault is in the way
└── MissingError   no such incident, run or shift
"""

import asyncio
import secrets
import time
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Final

from console.sandbox import chosen, moves, watching
from console.sandbox.chosen import SetFault
from console.sandbox.model import Incident
from console.sandbox.ports import Stage, StageError
from console.sandbox.run import Attempt, Deed, Run, begin
from console.sandbox.secret import CURRENT, Secret

LOOK_EVERY_SECONDS: Final = 1.0
RUNS_KEPT: Final = 50
HEAL_TRIES: Final = 20
CLEAN_SECONDS: Final = 20.0  # how long who starts a run waits for the end of the one before


class ConductorError(Exception):
    """It is not done; the text says why and what to do."""


class BusyError(ConductorError):
    """Not now."""


class MissingError(ConductorError):
    """There is no such thing."""


@dataclass(frozen=True)
class Shift:
    """Incidents one after another; `runs` are the ids of those that have begun."""

    id: str
    seed: int
    names: tuple[str, ...]
    runs: tuple[str, ...] = ()
    ended: bool = False


@dataclass
class _Now:
    """What is going on."""

    run: str = ""
    task: "asyncio.Task[None] | None" = None
    shift: "asyncio.Task[None] | None" = None
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)


class Conductor:
    """Every incident, every run of this console's life (the last fifty), one of them active."""

    def __init__(
        self,
        incidents: Mapping[str, Incident],
        stage: Stage,
        *,
        slowness: float,
        clock: Callable[[], float] = time.time,
        pause: Callable[[float], Awaitable[object]] = asyncio.sleep,
        new_id: Callable[[], str] = lambda: secrets.token_hex(4),
        secret: Secret = CURRENT,
    ) -> None:
        self.incidents = incidents
        self._stage, self._slowness, self._clock, self._pause = stage, slowness, clock, pause
        self._new_id, self._secret = new_id, secret
        self._runs: dict[str, Run] = {}
        self._shifts: dict[str, Shift] = {}
        self._now = _Now()

    @property
    def runs(self) -> tuple[Run, ...]:
        """Every run that is remembered, newest first."""
        return tuple(reversed(self._runs.values()))

    @property
    def active(self) -> Run | None:
        """The run that goes on now."""
        run = self._runs.get(self._now.run)
        return None if run is None or run.phase == "over" else run

    @property
    def active_shift(self) -> Shift | None:
        """The shift that goes on now."""
        return next((one for one in self._shifts.values() if not one.ended), None)

    def unavailable(self, incident: Incident) -> str:
        """Why an incident cannot be run here; empty when it can."""
        return self._stage.cannot_stop if incident.stops_processes else ""

    def run(self, run_id: str) -> Run:
        """The run. Raises MissingError."""
        if run_id not in self._runs:
            raise MissingError(f"there is no run {run_id[:40]!r}; a console that restarts forgets them")
        return self._runs[run_id]

    def shift(self, shift_id: str) -> Shift:
        """The shift. Raises MissingError."""
        if shift_id not in self._shifts:
            raise MissingError(f"there is no shift {shift_id[:40]!r}; a console that restarts forgets them")
        return self._shifts[shift_id]

    async def start(self, name: str, seed: int) -> Run:
        """Begin a run; it goes on by itself. Raises MissingError, BusyError, StageError."""
        if self.active_shift is not None:
            raise BusyError("a shift goes on; it starts its incidents by itself")
        return await self._start(name, seed)

    async def start_shift(self, seed: int) -> Shift:
        """Begin three incidents, one after another. Raises BusyError, StageError."""
        await self._cleaned()
        self._needs_peace()
        await self._needs_calm_faults()
        here = [one for one in self.incidents.values() if not self.unavailable(one)]
        shift = Shift(self._new_id(), seed, chosen.shift(here, seed))
        self._shifts[shift.id] = shift
        self._now.shift = asyncio.create_task(self._work(shift.id))
        return shift

    def acknowledge(self, run_id: str) -> Run:
        """As moves.acknowledge. Raises MissingError, RunError; so do all that follow."""
        return self._kept(moves.acknowledge(self.run(run_id), self._clock()))

    def answer(self, run_id: str, question: str, choice: str) -> tuple[Run, Attempt]:
        """As moves.answer_choice."""
        run, attempt = moves.answer_choice(self.run(run_id), question, choice, self._clock())
        return self._kept(run), attempt

    def answer_since(self, run_id: str, moment: float) -> tuple[Run, Attempt]:
        """As moves.answer_since."""
        run, attempt = moves.answer_since(self.run(run_id), moment, self._clock())
        return self._kept(run), attempt

    def hint(self, run_id: str) -> Run:
        """As moves.take_hint."""
        return self._kept(moves.take_hint(self.run(run_id), self._clock()))

    async def act(self, run_id: str, action: str) -> tuple[Run, Deed]:
        """Do it. StageError when the stack could not be healed: it then counts as not done."""
        async with self._now.lock:
            deed = moves.deed_of(self.run(run_id), action, self._clock())
            if deed.heals:
                await self._stage.heal(self.run(run_id).plan.broken)
                deed = replace(deed, at=self._clock())
            return self._kept(moves.done(self.run(run_id), deed)), deed

    async def end(self, run_id: str) -> Run:
        """Give up, or be content with what is answered; returns when the stack is healed."""
        run = self._kept(moves.end(self.run(run_id), self._clock()))
        if self._now.run == run_id and self._now.task is not None:
            await asyncio.shield(self._now.task)
        return run

    async def end_shift(self, shift_id: str) -> Shift:
        """End the shift and what runs of it."""
        shift = self.shift(shift_id)
        if not shift.ended:
            self._shifts[shift_id] = replace(shift, ended=True)
            if self.active is not None and self.active.id in shift.runs:
                await self.end(self.active.id)
        return self._shifts[shift_id]

    async def close(self) -> None:
        """The console ends: heal, and send no more."""
        for task in (self._now.shift, self._now.task):
            if task is not None and not task.done():
                task.cancel()
                with suppress(asyncio.CancelledError):
                    await task

    async def _start(self, name: str, seed: int) -> Run:
        incident = self.incidents.get(name)
        if incident is None:
            raise MissingError(f"there is no incident {name[:60]!r}; there are: {', '.join(self.incidents)}")
        await self._cleaned()
        self._needs_peace(but_shift=True)
        if why := self.unavailable(incident):
            raise BusyError(f"{name} cannot be run here: {why}")
        await self._needs_calm_faults()
        self._needs_peace(but_shift=True)  # somebody may have been quicker meanwhile
        plan = chosen.plan(incident, seed)
        run = begin(self._new_id(), incident, plan, now=self._clock(), slowness=self._slowness)
        self._kept(run)
        self._now.run = run.id
        self._secret.hide(f"{one.service}/{one.name}" for one in plan.broken if isinstance(one, SetFault))
        self._now.task = asyncio.create_task(self._lead(run.id))
        return run

    async def _cleaned(self) -> None:
        """A run that is over still heals and stops its traffic; who starts the next one waits for that."""
        task = self._now.task
        if self.active is None and task is not None and not task.done():
            await asyncio.wait({task}, timeout=CLEAN_SECONDS)

    def _needs_peace(self, *, but_shift: bool = False) -> None:
        task = self._now.task
        if self.active is not None or (task is not None and not task.done()):
            raise BusyError(f"a run goes on: {self._now.run}; end it first, or wait for its end")
        if self.active_shift is not None and not but_shift:
            raise BusyError(f"a shift goes on: {self.active_shift.id}; end it first, or wait for its end")

    async def _needs_calm_faults(self) -> None:
        if found := await self._stage.faults_of_others():
            raise BusyError(f"{len(found)} faults are set: make heal, or wait for the end of the drill")

    async def _work(self, shift_id: str) -> None:
        """The three incidents of a shift."""
        shift = self._shifts[shift_id]
        try:
            for name, seed in zip(shift.names, chosen.seeds(shift.seed), strict=True):
                if self._shifts[shift_id].ended:
                    return
                run = await self._start(name, seed)
                shift = self._shifts[shift_id]
                self._shifts[shift_id] = replace(shift, runs=(*shift.runs, run.id))
                if self._now.task is not None:
                    await asyncio.shield(self._now.task)
        except (ConductorError, StageError):
            return  # what ran is told; the shift says how many of three
        finally:
            self._shifts[shift_id] = replace(self._shifts[shift_id], ended=True)

    async def _lead(self, run_id: str) -> None:
        """One run until it is over; then all is healed."""
        run = self._runs[run_id]
        try:
            await self._stage.start_traffic(run.incident.traffic, seconds=run.longest_seconds)
            while self._runs[run_id].phase != "over":
                await self._turn(run_id)
                await self._pause(LOOK_EVERY_SECONDS)
        except StageError as error:
            self._kept(watching.failed(self._runs[run_id], self._clock(), " ".join(str(error).split())))
        finally:
            await asyncio.shield(self._clean(run_id))

    async def _turn(self, run_id: str) -> None:
        async with self._now.lock:
            run = self._runs[run_id]
            if watching.due(run, self._clock()):
                at = self._clock()  # a fault works from its arrival on
                self._kept(watching.faulted(run, at))
                await self._stage.break_it(run.plan.broken, ttl_seconds=run.ttl_seconds)
            run = self._runs[run_id]
            seen = await self._stage.look(
                run.plan.broken if run.faulted_at is not None else (),
                since=run.started_at,
                pages=run.incident.page if run.phase == "settling" else (),
            )
            before = self._runs[run_id]
            after = self._kept(watching.observe(before, seen))
            if watching.untold_now(before, after):
                await self._stage.tell_ended(seen.untold)

    async def _clean(self, run_id: str) -> None:
        """Heal and stop the traffic; tried again for a while, then the fault's own end must do."""
        run = self._runs[run_id]
        with suppress(StageError, OSError):
            await self._stage.stop_traffic()
        if run.faulted_at is not None:
            for _ in range(HEAL_TRIES):
                try:
                    await self._stage.heal(run.plan.broken)
                    break
                except StageError:
                    await self._pause(LOOK_EVERY_SECONDS)
        self._secret.hide(())

    def _kept(self, run: Run) -> Run:
        self._runs[run.id] = run
        for old in list(self._runs)[: max(0, len(self._runs) - RUNS_KEPT)]:
            del self._runs[old]
        return run
