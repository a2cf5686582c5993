"""One service's life on a fake host and a fake clock."""

import asyncio
import time
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from pathlib import Path

from firedrill.local.board import Board
from firedrill.local.layout import Layout
from firedrill.local.plan import Probe, Process, Program
from firedrill.local.records import StackState
from firedrill.local.runner import Backoff, Runner
from firedrill.topology import Dependency


def test_backoff_doubles_to_its_limit_and_forgets_after_a_steady_run() -> None:
    """Half a second to 15 s; a run of a minute begins anew."""
    backoff = Backoff()
    assert [backoff.next_delay(1.0) for _ in range(7)] == [0.5, 1, 2, 4, 8, 15, 15]
    assert backoff.next_delay(61.0) == 0.5


@dataclass
class FakeProcess:
    pid: int
    exited: "asyncio.Future[int]" = field(default_factory=lambda: asyncio.get_running_loop().create_future())
    stopped_with: str = ""

    async def stop(self, signal_name: str, grace_seconds: float) -> None:
        self.stopped_with = signal_name
        self.end(0)

    async def sweep(self) -> None:
        return

    def end(self, code: int) -> None:
        if not self.exited.done():
            self.exited.set_result(code)


class FakeHost:
    """Starts fake processes; `healthy` is what a probe says, `pauses` the waits that were asked for."""

    def __init__(self) -> None:
        self.started: list[FakeProcess] = []
        self.healthy = True
        self.now = 0.0
        self.pauses: list[float] = []
        self.refuse: Exception | None = None
        self.woken = asyncio.Event()

    async def available(self, process: Process) -> None:
        return

    def start(self, process: Process) -> FakeProcess:
        if self.refuse is not None:
            raise self.refuse
        self.started.append(FakeProcess(100 + len(self.started)))
        self.woken.set()
        return self.started[-1]

    def ended(self, running: object) -> None:
        return

    async def ask(self, probe: Probe) -> None:
        if not self.healthy:
            raise OSError("refused")

    async def pause(self, seconds: float) -> None:
        self.pauses.append(seconds)
        self.now += seconds
        await asyncio.sleep(0)

    async def start_number(self, number: int) -> FakeProcess:
        while len(self.started) < number:
            self.woken.clear()
            await self.woken.wait()
        return self.started[number - 1]


class Scene:
    """A board with services and a runner for one of them."""

    def __init__(self, folder: Path, *names: str) -> None:
        layout = Layout(folder)
        layout.make_folders()
        self.folder, self.host = folder, FakeHost()
        self.board = Board(layout, StackState("i", "running", "p", "demo", time.time(), 1, 0.0))
        self.board.add(names)

    def runner(self, name: str, *, restart: str = "always", needs: str = "", probe: bool = True) -> Runner:
        process = Process(
            name,
            Program("python", "x"),
            arguments=(),
            environment={},
            log=self.folder / f"{name}.log",
            probe=Probe("tcp", 1) if probe else None,
            depends_on=(Dependency(needs, "service_healthy"),) if needs else (),
            restart=restart,
            stop_signal="SIGINT",
        )
        runner = Runner(process, self.host, self.board, clock=lambda: self.host.now, pause=self.host.pause)
        runner.launch()
        return runner

    async def phase(self, name: str, phase: str) -> None:
        await self.board.changed(lambda: self.board.service(name).phase == phase)


def play(scene: Callable[[], Coroutine[None, None, None]]) -> None:
    async def limited() -> None:
        async with asyncio.timeout(10):
            await scene()

    asyncio.run(limited())


def test_restarts_wait_longer_each_time(tmp_path: Path) -> None:
    """The waits between starts are the back-off's, and the detail says how it ended."""

    async def scene() -> None:
        stage = Scene(tmp_path, "web")
        stage.host.healthy = False
        runner = stage.runner("web", probe=False)
        for number in range(1, 4):
            (await stage.host.start_number(number)).end(-9)
            await stage.phase("web", "failing")
            assert stage.board.service("web").detail == "ended by signal 9"
        await stage.host.start_number(4)
        assert [pause for pause in stage.host.pauses if pause != 1.0][:2] == [0.5, 2.0]
        await runner.stop()

    play(scene)


def test_readiness_that_is_lost_shows_and_comes_back(tmp_path: Path) -> None:
    """A process that lives and does not answer is unready; nothing restarts it."""

    async def scene() -> None:
        stage = Scene(tmp_path, "web")
        runner = stage.runner("web")
        await stage.phase("web", "ready")
        stage.host.healthy = False
        await stage.phase("web", "unready")
        assert stage.board.service("web").detail == "not ready: refused"
        stage.host.healthy = True
        await stage.phase("web", "ready")
        assert len(stage.host.started) == 1
        await runner.stop()
        assert stage.host.started[0].stopped_with == "SIGINT"

    play(scene)


def test_a_dependent_waits_for_health_once(tmp_path: Path) -> None:
    """It starts when the other is ready, and is not stopped when that one is lost later."""

    async def scene() -> None:
        stage = Scene(tmp_path, "web", "db")
        runner = stage.runner("web", needs="db")
        await stage.phase("web", "waiting")
        await asyncio.sleep(0)
        assert stage.board.service("web").detail in {"", "for db"}
        assert stage.host.started == []
        stage.board.set("db", phase="ready")
        await stage.phase("web", "ready")
        stage.board.set("db", phase="failing")
        assert stage.board.service("web").phase == "ready"
        await runner.stop()

    play(scene)


def test_a_program_that_cannot_be_started_is_shown_and_tried_again(tmp_path: Path) -> None:
    """The other services go on."""

    async def scene() -> None:
        stage = Scene(tmp_path, "web")
        stage.host.refuse = FileNotFoundError("no such program")
        runner = stage.runner("web")
        await stage.phase("web", "failing")
        assert "no such program" in stage.board.service("web").detail
        stage.host.refuse = None
        await stage.phase("web", "ready")
        await runner.stop()

    play(scene)


def test_holding_during_a_back_off_ends_the_wait(tmp_path: Path) -> None:
    """Held is held, whatever the process was about to do; released, it starts at once."""

    async def scene() -> None:
        stage = Scene(tmp_path, "web")
        runner = stage.runner("web")
        await stage.phase("web", "ready")
        stage.host.started[0].end(1)
        await runner.hold()
        await asyncio.sleep(0.02)
        assert stage.board.service("web").phase == "held"
        runner.release()
        await stage.phase("web", "ready")
        await runner.stop()
        assert stage.board.service("web").phase == "stopped"

    play(scene)
