"""The detached process that builds, starts, watches and ends everything."""

import asyncio
import contextlib
import fcntl
import os
import shutil
import signal
import sys
import traceback
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from firedrill.binaries import missing
from firedrill.errors import FiredrillError, StartError
from firedrill.local import control, probe
from firedrill.local.board import Board
from firedrill.local.builds import Builds, Locate
from firedrill.local.child import Child
from firedrill.local.launch import Launch, read_launch
from firedrill.local.layout import Layout
from firedrill.local.logfile import LogFile
from firedrill.local.plan import Plan, Probe, Process, make_plan
from firedrill.local.processes import MARK, Identity, end_all, identity
from firedrill.local.programs import command_of, environment_of, find_on_path, locate_binary, pacer
from firedrill.local.records import StackState, read_json, write_json
from firedrill.local.runner import Runner, Running
from firedrill.local.warden import Warden

_WARDEN_SECONDS = 1.0


class Supervisor:
    """One stack from its launch to its end."""

    def __init__(self, layout: Layout, launch: Launch, *, locate: Locate = locate_binary) -> None:
        self._layout, self._launch, self._locate = layout, launch, locate
        own = identity(os.getpid())
        self._board = Board(
            layout,
            StackState(
                instance=launch.instance, status="preparing", project=launch.project, began=launch.began,
                pace=launch.known_settings.pace, supervisor_pid=own.pid, supervisor_born=own.born,
            ),
        )  # fmt: skip
        self._alive: dict[int, Identity] = {}
        self._runners: dict[str, Runner] = {}
        self._stops: dict[str, asyncio.Task[None]] = {}
        self._over = asyncio.Event()
        self._environ = {**os.environ, MARK: launch.instance}
        self._warden: Warden | None = None
        self._builds: Builds | None = None

    async def run(self) -> int:
        """Everything; the exit code is 1 when the configuration cannot be used."""
        self._end_leftovers()
        self._board.flush()
        try:
            plan = self._prepare()
        except Exception as error:  # the process boundary: whatever it was, the user must read it
            self._fail(error)
            return 1
        self._warden = Warden(self._launch.instance, self._environ)
        self._note(identity(self._warden.pid))
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._over.set)
        server = await control.serve(self._layout.socket, self._execute)
        writing = asyncio.create_task(self._board.keep_written())
        guarding = asyncio.create_task(self._keep_warden(self._warden))
        building = self._launch_all(plan)
        await self._over.wait()
        self._board.set_stack(status="stopping")
        building.cancel()
        await asyncio.gather(building, return_exceptions=True)
        await asyncio.gather(*(self._stop(name) for name in self._runners))
        server.close()
        for task in (writing, guarding):
            task.cancel()
        self._warden.dismiss()
        end_all((), mark=self._launch.instance, grace_seconds=1.0)
        self._board.set_stack(status="stopped")
        self._board.flush()
        self._layout.processes_file.unlink(missing_ok=True)
        self._layout.socket.unlink(missing_ok=True)
        return 0

    # ---- what runners ask for (runner.Host) ----

    async def available(self, process: Process) -> None:
        """Wait for the process's program."""
        if self._builds is not None:
            await self._builds.available(process)

    def start(self, process: Process) -> Running:
        """Start a process and note it for whoever comes after a crash."""
        binary = (
            self._builds.path(process.name) if self._builds and process.program.kind == "binary" else None
        )
        child = Child(
            command_of(process, binary),
            environ=environment_of(process, self._layout, self._launch),
            folder=Path(self._launch.code),
            log=LogFile(process.log),
        )
        self._note(child.identity)
        return child

    def ended(self, running: Running) -> None:
        self._forget(running.pid)

    async def ask(self, probe_: Probe) -> None:
        await probe.ask(probe_)

    # ---- parts of run ----

    def _prepare(self) -> Plan:
        plan = make_plan(
            Path(self._launch.code), self._launch.known_settings, self._layout,
            pace=pacer(self._launch.known_settings.pace), find=find_on_path,
        )  # fmt: skip
        shutil.rmtree(self._layout.config, ignore_errors=True)
        for folder in plan.emptied:
            shutil.rmtree(folder, ignore_errors=True)
        for folder in plan.folders:
            folder.mkdir(parents=True, exist_ok=True)
        for file in plan.files():
            file.write()
        return plan

    def _launch_all(self, plan: Plan) -> "asyncio.Task[None]":
        self._board.add(
            plan.processes,
            status="running",
            left_out=dict(plan.left_out),
            ports={
                name: {str(inside): host for inside, host in own.items()} for name, own in plan.ports.items()
            },
            shows=plan.shows,
        )
        self._builds = Builds(
            list(plan.processes.values()), self._board, locate=self._locate, environ=self._environ,
            log=self._layout.logs / "build.log", on_start=self._note, on_end=self._forget,
            tools_missing=lambda: missing(one.component for one in plan.processes.values() if one.component),
        )  # fmt: skip
        self._runners = {one.name: Runner(one, self, self._board) for one in plan.processes.values()}
        for runner in self._runners.values():
            runner.launch()
        return asyncio.create_task(self._builds.run())

    async def _execute(self, command: str, name: str) -> str:
        """A command from the control socket; the answer is a problem or nothing."""
        if command in {"hold", "release"}:
            runner = self._runners.get(name)
            if runner is None:
                return f"there is no service {name!r} in the running stack"
            if command == "hold":
                await runner.hold()
            else:
                runner.release()
        elif command == "retry" and self._builds is not None:
            self._builds.retry()
        elif command == "down":
            self._over.set()
        elif command != "ping":
            return f"unknown command {command!r}"
        self._board.flush()
        return ""

    async def _stop(self, name: str) -> None:
        """Stop a service after everybody who depends on it; independent ones end side by side."""
        if name not in self._stops:
            self._stops[name] = asyncio.create_task(self._stop_after_dependents(name))
        await self._stops[name]

    async def _stop_after_dependents(self, name: str) -> None:
        dependents = [
            one for one, runner in self._runners.items()
            if name in {dependency.service for dependency in runner.process.depends_on}
        ]  # fmt: skip
        await asyncio.gather(*(self._stop(one) for one in dependents))
        await self._runners[name].stop()

    async def _keep_warden(self, warden: Warden) -> None:
        while True:
            await asyncio.sleep(_WARDEN_SECONDS)
            before = warden.pid
            if warden.ensure():
                self._forget(before)
                self._note(identity(warden.pid))

    def _note(self, who: Identity) -> None:
        self._alive[who.pid] = who
        if self._warden is not None and who.pid != self._warden.pid:
            self._warden.started(who)
        self._write_processes()

    def _forget(self, pid: int) -> None:
        self._alive.pop(pid, None)
        if self._warden is not None:
            self._warden.ended(pid)
        self._write_processes()

    def _write_processes(self) -> None:
        listed = [[who.pid, who.born] for who in self._alive.values()]
        write_json(self._layout.processes_file, {"instance": self._launch.instance, "processes": listed})

    def _end_leftovers(self) -> None:
        ended = end_leftovers(self._layout)
        if ended:
            print(f"ended {len(ended)} processes that an earlier supervisor left", flush=True)

    def _fail(self, error: Exception) -> None:
        if isinstance(error, FiredrillError):
            failure = (error.what, error.why, error.todo)
        else:
            traceback.print_exception(error)
            where = f"the whole story is in {self._layout.supervisor_log}"
            failure = ("the stack cannot be prepared", f"{type(error).__name__}: {error}", where)
        self._board.state = replace(self._board.state, status="failed", failure=failure)
        self._board.flush()


def end_leftovers(layout: Layout) -> list[int]:
    """End what a killed supervisor left running, as its notes and the mark in the environments say."""
    noted = read_json(layout.processes_file)
    if not isinstance(noted, dict):
        return []
    leaders = [Identity(int(pid), float(born)) for pid, born in noted.get("processes", [])]
    ended = end_all(leaders, mark=noted.get("instance"))
    layout.processes_file.unlink(missing_ok=True)
    return ended


@contextlib.contextmanager
def only_one(layout: Layout) -> Iterator[None]:
    """Hold the state folder's lock. Raises StartError when another supervisor has it."""
    with layout.lock_file.open("w") as stream:
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise StartError(
                "another supervisor runs on this state folder", str(layout.root), "firedrill status"
            ) from None
        yield


def main(arguments: list[str]) -> int:
    """Run the supervisor on the state folder named in `arguments`."""
    layout = Layout(Path(arguments[0]))
    layout.make_folders()
    with only_one(layout):
        return asyncio.run(Supervisor(layout, read_launch(layout)).run())


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
