"""A stack that behaves as told, on a clock that moves only when the conductor waits."""

import asyncio
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

from console.sandbox.chosen import Broken
from console.sandbox.model import Traffic
from console.sandbox.ports import StageError
from console.sandbox.run import Alert, Message, Seen
from firedrill.untold import Told


@dataclass
class FakeStage:
    """Pages `page_after` seconds after the fault, resolves `clear_after` seconds after the heal."""

    time: float = 1000.0
    page_after: float = 20.0
    clear_after: float = 30.0
    cannot_stop: str = ""
    others: list[str] = field(default_factory=list)
    alerts: list[Alert] = field(default_factory=list)
    break_error: StageError | None = None
    heal_errors: list[StageError] = field(default_factory=list)
    broken: Sequence[Broken] = ()
    broken_at: float | None = None
    healed_at: float | None = None
    ttl_seconds: float = 0.0
    traffic: Sequence[Traffic] = ()
    untold: Sequence[Told] = ()
    done: list[str] = field(default_factory=list)

    def now(self) -> float:
        """Unix seconds."""
        return self.time

    async def pause(self, seconds: float) -> None:
        """Time passes, and others have their turn."""
        self.time += seconds
        await asyncio.sleep(0)

    async def faults_of_others(self) -> Sequence[str]:
        """As told."""
        return self.others

    async def tell_ended(self, found: Sequence[Told]) -> None:
        """It tells at once."""
        assert [one.alertname for one in found] == ["SlowThing"]
        self.done.append("end")
        self.untold = ()

    async def look(self, broken: Sequence[Broken], *, since: float, pages: Collection[str] = ()) -> Seen:
        """Notices as time has it."""
        messages = []
        if self.broken_at is not None and self.time >= self.broken_at + self.page_after:
            messages.append(Message("SlowThing", "firing", self.broken_at + self.page_after))
        if self.healed_at is not None and self.time >= self.healed_at + self.clear_after:
            messages.append(Message("SlowThing", "resolved", self.healed_at + self.clear_after))
        untold = self.untold if "SlowThing" in pages else ()
        return Seen(self.time, self.alerts, messages, bool(self.broken) if broken else None, untold)

    async def break_it(self, broken: Sequence[Broken], *, ttl_seconds: float) -> None:
        """Or not."""
        self.done.append("break")
        if self.break_error is not None:
            raise self.break_error
        self.broken, self.broken_at, self.healed_at = broken, self.time, None
        self.ttl_seconds = ttl_seconds

    async def heal(self, broken: Sequence[Broken]) -> None:
        """Or not yet."""
        if self.heal_errors:
            raise self.heal_errors.pop()
        self.done.append("heal")
        if self.broken:
            self.healed_at = self.time
        self.broken = ()

    async def start_traffic(self, traffic: Sequence[Traffic], *, seconds: float) -> None:
        """Noted."""
        self.traffic = traffic

    async def stop_traffic(self) -> None:
        """Noted."""
        self.traffic = ()
