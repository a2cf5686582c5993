"""What a drill breaks: faults by the services' /faults routes, processes by the runtime."""

import os
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Protocol

import httpx

from firedrill.errors import StartError
from firedrill.fault.client import Faults
from firedrill.fault.client import RunningStack as FaultyStack
from firedrill.switches import PROMTAIL, log_shipper
from firedrill.wait import TimedOut, poll_until

from .model import AnyFault, ProcessFault

READY_SECONDS = 60.0
PROJECT = Path(__file__).resolve().parents[2]


class ServiceState(Protocol):
    """How a service is."""

    @property
    def phase(self) -> str: ...


class Breakable(FaultyStack, Protocol):
    """The part of firedrill.stack.Stack that is needed here."""

    def state(self) -> Mapping[str, ServiceState]: ...
    def stop_service(self, name: str) -> None: ...
    def start_service(self, name: str) -> None: ...


class Guard(Protocol):
    """Starts a stopped service again should the drill die without a word."""

    def release(self) -> None:
        """The drill has done it itself."""


class LiveFaults:
    """Faults by the services' routes; stop and start of processes. Raises as firedrill.fault's Faults."""

    def __init__(
        self,
        stack: Breakable,
        *,
        http: httpx.Client,
        guard: Callable[[str], Guard] | None = None,
    ) -> None:
        self._stack, self._faults = stack, Faults(stack, http=http)
        self._guard_of = guard or GuardProcess
        self._guards: dict[str, Guard] = {}

    def set(self, fault: AnyFault, *, ttl_seconds: int) -> None:
        """Set the fault; it ends by itself after `ttl_seconds`, a process when this program ends."""
        if isinstance(fault, ProcessFault):
            name = self._service(fault)
            self._guards[name] = self._guard_of(name)
            self._stack.stop_service(name)
        else:
            self._faults.set(fault.service, fault.name, fault.parameters, ttl_seconds=ttl_seconds)

    def clear(self, fault: AnyFault) -> None:
        """Heal; a process is ready afterwards. No error when the fault is not set."""
        if isinstance(fault, ProcessFault):
            self._start(self._service(fault))
        else:
            self._faults.clear(fault.service, fault.name)

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
