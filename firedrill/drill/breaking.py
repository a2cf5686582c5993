"""What a drill breaks: faults by the services' /faults routes, processes by the runtime."""

import os
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Protocol

import httpx

from firedrill.clients import Refused, Unreachable
from firedrill.errors import EnvironmentProblem, StartError
from firedrill.switches import PROMTAIL, log_shipper
from firedrill.wait import TimedOut, poll_until

from .model import AnyFault, Fault, ProcessFault

READY_SECONDS = 60.0
PROJECT = Path(__file__).resolve().parents[2]


class ServiceState(Protocol):
    """How a service is."""

    @property
    def phase(self) -> str: ...


class Breakable(Protocol):
    """The part of firedrill.stack.Stack that is needed here."""

    @property
    def settings(self) -> Mapping[str, str]: ...
    def url(self, service: str, container_port: int | None = None) -> str: ...
    def state(self) -> Mapping[str, ServiceState]: ...
    def stop_service(self, name: str) -> None: ...
    def start_service(self, name: str) -> None: ...


class Guard(Protocol):
    """Starts a stopped service again should the drill die without a word."""

    def release(self) -> None:
        """The drill has done it itself."""


class LiveFaults:
    """PUT and DELETE on /faults; stop and start of processes."""

    def __init__(
        self,
        stack: Breakable,
        *,
        http: httpx.Client,
        guard: Callable[[str], Guard] | None = None,
    ) -> None:
        self._stack, self._http = stack, http
        self._guard_of = guard or GuardProcess
        self._guards: dict[str, Guard] = {}
        token = stack.settings.get("FAULTS_TOKEN", "")
        if not token:
            raise EnvironmentProblem(
                "drills cannot inject faults", "FAULTS_TOKEN is empty", "firedrill up makes one in .env"
            )
        self._headers = {"Authorization": f"Bearer {token}"}

    def set(self, fault: AnyFault, *, ttl_seconds: int) -> None:
        """Set the fault; it ends by itself after `ttl_seconds`, a process when this program ends."""
        if isinstance(fault, ProcessFault):
            name = self._service(fault)
            self._guards[name] = self._guard_of(name)
            self._stack.stop_service(name)
        else:
            self._send("PUT", fault, {"parameters": dict(fault.parameters), "ttl_seconds": ttl_seconds})

    def clear(self, fault: AnyFault) -> None:
        """Heal; a process is ready afterwards. No error when the fault is not set."""
        if isinstance(fault, ProcessFault):
            self._start(self._service(fault))
        else:
            self._send("DELETE", fault, None)

    def _service(self, fault: ProcessFault) -> str:
        return log_shipper(self._stack.settings) if fault.process == PROMTAIL else fault.process

    def _start(self, name: str) -> None:
        self._stack.start_service(name)
        try:
            poll_until(
                lambda: self._stack.state()[name].phase == "ready",
                f"{name} ready",
                READY_SECONDS,
                interval=0.1,
            )
        except TimedOut as late:
            raise StartError(
                f"{name} did not become ready again", str(late), f"firedrill logs {name}"
            ) from None
        if guard := self._guards.pop(name, None):
            guard.release()

    def _send(self, method: str, fault: Fault, body: object) -> None:
        url = f"{self._stack.url(fault.service)}/faults/{fault.name}"
        try:
            answer = self._http.request(method, url, json=body, headers=self._headers)
        except httpx.HTTPError as error:
            why = f"{method} {url}: {error or type(error).__name__}"
            raise Unreachable(
                f"{fault.service} does not take its fault", why, "see `firedrill status`"
            ) from error
        if not answer.is_success:
            raise Refused(
                f"{fault.service} refused the fault {fault.name}",
                f"{method} {url}: HTTP {answer.status_code} {answer.text[:300]}",
                "compare FAULTS_ENABLED and FAULTS_TOKEN in .env with the running stack; firedrill up again",
            )


class GuardProcess:
    """A process of its own that starts the service when its standard input ends without the word."""

    def __init__(self, name: str, *, command: Sequence[str] | None = None) -> None:
        self._process = subprocess.Popen(
            command or [sys.executable, "-m", "firedrill.drill.guard", name],
            stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, text=True,
            cwd=PROJECT, env=dict(os.environ), start_new_session=True,
        )  # fmt: skip

    def release(self) -> None:
        """Say the word and wait for its end."""
        try:
            self._process.communicate("healed\n", timeout=10)
        except (OSError, subprocess.TimeoutExpired):
            self._process.kill()
            self._process.wait()
