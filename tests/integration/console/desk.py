"""A console of its own between stand-ins of the backends, which needs no stack."""

import os
import re
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

from firedrill.screenshots.page import Page
from firedrill.wait import poll_until
from tests.integration.console.browser import PATIENCE, ConsoleUnderTest
from tests.integration.console.standins import Backend, backends

ROOT = Path(__file__).resolve().parents[3]
TOKEN = "a-token-of-this-test"
NAMES = ("prometheus", "loki", "jaeger", "alertmanager", "inbox", "fds")
START_SECONDS = 90.0


@dataclass(frozen=True)
class Desk:
    """The console and its backends by name."""

    console: ConsoleUnderTest
    backends: Mapping[str, Backend]


def see(page: Page, selector: str, words: str) -> None:
    """Wait until the first element of the selector shows these words."""
    shown = f"[...document.querySelectorAll({selector!r})].some(one => one.innerText.includes({words!r}))"
    page.wait(shown, f"{words!r} at {selector}", PATIENCE)


def free_port() -> int:
    """A port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def console(environ: Mapping[str, str], folder: Path) -> Iterator[tuple[str, "subprocess.Popen[bytes]"]]:
    """A console with this environment beside the defaults: its address, when it is ready, and its process."""
    port = free_port()
    command = [
        sys.executable, "-m", "uvicorn", "console.app:from_environment", "--factory", "--host", "127.0.0.1",
        "--port", str(port), "--no-access-log",
    ]  # fmt: skip
    clean = {name: value for name, value in os.environ.items() if not re.search(r"_URL$|^FIREDRILL_", name)}
    with (folder / "console.log").open("wb") as log:
        process = subprocess.Popen(
            command, cwd=ROOT, env={**clean, "TMPDIR": str(folder), **environ}, stdout=log, stderr=log
        )
        try:
            url = f"http://127.0.0.1:{port}"
            with httpx.Client(trust_env=False) as http:
                poll_until(lambda: _is_ready(http, url, process), "the console", START_SECONDS, interval=0.1)
            yield url, process
        finally:
            process.terminate()
            process.wait(30)


@contextmanager
def desk() -> Iterator[Desk]:
    """All of it, ended and deleted afterwards."""
    with ExitStack() as cleaning:
        folder = Path(cleaning.enter_context(tempfile.TemporaryDirectory(prefix="firedrill-desk-")))
        made = cleaning.enter_context(backends(*NAMES))
        environ = {f"{name.upper()}_URL": one.url for name, one in made.items()}
        url, _ = cleaning.enter_context(console({**environ, "FAULTS_TOKEN": TOKEN, "PACE": "demo"}, folder))
        yield Desk(ConsoleUnderTest(url, TOKEN), made)


def _is_ready(http: httpx.Client, url: str, process: "subprocess.Popen[bytes]") -> bool:
    assert process.poll() is None, "the console ended"
    return http.get(f"{url}/health/live").is_success
