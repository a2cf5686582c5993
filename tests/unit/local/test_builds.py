"""Building what is missing: progress, availability, failure, cancellation."""

import asyncio
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from firedrill.local.board import Board
from firedrill.local.builds import Builds
from firedrill.local.layout import Layout
from firedrill.local.plan import Process, Program
from firedrill.local.processes import Identity
from firedrill.local.records import StackState

# Makes the binary named last on its command line, after telling how far it is, as the builder does.
BUILD = """
import json, pathlib, sys, time
folder, what, *names = sys.argv[1:]
def say(**event): print(json.dumps(event), flush=True)
for name in names:
    say(event="progress", component=name, phase="compile", seconds=5, expected_seconds=10)
    if what == "fail":
        say(event="failed", component=name, detail="go build failed", why="disk full", todo="make room")
    elif what == "hang":
        time.sleep(600)
    elif what == "die":
        raise SystemExit(7)
    else:
        pathlib.Path(folder, name).touch()
        say(event="done", component=name, seconds=9.5, expected_seconds=10)
"""


class Bench:
    """Builds on a folder in which a file is a binary."""

    def __init__(self, folder: Path, names: Sequence[str], what: str) -> None:
        self.folder = folder
        layout = Layout(folder / "state")
        layout.make_folders()
        self.processes = [
            Process(name, Program("binary", name), (), {}, folder / f"{name}.log", component=name)
            for name in names
        ]
        self.board = Board(layout, StackState("i", "running", "p", "demo", time.time(), 1, 0.0))
        self.board.add(names)
        self.started: list[Identity] = []
        self.ended: list[int] = []
        self.build_ended = asyncio.Event()
        self.builds = Builds(
            self.processes, self.board, locate=self.locate, environ={}, log=folder / "build.log",
            on_start=self.started.append, on_end=self.note_end,
            command=(sys.executable, "-c", BUILD, str(folder), what),
        )  # fmt: skip

    def note_end(self, pid: int) -> None:
        self.ended.append(pid)
        self.build_ended.set()

    def locate(self, name: str) -> Path | None:
        path = self.folder / name
        return path if path.exists() else None


def test_what_is_there_is_not_built(tmp_path: Path) -> None:
    """No build process is started at all."""
    (tmp_path / "loki").touch()

    async def scene() -> Bench:
        bench = Bench(tmp_path, ["loki"], "make")
        task = asyncio.create_task(bench.builds.run())
        assert await bench.builds.available(bench.processes[0]) == tmp_path / "loki"
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        return bench

    assert asyncio.run(scene()).started == []


def test_each_binary_is_available_as_soon_as_it_is_built(tmp_path: Path) -> None:
    """With its build time on the board; the build process is noted and forgotten."""

    async def scene() -> Bench:
        bench = Bench(tmp_path, ["loki", "jaeger"], "make")
        task = asyncio.create_task(bench.builds.run())
        async with asyncio.timeout(20):
            for process in bench.processes:
                assert await bench.builds.available(process) == tmp_path / process.name
            await bench.board.changed(lambda: bench.board.service("jaeger").build_seconds == 9.5)
        await bench.build_ended.wait()
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        return bench

    bench = asyncio.run(scene())
    assert [who.pid for who in bench.started] == bench.ended[:1]


def test_a_failed_build_is_shown_and_can_be_tried_again(tmp_path: Path) -> None:
    """The failure carries detail, cause and next step."""

    async def scene() -> None:
        bench = Bench(tmp_path, ["loki"], "fail")
        task = asyncio.create_task(bench.builds.run())
        async with asyncio.timeout(20):
            await bench.board.changed(lambda: bench.board.service("loki").phase == "build failed")
            assert bench.board.service("loki").detail == "go build failed; disk full; make room"
            await bench.build_ended.wait()
            (tmp_path / "loki").touch()
            bench.builds.retry()
            assert await bench.builds.available(bench.processes[0]) == tmp_path / "loki"
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    asyncio.run(scene())


def test_a_build_that_dies_is_a_failure_too(tmp_path: Path) -> None:
    """Without a word of its own, the exit code and the log are named."""

    async def scene() -> str:
        bench = Bench(tmp_path, ["loki"], "die")
        task = asyncio.create_task(bench.builds.run())
        async with asyncio.timeout(20):
            await bench.board.changed(lambda: bench.board.service("loki").phase == "build failed")
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        return bench.board.service("loki").detail

    assert "code 7" in asyncio.run(scene())


def test_cancelling_ends_the_build(tmp_path: Path) -> None:
    """`down` in the middle of a build leaves no compiler running."""

    async def scene() -> Bench:
        bench = Bench(tmp_path, ["loki"], "hang")
        task = asyncio.create_task(bench.builds.run())
        async with asyncio.timeout(20):
            await bench.board.changed(lambda: bench.board.service("loki").progress == 0.5)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        return bench

    bench = asyncio.run(scene())
    assert bench.started[0].process() is None
