"""Old rows are deleted, in small batches and beside the requests, so that no table grows for ever."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from opentelemetry.instrumentation.utils import suppress_instrumentation

from limits.values import number
from telemetry.logs import get_logger
from telemetry.metrics import Metrics

DAYS: Final = 7.0
"""As long as logs and traces are kept: older rows could not be explained any more."""
BATCH: Final = 500
PAUSE_SECONDS: Final = 0.25
"""Between batches: 2,000 rows a second at most, several times what the services write."""
SWEEP_EVERY_SECONDS: Final = 60.0

DELETED: Final = "Old rows deleted"
FAILED: Final = "Old rows could not be deleted"

Purge = Callable[[timedelta, int], Awaitable[int]]
"""Deletes at most so many (the second) rows that are older than the first, and gives how many it deleted.

Several replicas may run it at once. It never takes what somebody still needs.
"""
Sleep = Callable[[float], Awaitable[object]]


@dataclass(frozen=True)
class Retention:
    """For how long rows are kept; 0 days: for ever."""

    days: float = DAYS

    @classmethod
    def from_environment(cls, environ: Mapping[str, str]) -> "Retention":
        """RETENTION_DAYS. Raises ValueError for what cannot be used.

        Not below a day: reviewers look back for one, and keys of payments must hold for as long as anybody
        repeats a payment.
        """
        days = number(environ, "RETENTION_DAYS", DAYS, low=0, high=36_500)
        if 0 < days < 1:
            raise ValueError(f"RETENTION_DAYS must be 0 (for ever) or at least 1, not {days:g}")
        return cls(days)


class Sweeper:
    """Runs the purge of each table, by its name, for as long as the service runs."""

    def __init__(
        self,
        retention: Retention,
        purges: Mapping[str, Purge],
        metrics: Metrics,
        *,
        batch: int = BATCH,
        sleep: Sleep = asyncio.sleep,
    ) -> None:
        self._age = timedelta(days=retention.days)
        self._purges, self._batch, self._sleep = dict(purges), batch, sleep
        self._log = get_logger("retention")
        self._deleted = metrics.counter(
            "retention_rows_deleted_total", "Rows deleted because of their age.", ("table",)
        )
        self._failed = metrics.counter(
            "retention_failures_total", "Batches of old rows that could not be deleted.", ("table",)
        )
        for table in self._purges:
            self._deleted.preset((table,))
            self._failed.preset((table,))

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Sweep beside what happens inside the block."""
        sweeping = asyncio.create_task(self.run())
        try:
            yield
        finally:
            sweeping.cancel()
            with suppress(asyncio.CancelledError):
                await sweeping

    async def run(self) -> None:
        """Sweep until cancelled; at once returns when rows are kept for ever."""
        while self._age:
            await self._sleep(SWEEP_EVERY_SECONDS)
            await self.sweep()

    async def sweep(self) -> None:
        """Delete what is too old, of one table after the other; a table that fails is left for the next."""
        for table, purge in self._purges.items():
            total = 0
            try:
                with suppress_instrumentation():  # every minute, mostly for nothing: no traces of that
                    while (count := await purge(self._age, self._batch)) > 0:
                        total += count
                        self._deleted.add(count, table)
                        await self._sleep(PAUSE_SECONDS)
            except Exception as error:  # the boundary: a database that is away must not end this for ever
                self._failed.add(1, table)
                self._log.warning(FAILED, table=table, reason=f"{type(error).__name__}: {error}"[:200])
            if total:
                self._log.info(DELETED, table=table, rows=total, days=self._age / timedelta(days=1))
