"""The one place where states of services are kept, written to state.json, and milestones are noticed."""

import asyncio
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, replace
from typing import Any

from firedrill.local.layout import Layout
from firedrill.local.records import UP, ServiceState, StackState, write_json, write_state
from firedrill.switches import LOG_COLLECTOR, PROMTAIL

# What a person can use once these run; a service that is not started is not waited for.
MILESTONES: Mapping[str, frozenset[str]] = {
    "services": frozenset({"postgres", "redis", "judgment", "fds"}),
    "metrics": frozenset({"prometheus"}),
    "alerts": frozenset({"prometheus", "alertmanager", "inbox"}),
    "traces": frozenset({"collector", "jaeger", "tempo"}),
    "logs": frozenset({"loki", PROMTAIL, LOG_COLLECTOR}),
}
_WRITE_EVERY_SECONDS = 0.1


class Board:
    """States of all services. `set` is called from the event loop only; `flush` writes what changed."""

    def __init__(self, layout: Layout, state: StackState, *, clock: Callable[[], float] = time.time) -> None:
        self._layout, self._clock = layout, clock
        self._changed = asyncio.Event()
        self._waiters: list[asyncio.Event] = []
        self.state = state

    def service(self, name: str) -> ServiceState:
        return self.state.services[name]

    def add(self, names: Iterable[str], **fields: Any) -> None:
        """Enter the services that will run, and what else is known of the stack by then."""
        now = self._clock()
        services = {name: ServiceState(name, since=now) for name in names}
        self.state = replace(self.state, services=services, **fields)
        self._tell()

    def set(self, name: str, **fields: Any) -> None:
        """Change a service's state; `since` follows the phase, the first readiness is noted."""
        old = self.state.services[name]
        now = self._clock()
        if fields.get("phase", old.phase) != old.phase:
            fields.setdefault("since", now)
        if fields.get("phase") == "ready" and old.ready_after is None:
            fields["ready_after"] = round(now - self.state.began, 1)
        new = replace(old, **fields)
        if new != old:
            self.state = replace(self.state, services={**self.state.services, name: new})
            self._notice_milestones(now)
            self._tell()

    def set_stack(self, **fields: Any) -> None:
        """Change what concerns the whole stack."""
        self.state = replace(self.state, **fields)
        self._tell()

    async def changed(self, condition: Callable[[], bool]) -> None:
        """Return once `condition` is true, asked again after each change."""
        woken = asyncio.Event()
        self._waiters.append(woken)
        try:
            while not condition():
                woken.clear()
                await woken.wait()
        finally:
            self._waiters.remove(woken)

    async def keep_written(self) -> None:
        """Write state.json soon after each change, for ever."""
        while True:
            await self._changed.wait()
            self.flush()
            await asyncio.sleep(_WRITE_EVERY_SECONDS)

    def flush(self) -> None:
        """Write state.json and timeline.json now."""
        self._changed.clear()
        write_state(self._layout.state_file, self.state)
        write_json(self._layout.timeline_file, timeline(self.state))

    def _tell(self) -> None:
        self._changed.set()
        for waiter in self._waiters:
            waiter.set()

    def _notice_milestones(self, now: float) -> None:
        services = self.state.services
        groups = {name: members & services.keys() for name, members in MILESTONES.items()}
        groups["all"] = frozenset(services)
        reached = {
            name: round(now - self.state.began, 1)
            for name, members in groups.items()
            if members
            and name not in self.state.milestones
            and all(services[one].phase in UP for one in members)
        }
        if reached:
            self.state = replace(self.state, milestones={**self.state.milestones, **reached})


def timeline(state: StackState) -> dict[str, Any]:
    """What took how long, in seconds; `ready_after` counts from the start of `up`."""
    kept = ("build_seconds", "start_seconds", "ready_after", "restarts")
    return {
        "began": state.began,
        "pace": state.pace,
        "milestones": dict(state.milestones),
        "services": {
            name: {key: value for key, value in asdict(one).items() if key in kept}
            for name, one in state.services.items()
        },
    }
