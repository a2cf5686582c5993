"""Has what is missing built, one build process after another, and tells who waits when a binary is there."""

import asyncio
import contextlib
import json
import signal
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from firedrill.local.board import Board
from firedrill.local.logfile import last_lines
from firedrill.local.plan import Process
from firedrill.local.processes import Identity, end_all, identity

# A build ends its own children within three seconds of the signal.
GRACE_SECONDS = 6.0
Locate = Callable[[str], Path | None]


@dataclass
class _Waiting:
    """A service whose binary is not known yet."""

    process: Process
    there: asyncio.Event = field(default_factory=asyncio.Event)
    path: Path | None = None


class Builds:
    """Knows the binaries of all processes; `available` waits for one."""

    def __init__(
        self,
        processes: Sequence[Process],
        board: Board,
        *,
        locate: Locate,
        environ: Mapping[str, str],
        log: Path,
        on_start: Callable[[Identity], None],
        on_end: Callable[[int], None],
        tools_missing: Callable[[], Sequence[str]] = tuple,
        command: Sequence[str] = (sys.executable, "-m", "firedrill.build", "--events"),
    ) -> None:
        self._waiting = {one.name: _Waiting(one) for one in processes if one.program.kind == "binary"}
        self._board, self._locate, self._environ, self._log = board, locate, environ, log
        self._on_start, self._on_end, self._command = on_start, on_end, tuple(command)
        self._tools_missing = tools_missing
        self._again = asyncio.Event()
        self._again.set()
        self._leader: Identity | None = None

    async def available(self, process: Process) -> Path | None:
        """Return the binary's path once it is there; None at once for what needs no binary."""
        waiting = self._waiting.get(process.name)
        if waiting is None:
            return None
        await waiting.there.wait()
        return waiting.path

    def path(self, name: str) -> Path | None:
        """The binary of a service that is available."""
        return self._waiting[name].path

    def retry(self) -> None:
        """Try once more to build what failed."""
        self._again.set()

    async def run(self) -> None:
        """Find and build, again after each `retry`, until cancelled; a running build is ended then."""
        try:
            while True:
                await self._again.wait()
                self._again.clear()
                try:
                    await self._find(self._open())
                    # A component can be there while a tool of it is not: promtool is built last.
                    tools = await asyncio.to_thread(self._tools_missing)
                    if self._open() or tools:
                        await self._build(tools)
                except Exception as error:  # the other services must run even if nothing can be built at all
                    self._give_up(f"{type(error).__name__}: {error}")
        finally:
            await asyncio.shield(asyncio.to_thread(self._end))

    def _open(self) -> list[_Waiting]:
        return [one for one in self._waiting.values() if not one.there.is_set()]

    async def _find(self, candidates: Sequence[_Waiting]) -> None:
        """Ask for each binary; in a thread, since a checksum of 100 MB takes its time."""
        for one in candidates:
            if one.there.is_set():
                continue
            path = await asyncio.to_thread(self._locate, one.process.program.name)
            if path is not None:
                one.path = path
                one.there.set()

    async def _build(self, tools: Sequence[str]) -> None:
        waiting = self._open()
        for one in waiting:
            self._board.set(one.process.name, phase="building", detail="waits for its turn", progress=0.0)
        names = [one.process.component or one.process.program.name for one in waiting]
        components = list(dict.fromkeys([*names, *tools]))
        with self._log.open("ab") as log:
            build = await asyncio.create_subprocess_exec(
                *self._command,
                *components,
                env=dict(self._environ),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE,
                stderr=log,
                start_new_session=True,
            )
        self._leader = identity(build.pid)
        self._on_start(self._leader)
        if build.stdout is not None:
            while line := await build.stdout.readline():
                await self._take(line)
        code = await build.wait()
        self._leader = None
        self._on_end(build.pid)
        await self._find(self._open())
        said = last_lines(self._log, 3)
        self._give_up(f"the build ended with code {code}: {' / '.join(said)[-300:]}; see {self._log}")

    def _give_up(self, why: str) -> None:
        for one in self._open():
            if self._board.service(one.process.name).phase != "build failed":
                self._board.set(one.process.name, phase="build failed", detail=why, progress=None)

    async def _take(self, line: bytes) -> None:
        """One event of the build."""
        try:
            event: dict[str, Any] = json.loads(line)
            kind, component = event["event"], event["component"]
        except (ValueError, KeyError, TypeError):
            return
        mine = [
            one for one in self._open() if (one.process.component or one.process.program.name) == component
        ]
        if kind in {"binary", "done", "cached"}:
            await self._find(mine)
        for one in mine:
            self._show(one, kind, event)

    def _show(self, one: _Waiting, kind: str, event: Mapping[str, Any]) -> None:
        name = one.process.name
        seconds, expected = float(event.get("seconds", 0.0)), float(event.get("expected_seconds", 0.0))
        if one.there.is_set():
            if kind != "cached":
                self._board.set(name, build_seconds=round(seconds, 1), progress=1.0)
        elif kind == "failed":
            text = "; ".join(str(event[key]) for key in ("detail", "why", "todo", "log") if event.get(key))
            self._board.set(name, phase="build failed", detail=text, progress=None)
        else:
            # An estimate: a build that takes longer than usual stays just below the whole.
            share = min(0.99, seconds / expected) if expected else 0.0
            detail = " ".join(str(event[key]) for key in ("phase", "detail") if event.get(key))
            self._board.set(
                name,
                phase="building",
                detail=detail,
                progress=round(share, 2),
                build_seconds=round(seconds, 1),
            )

    def _end(self) -> None:
        """End the build and the compilers that it started."""
        leader = self._leader
        if leader is None:
            return
        process = leader.process()
        if process is not None:
            with contextlib.suppress(ProcessLookupError):
                process.send_signal(signal.SIGTERM)
            deadline = time.monotonic() + GRACE_SECONDS
            while leader.process() is not None and time.monotonic() < deadline:
                time.sleep(0.05)
        end_all([leader], grace_seconds=1.0)
        self._on_end(leader.pid)
