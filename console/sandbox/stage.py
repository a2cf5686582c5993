"""The running stack as a stage: fault switches, the supervisor, Prometheus, the inbox, traffic."""

import asyncio
import subprocess
import sys
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Protocol

from console.sandbox.chosen import Broken, SetFault
from console.sandbox.guard import HEALED, Task
from console.sandbox.model import StoppedProcess, Traffic
from console.sandbox.ports import StageError
from console.sandbox.run import Alert, Message, Seen
from console.sources.alertmanager import AlertmanagerSource
from console.sources.faults import FaultSource
from console.sources.http import SourceError
from console.sources.inbox import InboxSource, Notice
from console.sources.prometheus import PrometheusSource
from firedrill.drill.ports import RunningTraffic
from firedrill.drill.traffic import LiveTraffic
from firedrill.errors import FiredrillError
from firedrill.local import control
from firedrill.local.layout import Layout
from firedrill.local.records import read_state
from firedrill.switches import LOG_COLLECTOR, PROMTAIL
from firedrill.untold import Told, untold
from firedrill.wait import TimedOut, poll_until

PROJECT = Path(__file__).resolve().parents[2]
READY_SECONDS = 60.0
LOOK_SECONDS = 0.2
NO_CONTROL = "it stops a process, which the local runtime alone can do: make up RUNTIME=local"


class Guard(Protocol):
    """Heals should this process die without a word."""

    def release(self) -> None:
        """All is healed."""


class LiveStage:
    """Implements ports.Stage; `services` are base addresses, `state` the local runtime's folder, if any."""

    def __init__(
        self,
        *,
        prometheus: PrometheusSource,
        alertmanager: AlertmanagerSource,
        inbox: InboxSource,
        faults: FaultSource,
        services: Mapping[str, str],
        token: str,
        state: Path | None,
        clock: Callable[[], float] = time.time,
        guard: "Callable[[Task], Guard] | None" = None,
    ) -> None:
        self._prometheus, self._inbox, self._faults = prometheus, inbox, faults
        self._alertmanager = alertmanager
        self._services, self._token = services, token
        self._layout = Layout(state) if state else None
        self._clock, self._guard_of = clock, guard or GuardProcess
        self._guard: Guard | None = None
        self._traffic: list[RunningTraffic] = []

    @property
    def cannot_stop(self) -> str:
        """Without the supervisor's socket, as in a container."""
        return "" if self._layout is not None and self._layout.socket.exists() else NO_CONTROL

    async def faults_of_others(self) -> Sequence[str]:
        """Every fault that is set now. StageError when a service cannot be asked."""
        found, errors = await self._faults.all()
        if errors:
            raise StageError("the stack is not all there", str(errors[0]), "wait until `make status` is calm")
        return sorted(one.full_name for one in found if one.active is not None)

    async def look(self, broken: Sequence[Broken], *, since: float, pages: Collection[str] = ()) -> Seen:
        """One look; what does not answer is None."""
        alerts, messages, still = await asyncio.gather(
            self._alerts(), self._messages(since), self._is_broken(broken)
        )
        told = [message for alert in pages for message in await self._told(alert)]
        return Seen(self._clock(), alerts, messages, still, untold(told))

    async def tell_ended(self, found: Sequence[Told]) -> None:
        """As in ports.Stage."""
        with suppress(SourceError):
            await self._alertmanager.end(found, now=self._clock())

    async def break_it(self, broken: Sequence[Broken], *, ttl_seconds: float) -> None:
        """As in ports.Stage."""
        self._guard = await asyncio.to_thread(self._guard_of, self._task(broken))
        for one in broken:
            if isinstance(one, StoppedProcess):
                await self._control("hold", one.process)
            else:
                await self._set(one, ttl_seconds)

    async def heal(self, broken: Sequence[Broken]) -> None:
        """As in ports.Stage; a process is ready afterwards."""
        problems = [problem for one in broken if (problem := await self._healed(one))]
        if problems:
            raise problems[0]
        if self._guard is not None:
            guard, self._guard = self._guard, None
            await asyncio.to_thread(guard.release)

    async def start_traffic(self, traffic: Sequence[Traffic], *, seconds: float) -> None:
        """Each stream is a process of its own."""
        make = LiveTraffic(lambda service: self._services[service])
        for one in traffic:
            if one.target.partition("-")[0] not in self._services:
                raise StageError(
                    f"traffic for {one.target} cannot be sent", "its service has no address here"
                )
            self._traffic.append(
                await asyncio.to_thread(make.start, one.target, rate=one.rate, seconds=min(seconds, 3600.0))
            )

    async def stop_traffic(self) -> None:
        """All of it."""
        running, self._traffic = self._traffic, []
        for one in running:
            await asyncio.to_thread(one.stop)

    def _task(self, broken: Sequence[Broken]) -> Task:
        faults = tuple(
            f"{self._services.get(one.service, '')}/faults/{one.name}"
            for one in broken
            if isinstance(one, SetFault)
        )
        processes = tuple(self._running(one.process) for one in broken if isinstance(one, StoppedProcess))
        return Task(faults, self._token, processes, str(self._layout.socket) if self._layout else "")

    async def _alerts(self) -> tuple[Alert, ...] | None:
        try:
            found = await self._prometheus.alerts()
        except SourceError:
            return None
        return tuple(Alert(one.labels.get("alertname", ""), one.state, one.labels) for one in found)

    async def _messages(self, since: float) -> tuple[Message, ...] | None:
        try:
            # Whole seconds back, so that the inbox's cache is of use to several looks.
            _, found = await self._inbox.messages(since=float(int(since)) - 1, limit=500)
        except SourceError:
            return None
        return tuple(message for one in found for message in _messages_of(one))

    async def _told(self, alert: str) -> list[Told]:
        """What the inbox has of an alert, of any time."""
        try:
            _, found = await self._inbox.messages(alert=alert, limit=500)
        except SourceError:
            return []
        return [Told(alert, one.labels, one.status, one.at) for one in found]

    async def _is_broken(self, broken: Sequence[Broken]) -> bool | None:
        try:
            return all([await self._is_in(one) for one in broken])
        except SourceError:
            return None

    async def _is_in(self, one: Broken) -> bool:
        if isinstance(one, StoppedProcess):
            return self._phase(self._running(one.process)) in {"held", "stopping", "stopped"}
        listed = await self._faults.listed(one.service)
        return any(each.name == one.name and each.active is not None for each in listed)

    async def _healed(self, one: Broken) -> StageError | None:
        """Heals one; gives what went wrong, so that it keeps no other from being healed."""
        try:
            if isinstance(one, StoppedProcess):
                await self._control("release", one.process)
                await self._ready(one.process)
            else:
                await self._clear(one)
        except StageError as error:
            return error
        return None

    async def _clear(self, one: SetFault) -> None:
        try:
            await self._faults.clear(one.service, one.name)
        except (SourceError, KeyError) as error:
            raise StageError(f"{one.service} cannot be healed now", str(error), "try again") from error

    async def _set(self, one: SetFault, ttl_seconds: float) -> None:
        try:
            await self._faults.set(one.service, one.name, one.parameters, ttl_seconds=ttl_seconds)
        except (SourceError, KeyError) as error:
            raise StageError(f"{one.service} takes no fault now", str(error), "see `make status`") from error

    async def _control(self, command: str, name: str) -> None:
        if self._layout is None:
            raise StageError(f"{name} cannot be stopped or started", NO_CONTROL)
        try:
            await asyncio.to_thread(control.send, self._layout.socket, command, self._running(name))
        except FiredrillError as error:
            raise StageError(f"the supervisor did not {command} {name}", str(error)) from error

    def _running(self, name: str) -> str:
        """The process that does the work of `name` here: whichever log shipper runs."""
        return LOG_COLLECTOR if name == PROMTAIL and self._phase(name) is None else name

    def _phase(self, name: str) -> str | None:
        state = read_state(self._layout.state_file) if self._layout else None
        found = state.services.get(name) if state is not None else None
        return None if found is None else found.phase

    async def _ready(self, name: str) -> None:
        try:
            await asyncio.to_thread(
                poll_until,
                lambda: self._phase(self._running(name)) == "ready",
                f"{name} ready",
                READY_SECONDS,
                interval=LOOK_SECONDS,
            )
        except TimedOut as late:
            raise StageError(f"{name} did not become ready again", str(late), "see `make status`") from None


class GuardProcess:
    """console.sandbox.guard in a session of its own."""

    def __init__(self, task: Task, *, command: Sequence[str] = ()) -> None:
        self._process = subprocess.Popen(
            list(command) or [sys.executable, "-m", "console.sandbox.guard"],
            stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, text=True,
            cwd=PROJECT, start_new_session=True,
        )  # fmt: skip
        assert self._process.stdin is not None
        self._process.stdin.write(task.written() + "\n")
        self._process.stdin.flush()

    def release(self) -> None:
        """Say the word and wait for its end."""
        try:
            self._process.communicate(f"{HEALED}\n", timeout=10)
        except (OSError, subprocess.TimeoutExpired):
            self._process.kill()
            self._process.wait()


def _messages_of(notice: Notice) -> list[Message]:
    links = dict(notice.links)
    return [
        Message(name, notice.status, notice.at, notice.kind, notice.channel, notice.title, notice.text, links)
        for name in notice.alertnames
    ]
