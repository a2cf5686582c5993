"""Runs rule, ML and CTI engines side by side, each under its own time limit, and times them."""

import asyncio
import uuid
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Final, Protocol

from services.fds import rules
from services.fds.domain import (
    ENGINE_LIMIT_SECONDS,
    ENGINES,
    Assessment,
    EngineName,
    EngineRun,
    Evaluation,
    IndicatorKind,
    Transaction,
    assess_indicators,
    assess_prediction,
    conclude,
)
from services.fds.ports import Scorer, ThreatFeed, VelocityCounter, VelocityUnavailableError


class Witness(Protocol):
    """Who watches the engines: signals.py in the service, nobody in most tests."""

    def engine(self, name: EngineName) -> AbstractContextManager[object]:
        """A span around one engine."""

    def engine_failed(self, name: EngineName, error: BaseException) -> None:
        """An engine raised."""

    def velocity_unknown(self, error: BaseException) -> None:
        """The rule engine had to do without velocity."""


class Nobody:
    """A witness that ignores everything."""

    def engine(self, name: EngineName) -> AbstractContextManager[object]:
        """No span."""
        return nullcontext()

    def engine_failed(self, name: EngineName, error: BaseException) -> None:
        """Not told."""

    def velocity_unknown(self, error: BaseException) -> None:
        """Not told."""


class Evaluator:
    """Judges transactions. `clock` gives seconds; an engine over `limit_seconds` is left out."""

    def __init__(
        self,
        velocity: VelocityCounter,
        scorer: Scorer,
        feed: ThreatFeed,
        *,
        clock: Callable[[], float],
        witness: Witness,
        limit_seconds: float = ENGINE_LIMIT_SECONDS,
    ) -> None:
        self._velocity, self._scorer, self._feed = velocity, scorer, feed
        self._clock, self._witness, self._limit = clock, witness, limit_seconds
        self._engines: Final[Mapping[EngineName, Callable[[Transaction], Awaitable[Assessment]]]] = {
            "rule": self._rule,
            "ml": self._ml,
            "cti": self._cti,
        }
        self._cut_off: set[asyncio.Task[EngineRun]] = set()  # held, or they could be collected half-way

    async def evaluate(self, transaction: Transaction) -> Evaluation:
        """Ask all engines at once; always gives an evaluation, however many of them fail."""
        started = self._clock()
        tasks = {name: asyncio.create_task(self._run(name, transaction)) for name in ENGINES}
        try:
            await asyncio.wait(tasks.values(), timeout=self._limit)
        finally:
            for task in tasks.values():
                self._let_go(task)
        waited = self._clock() - started
        runs = tuple(
            task.result() if task.done() else EngineRun(name, waited, None, "timeout")
            for name, task in tasks.items()
        )
        return Evaluation(
            evaluation_id=str(uuid.uuid4()),
            transaction_id=transaction.transaction_id,
            verdict=conclude(runs),
            runs=runs,
            elapsed_seconds=self._clock() - started,
            model_version=_model_version(runs) or self._scorer.version,
        )

    def _let_go(self, task: asyncio.Task[EngineRun]) -> None:
        if not task.done():
            task.cancel()
            self._cut_off.add(task)
            task.add_done_callback(self._cut_off.discard)

    async def _run(self, name: EngineName, transaction: Transaction) -> EngineRun:
        started = self._clock()
        try:
            with self._witness.engine(name):
                assessment = await self._engines[name](transaction)
        except Exception as error:  # a bulkhead: whatever breaks in one engine, the others decide
            self._witness.engine_failed(name, error)
            return EngineRun(name, self._clock() - started, None, "error", error)
        return EngineRun(name, self._clock() - started, assessment)

    async def _rule(self, transaction: Transaction) -> Assessment:
        try:
            velocity = await self._velocity.count(transaction)
        except VelocityUnavailableError as error:
            self._witness.velocity_unknown(error)
            return rules.assess(transaction, None)
        return rules.assess(transaction, velocity)

    async def _ml(self, transaction: Transaction) -> Assessment:
        return assess_prediction(await self._scorer.predict(transaction))

    async def _cti(self, transaction: Transaction) -> Assessment:
        known: dict[IndicatorKind, str | None] = {
            "ip": transaction.ip,
            "device": transaction.device_id,
            "email_domain": transaction.email_domain,
        }
        seen = {kind: value for kind, value in known.items() if value is not None}
        return assess_indicators(await self._feed.matches(seen)) if seen else Assessment(0.0)


def _model_version(runs: Sequence[EngineRun]) -> str | None:
    """The model that had a say in the decision."""
    said = (run.assessment.model_version for run in runs if run.assessment is not None)
    return next((version for version in said if version is not None), None)
