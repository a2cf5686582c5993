"""A headless Chromium of this machine, and the connection to it."""

import itertools
import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from websockets.exceptions import WebSocketException
from websockets.sync.client import ClientConnection, connect

from firedrill.errors import EnvironmentProblem, FiredrillError
from firedrill.wait import TimedOut, poll_until

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
START_SECONDS, ANSWER_SECONDS = 60.0, 30.0
LARGEST_MESSAGE = 64 * 1024 * 1024
_FLAGS = (
    "--headless=new", "--remote-debugging-port=0", "--no-first-run", "--no-default-browser-check",
    "--disable-gpu", "--disable-dev-shm-usage", "--disable-extensions", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--disable-default-apps", "--no-proxy-server",
    "--hide-scrollbars", "--force-color-profile=srgb", "--mute-audio", "--no-pings",
)  # fmt: skip


class BrowserError(FiredrillError):
    """Chromium did not do what it was told."""


def find() -> Path | None:
    """Chromium on PATH."""
    found = next((path for name in NAMES if (path := shutil.which(name))), None)
    return Path(found) if found else None


class Connection:
    """Commands to the browser and what it tells by itself; one thread."""

    def __init__(self, socket: ClientConnection) -> None:
        self._socket, self._ids = socket, itertools.count(1)
        self.events: list[Mapping[str, Any]] = []

    def send(self, method: str, session: str = "", **parameters: object) -> Any:
        """The result of a command. Raises BrowserError."""
        number = next(self._ids)
        message: dict[str, Any] = {"id": number, "method": method, "params": parameters}
        if session:
            message["sessionId"] = session
        try:
            self._socket.send(json.dumps(message))
            while True:
                answer = json.loads(self._socket.recv(timeout=ANSWER_SECONDS))
                if answer.get("id") == number:
                    break
                self.events.append(answer)
        except (OSError, WebSocketException, TimeoutError) as error:
            raise BrowserError(f"Chromium did not answer {method}", str(error)) from error
        if "error" in answer:
            raise BrowserError(f"Chromium refused {method}", str(answer["error"].get("message", "")))
        return answer["result"]

    def listen(self, seconds: float) -> None:
        """Take what the browser tells by itself, until it is silent for `seconds`."""
        try:
            while True:
                self.events.append(json.loads(self._socket.recv(timeout=seconds)))
        except TimeoutError:
            return


@contextmanager
def running(*, extra: tuple[str, ...] = ()) -> Iterator[Connection]:
    """A Chromium with a profile of its own, ended and deleted afterwards. Raises EnvironmentProblem."""
    program = find()
    if program is None:
        raise EnvironmentProblem(
            "there is no Chromium",
            f"looked for {', '.join(NAMES)} on PATH",
            "install it: apt-get install chromium",
        )
    with tempfile.TemporaryDirectory(prefix="firedrill-chromium-", ignore_cleanup_errors=True) as folder:
        # Chromium's sandbox refuses root, and only pages of this machine's console are opened.
        sandbox = ("--no-sandbox",) if os.geteuid() == 0 else ()
        process = subprocess.Popen(
            [str(program), *_FLAGS, *sandbox, *extra, f"--user-data-dir={folder}", "about:blank"],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            start_new_session=True,
        )  # fmt: skip
        try:
            address = _address(Path(folder), process)
            # No pings: their answers are read only while a command waits, and a test may think for long.
            with connect(
                address, max_size=LARGEST_MESSAGE, open_timeout=START_SECONDS, ping_interval=None, proxy=None
            ) as socket:
                yield Connection(socket)
        finally:
            process.terminate()
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _address(folder: Path, process: "subprocess.Popen[bytes]") -> str:
    """Where the browser listens: it writes that into its profile."""
    file = folder / "DevToolsActivePort"

    def told() -> bool:
        if process.poll() is not None:
            raise EnvironmentProblem(
                "Chromium ended at once", f"exit code {process.returncode}", "try it by hand"
            )
        return file.exists() and len(file.read_text("utf-8").splitlines()) == 2

    try:
        poll_until(told, "Chromium's port", START_SECONDS, interval=0.05)
    except TimedOut as error:
        raise EnvironmentProblem("Chromium did not start", str(error), "try it by hand") from error
    if process.poll() is not None:
        raise EnvironmentProblem(
            "Chromium ended at once", f"exit code {process.returncode}", "try it by hand"
        )
    port, path = file.read_text("utf-8").splitlines()
    return f"ws://127.0.0.1:{port}{path}"
