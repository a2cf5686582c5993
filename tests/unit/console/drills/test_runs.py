"""One drill at a time in a process of its own: followed, stopped, and healed when the console goes."""

import asyncio
import subprocess
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from console.drills.runs import Runs
from firedrill.errors import UsageError

ROOT = Path(__file__).resolve().parents[4]
WAIT = 30.0
# Says its name, waits for the word or the end of its input, "heals", and says that it has.
OBEDIENT = """
import json, os, sys
def say(**event):
    print(json.dumps(event), flush=True)
say(event="waiting", step="calm", deadline=None, at=1.0)
say(event="note", text=sys.argv[1])
while (words := os.read(0, 100)) and b"stop" not in words:
    pass
say(event="note", text="healed")
say(event="stopped")
"""
QUICK = """
import json
print("not an event")
end = {"event": "result", "passed": True, "failed_step": "", "failure": "", "steps": [], "line": "A: passed"}
print(json.dumps(end))
"""


def runs(script: str, *arguments: str) -> Runs:
    """Runs of a program that stands in for a drill."""
    return Runs([sys.executable, "-c", script], arguments=arguments)


def driven(work: Callable[[], Awaitable[None]]) -> None:
    """Run it within a time that ends a hanging test."""
    asyncio.run(asyncio.wait_for(work(), WAIT))


async def until(check: Callable[[], bool]) -> None:
    """Wait until it holds."""
    while not check():  # noqa: ASYNC110 - runs are looked at, as pages do
        await asyncio.sleep(0.01)


def test_a_run_is_followed_to_its_result() -> None:
    """Lines that are no events are ignored; afterwards another may begin."""

    async def work() -> None:
        one = runs(QUICK)
        assert one.progress is None
        await one.start("fds/A")
        assert one.is_running
        await one.over()
        assert one.progress is not None
        assert (one.progress.state, one.progress.line, one.is_running) == ("passed", "A: passed", False)
        await one.start("fds/B")
        await one.over()
        assert one.progress.drill == "fds/B"

    driven(work)


def test_only_one_at_a_time() -> None:
    """A second start is refused by the name of the first, which goes on."""

    async def work() -> None:
        one = runs(OBEDIENT)
        await one.start("fds/A")
        with pytest.raises(UsageError, match="fds/A is running"):
            await one.start("fds/B")
        assert one.progress is not None
        assert (one.progress.drill, one.is_running) == ("fds/A", True)
        await one.close()

    driven(work)


def test_stop_lets_it_heal_first() -> None:
    """Until it has healed the run is being stopped; then it is over, and says so."""

    async def work() -> None:
        one = runs(OBEDIENT)
        await one.start("fds/A")
        await until(lambda: one.progress is not None and one.progress.notes == ("fds/A",))
        await one.stop()
        assert one.progress is not None
        assert one.progress.state == "stopping"
        await one.over()
        assert (one.progress.state, one.progress.notes) == ("stopped", ("fds/A", "healed"))
        await one.stop()  # nothing to stop: no error
        assert one.progress.state == "stopped"

    driven(work)


def test_a_console_that_ends_waits_for_the_heal() -> None:
    """close() gives the drill its time."""

    async def work() -> None:
        one = runs(OBEDIENT)
        await one.start("fds/A")
        await one.close()
        assert one.progress is not None
        assert one.progress.notes[-1] == "healed"

    driven(work)


def test_a_process_that_dies_says_its_last_words() -> None:
    """A traceback is what a developer needs to see."""

    async def work() -> None:
        one = runs("raise SystemExit('no such thing')")
        await one.start("fds/A")
        await one.over()
        assert one.progress is not None
        assert one.progress.state == "died"
        assert "no such thing" in one.progress.failure

    driven(work)


def test_a_program_that_is_not_there_is_a_failed_run() -> None:
    """No exception reaches the page, and the next start may work."""

    async def work() -> None:
        one = Runs(["/does/not/exist"])
        await one.start("fds/A")
        assert one.progress is not None
        assert (one.progress.state, one.is_running) == ("died", False)

    driven(work)


OBEYING = """
import threading
from console.drills.process import obey
stop = threading.Event()
obey(stop)
print("begun", flush=True)
stop.wait()
print("told", flush=True)
"""


@pytest.mark.parametrize("how", ["word", "end of input", "SIGTERM", "SIGINT"])
def test_the_process_obeys_word_end_of_input_and_signals(how: str) -> None:
    """A console that dies without a word closes the pipe, and the drill heals as if it had been told."""
    with subprocess.Popen(
        [sys.executable, "-c", OBEYING], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stdout.readline() == "begun\n"
        if how == "word":
            process.stdin.write("stop\n")
            process.stdin.flush()
        elif how == "end of input":
            process.stdin.close()
        else:
            process.send_signal(getattr(__import__("signal"), how))
        assert process.stdout.readline() == "told\n"
        assert process.wait(WAIT) == 0
