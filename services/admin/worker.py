"""What happens without a request: cases come in, verdicts go out, gauges are kept up to date."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Final

from services.admin.domain import Case, Decision, Kept, is_spot_check
from services.admin.ports import FdsUnavailableError, FraudService, ReviewStore, StoreUnavailableError
from services.admin.signals import Signals

INTAKE_EVERY_SECONDS: Final = 3.0
OVERVIEW_EVERY_SECONDS: Final = 1.0
DELIVER_EVERY_SECONDS: Final = 1.0
PREPARE_EVERY_SECONDS: Final = 1.0

PAGE: Final = 200
MOST_PAGES: Final = 10
SPOT_PAGE: Final = 50
MOST_HELD: Final = 5_000
MOST_SPOT_CHECKS: Final = 200
"""A full queue takes in no more; held payments wait in fds meanwhile, spot checks are samples anyway."""
SETTLE: Final = timedelta(seconds=3)
"""Younger evaluations may still get their label from the shop itself, and others may still be written."""
OVERLAP: Final = timedelta(seconds=5)
FIRST_LOOK_BACK: Final = timedelta(hours=24)
SPOT_CHECKED: Final[tuple[Decision, ...]] = ("approve", "auth", "block")

BATCH: Final = 20
LEASE_SECONDS: Final = 30.0
"""Longer than a batch can take while fds answers; a worker that died gives its reviews back after it."""
LONGEST_PAUSE_SECONDS: Final = 15.0


class Intake:
    """Brings held payments, all of them, and samples of the others into the queue."""

    def __init__(
        self,
        store: ReviewStore,
        fds: FraudService,
        signals: Signals,
        *,
        seed: int,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._store, self._fds, self._signals = store, fds, signals
        self._seed, self._now = seed, now

    async def step(self) -> None:
        """One round. Raises StoreUnavailableError; that fds is away is told and no error."""
        progress = await self._store.progress()
        with self._signals.intake() as span:
            try:
                full = progress.held >= MOST_HELD
                held = [] if full else await self._held(progress.held_until)
                spots = await self._spot_checks() if progress.spot_checks < MOST_SPOT_CHECKS else []
            except FdsUnavailableError as error:
                span.error(error)
                self._signals.intake_failed(error)
                return
            until = max((case.evaluated_at for case in held), default=progress.held_until)
            new = await self._store.take_in([*held, *spots], held_until=until)
            span.set("cases", sum(new.values()))
            self._signals.taken_in(new)

    async def _held(self, until: datetime | None) -> list[Case]:
        """The held payments since the last round."""
        settled = self._now() - SETTLE
        since = until - OVERLAP if until is not None else settled - FIRST_LOOK_BACK
        found: list[Case] = []
        for _ in range(MOST_PAGES):
            page = await self._fds.cases("hold", limit=PAGE, since=since)
            found += [case for case in page if case.evaluated_at <= settled]
            if len(page) < PAGE or page[-1].evaluated_at > settled or page[-1].evaluated_at <= since:
                break
            since = page[-1].evaluated_at
        return found

    async def _spot_checks(self) -> list[Case]:
        settled = self._now() - SETTLE
        pages = [await self._fds.cases(decision, limit=SPOT_PAGE) for decision in SPOT_CHECKED]
        return [
            case
            for page in pages
            for case in page
            if case.evaluated_at <= settled and is_spot_check(case.transaction_id, seed=self._seed)
        ]


class Courier:
    """Tells fds the verdicts that the store holds for it: each at least once, which fds takes as once."""

    def __init__(
        self,
        store: ReviewStore,
        fds: FraudService,
        signals: Signals,
        *,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._store, self._fds, self._signals, self._now = store, fds, signals, now
        self._wanted = asyncio.Event()

    def wake(self) -> None:
        """There is something to deliver."""
        self._wanted.set()

    async def rest(self) -> None:
        """Until there is something to deliver, or it is time to look."""
        with suppress(TimeoutError):
            async with asyncio.timeout(DELIVER_EVERY_SECONDS):
                await self._wanted.wait()
        self._wanted.clear()

    async def step(self) -> None:
        """Deliver a batch. Raises StoreUnavailableError; that fds is away is told and no error."""
        with self._signals.unobserved():
            batch = await self._store.claim(limit=BATCH, lease_seconds=LEASE_SECONDS)
        for number, kept in enumerate(batch):
            try:
                await self._deliver(kept)
            except FdsUnavailableError as error:
                left = [one.review.transaction_id for one in batch[number:]]
                self._signals.undelivered(error, len(left))
                with self._signals.unobserved():
                    await self._store.postpone(left, seconds=pause_after(kept.attempts))
                return
        if len(batch) == BATCH:
            self.wake()

    async def _deliver(self, kept: Kept) -> None:
        review = kept.review
        with self._signals.delivering(kept) as span:
            if review.trace_id is not None and review.span_id is not None:
                span.link(review.trace_id, review.span_id)
            result = await self._fds.label(review.transaction_id, review.verdict)
            span.set("result", result)
            await self._store.settle(review.transaction_id, result)
            delay = (self._now() - kept.created_at).total_seconds()
            self._signals.delivered(kept, result, max(0.0, delay))


def pause_after(attempts: int) -> float:
    """Seconds until a review is tried again, after `attempts` earlier attempts: doubling, then steady."""
    return float(min(LONGEST_PAUSE_SECONDS, 0.5 * 2 ** min(attempts, 10)))


class Worker:
    """Runs the parts side by side until it is cancelled; each survives whatever happens in it."""

    def __init__(self, store: ReviewStore, intake: Intake, courier: Courier, signals: Signals) -> None:
        self._store, self._intake, self._courier, self._signals = store, intake, courier, signals
        self.prepared = False

    async def run(self) -> None:
        """Make tables, then work. Until PostgreSQL is up the service runs and answers 503."""
        while not self.prepared:
            try:
                await self._store.prepare()
                self.prepared = True
            except StoreUnavailableError as error:
                self._signals.store_failed(error)
                await asyncio.sleep(PREPARE_EVERY_SECONDS)
        self._signals.prepared()
        async with asyncio.TaskGroup() as group:
            group.create_task(self._repeat("intake", self._intake.step, INTAKE_EVERY_SECONDS))
            group.create_task(self._repeat("overview", self._overview, OVERVIEW_EVERY_SECONDS))
            group.create_task(self._repeat("courier", self._courier.step, None))

    async def _overview(self) -> None:
        with self._signals.unobserved():
            self._signals.overview(await self._store.overview())

    async def _repeat(self, part: str, step: Callable[[], Awaitable[None]], every: float | None) -> None:
        while True:
            try:
                await step()
            except StoreUnavailableError as error:
                self._signals.store_failed(error)
                await asyncio.sleep(PREPARE_EVERY_SECONDS)
            except Exception as error:  # the process's boundary: one bad round must not end the work
                self._signals.broken(part, error)
                await asyncio.sleep(PREPARE_EVERY_SECONDS)
            if every is None:
                await self._courier.rest()
            else:
                await asyncio.sleep(every)
