"""The breakages that a drill can turn on, wrapped around the model."""

import asyncio
import math
from collections.abc import Awaitable, Callable, Sequence
from typing import Final

from faults import Active, Dice, Fault, Parameter
from services.ml.ports import Scored, Scorer

Sleep = Callable[[float], Awaitable[object]]

FAULTS: Final = (
    Fault(
        "ml_slow",
        "Scores take longer; from 50 ms on fds goes on with its own copy of the model",
        (Parameter("milliseconds", 150, 1, 30_000, "ms", "added to each score"),),
    ),
    Fault(
        "drift",
        "Amounts arrive as a multiple of what they are, as after a change of the unit: features drift",
        (Parameter("factor", 20.0, 0.001, 1_000, "times", "the multiple"),),
    ),
    Fault(
        "wrong",
        "The model says the opposite, so that good payments are held: precision falls",
        (Parameter("rate", 1.0, 0, 1, "share", "share of payments that it is wrong about"),),
    ),
)
_AMOUNTS: Final = frozenset({"log_amount", "log_amount_per_item"})


class FaultyScorer:
    """A model that can be slow, wrong, or asked in the wrong unit; `features` names a row's values."""

    def __init__(
        self,
        inner: Scorer,
        switch: Active,
        dice: Dice,
        *,
        features: Sequence[str],
        sleep: Sleep = asyncio.sleep,
    ) -> None:
        self._inner, self._switch, self._dice, self._sleep = inner, switch, dice, sleep
        self._amounts = [name in _AMOUNTS for name in features]

    async def score(self, row: tuple[float, ...]) -> Scored:
        """As the inner model, after the faults."""
        if (slow := self._switch.active("ml_slow")) is not None:
            await self._sleep(float(slow["milliseconds"]) / 1000)
        if (drift := self._switch.active("drift")) is not None:
            row = self._drifted(row, float(drift["factor"]))
        scored = await self._inner.score(row)
        if self._dice.strikes_key("wrong", row):  # the same payment gets the same score
            return Scored(1.0 - scored.score, scored.row)
        return scored

    def _drifted(self, row: tuple[float, ...], factor: float) -> tuple[float, ...]:
        # log1p of an amount times `factor` is its logarithm plus the factor's, but for amounts near nothing.
        shift = math.log(factor)
        return tuple(
            max(0.0, value + shift) if amount else value
            for amount, value in zip(self._amounts, row, strict=True)
        )
