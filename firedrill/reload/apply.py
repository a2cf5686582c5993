"""Puts new files in place and has the components take them; what a component refuses is taken back."""

import os
import signal
import subprocess
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol

import httpx

from firedrill.errors import CheckFailed, StartError
from firedrill.local.processes import Identity, identity
from firedrill.local.records import ServiceState
from firedrill.reload.candidate import Candidate
from firedrill.stack import Stack
from firedrill.wait import TimedOut, poll_until

Way = Literal["http", "signal", "restart", "itself", "empty"]
WAYS: dict[str, Way] = {
    "prometheus": "http",
    "alertmanager": "http",
    "collector": "signal",
    "grafana": "itself",
    "postgres": "empty",
}
"""How a component takes a new configuration; the others are started again."""
TOLD: dict[Way, str] = {
    "http": "reloaded",
    "signal": "reloaded",
    "restart": "started again",
    "itself": "in place; it reads dashboards by itself, data sources when it is started again",
    "empty": "scripts run on an empty database only: make clean",
}
READY_SECONDS = 60.0


class Components(Protocol):
    """What reload does to the running stack."""

    def reload(self, service: str) -> str:
        """Ask over HTTP; why it refuses, or nothing."""

    def signal(self, service: str) -> None:
        """Tell it by SIGHUP and wait until it is ready again; raises StartError when it is not."""

    def restart(self, service: str) -> None:
        """Stop and start it and wait until it is ready; raises StartError when it is not."""


@dataclass(frozen=True)
class Live:
    """The components of a running stack."""

    stack: Stack
    http: httpx.Client

    def reload(self, service: str) -> str:
        """See Components."""
        try:
            answer = self.http.post(f"{self.stack.url(service)}/-/reload")
        except httpx.HTTPError as error:
            return f"it does not answer ({type(error).__name__})"
        return "" if answer.is_success else answer.text.strip() or f"HTTP {answer.status_code}"

    def signal(self, service: str) -> None:
        """See Components."""
        if self.stack.runtime == "docker":
            words = ["docker", "compose", "-f", str(self.stack.root / "docker-compose.yml")]
            subprocess.run([*words, "kill", "--signal", "HUP", service], check=True, capture_output=True)
        else:
            pid = self.stack.state()[service].pid
            process: Identity | None = None if pid is None else identity(pid)
            if process is None or process.process() is None:
                raise StartError(f"{service} does not run", todo=f"firedrill logs {service}")
            os.kill(process.pid, signal.SIGHUP)
        self._await(service, lambda state: state.phase == "ready")

    def restart(self, service: str) -> None:
        """See Components."""
        self.stack.stop_service(service)
        self.stack.start_service(service)
        self._await(service, lambda state: state.phase == "ready")

    def _await(self, service: str, good: Callable[[ServiceState], bool]) -> None:
        try:
            poll_until(lambda: good(self.stack.state()[service]), f"{service} ready", READY_SECONDS)
        except TimedOut as late:
            raise StartError(f"{service} is not ready", str(late), f"firedrill logs {service}") from None


def apply(candidate: Candidate, components: Components, *, say: Callable[[str, str], None]) -> None:
    """Put each touched service's files in place and have it take them; `say(service, outcome)` for each.

    Raises CheckFailed when a component refuses: its files are then what they were.
    """
    for service in sorted(candidate.touched()):
        before = _replace(candidate, service)
        way = WAYS.get(service, "restart")
        try:
            _take(service, way, components)
        except (CheckFailed, StartError):
            _restore(before)
            if way != "http":
                components.restart(service)
            raise
        say(service, TOLD[way])


def _take(service: str, way: Way, components: Components) -> None:
    if way == "http":
        why = components.reload(service)
        if why:
            raise CheckFailed(
                f"{service} refuses its new configuration",
                why,
                f"correct it and call `make reload` again; {service} goes on with what it had",
            )
    elif way == "signal":
        components.signal(service)
    elif way == "restart":
        components.restart(service)


def _replace(candidate: Candidate, service: str) -> list[tuple[Path, bytes | None]]:
    """Write what is new and remove what is gone; gives what was there, None for nothing."""
    changed = [piece for piece in candidate.of(service) if piece.changed]
    gone = [path for name, path in candidate.gone if name == service]
    before = [(path, _content(path)) for path in (*(piece.live for piece in changed), *gone)]
    for piece in changed:
        _write(piece.live, piece.content)
    for path in gone:
        path.unlink(missing_ok=True)
    return before


def _restore(before: Iterable[tuple[Path, bytes | None]]) -> None:
    for path, content in before:
        if content is None:
            path.unlink(missing_ok=True)
        else:
            _write(path, content)


def _content(path: Path) -> bytes | None:
    return path.read_bytes() if path.is_file() else None


def _write(path: Path, content: bytes) -> None:
    """In place: a container that mounts a file keeps looking at the same one.

    New ones belong to whom the folder belongs, who need not be the caller.
    """
    missing = _missing(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    if missing:
        owner = missing[-1].parent.stat()
        for one in missing:
            os.chown(one, owner.st_uid, owner.st_gid)


def _missing(path: Path) -> Sequence[Path]:
    """The file and its folders that are not there yet, the innermost first."""
    return [one for one in (path, *path.parents) if not one.exists()]
