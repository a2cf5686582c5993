"""The heartbeat as the running inbox hears it: kept, told in metrics and log, looked at again and again."""

import asyncio
from collections.abc import Callable

from services.inbox.domain import StoreUnavailableError
from services.inbox.heartbeat import Pulse
from services.inbox.ports import PulseStore
from services.inbox.signals import Signals

LOOKS_IN_A_LIMIT = 20  # a silence is noticed at most so much of the limit late


class Listener:
    """One heartbeat; times are seconds since 1970 by `clock`."""

    def __init__(
        self, store: PulseStore, signals: Signals, *, limit: float, clock: Callable[[], float]
    ) -> None:
        self._store, self._signals, self._clock = store, signals, clock
        self._pulse = Pulse(limit=limit, started=clock())
        self._loaded = False
        self._lock = asyncio.Lock()

    async def pulse(self) -> Pulse:
        """What is known now; a silence that has become too long is found here. StoreUnavailableError."""
        async with self._lock:
            await self._load()
            before, self._pulse = self._pulse, self._pulse.looked_at(self._clock())
            if before.open is None and self._pulse.open is not None:
                self._signals.silent(self._pulse.open)
                await self._save()
            return self._pulse

    async def beat(self) -> None:
        """A heartbeat came. StoreUnavailableError."""
        async with self._lock:
            await self._load()
            silence, self._pulse = self._pulse.open, self._pulse.beaten(self._clock())
            self._signals.beat(self._pulse, ended=silence)
            await self._save()

    async def watch(self) -> None:
        """Look for a silence until cancelled. A store that fails is told once, until it works again."""
        works = True
        while True:
            try:
                await self.pulse()
                works = True
            except StoreUnavailableError as error:
                if works:
                    self._signals.unkept(str(error))
                works = False
            await asyncio.sleep(self._pulse.limit / LOOKS_IN_A_LIMIT)

    def now(self) -> float:
        """The listener's clock."""
        return self._clock()

    async def _load(self) -> None:
        if not self._loaded:
            last, silences = await self._store.load()
            self._pulse = Pulse(self._pulse.limit, self._pulse.started, last, silences)
            self._loaded = True
            self._signals.pulse(self._pulse)

    async def _save(self) -> None:
        await self._store.save(self._pulse.last, self._pulse.silences)
