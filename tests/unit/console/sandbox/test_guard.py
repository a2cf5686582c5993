"""The guard: heals when the console has gone without a word, and only then."""

import http.server
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence

import pytest

from console.sandbox.guard import Task, heal, watch
from console.sandbox.stage import GuardProcess

TASK = Task(("http://127.0.0.1:1/faults/cti_slow",), "secret", ("promtail",), "/nowhere/control.sock")


def test_the_word_is_enough() -> None:
    """All was healed."""
    healed: list[Task] = []
    assert not watch([TASK.written() + "\n", "healed\n"], lambda task: healed.append(task) or [])
    assert not healed


def test_without_the_word_it_heals() -> None:
    """The pipe just ended."""
    healed: list[Task] = []
    assert watch([TASK.written() + "\n"], lambda task: healed.append(task) or [])
    assert healed == [TASK]


def test_one_that_does_not_answer_keeps_no_other_from_being_healed() -> None:
    """Both are tried, both are told."""
    assert len(heal(TASK)) == 2


class Switch(http.server.BaseHTTPRequestHandler):
    """A service's fault switch that notes what it is told."""

    def do_DELETE(self) -> None:
        """Note it."""
        self.server.told.append((self.path, self.headers["Authorization"]))  # type: ignore[attr-defined]
        self.send_response(204)
        self.end_headers()

    def log_message(self, format: str, *arguments: object) -> None:
        """Say nothing."""


@pytest.fixture
def switch() -> Iterator[tuple[str, list[tuple[str, str]]]]:
    """Its address, and what it was told."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Switch)
    server.told = []  # type: ignore[attr-defined]
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}", server.told  # type: ignore[attr-defined]
    server.shutdown()
    server.server_close()


def _task(url: str) -> Task:
    return Task((f"{url}/faults/cti_slow",), "secret", (), "")


def test_a_console_that_is_killed_heals(switch: tuple[str, Sequence[object]]) -> None:
    """A real process whose parent's end of the pipe closes."""
    url, told = switch
    guard = subprocess.Popen(
        [sys.executable, "-m", "console.sandbox.guard"], stdin=subprocess.PIPE, text=True
    )
    guard.communicate(_task(url).written() + "\n", timeout=60)
    assert guard.returncode == 0
    assert told == [("/faults/cti_slow", "Bearer secret")]


def test_a_console_that_has_healed_releases_its_guard(switch: tuple[str, Sequence[object]]) -> None:
    """It ends, and does nothing."""
    url, told = switch
    GuardProcess(_task(url)).release()
    assert not told
