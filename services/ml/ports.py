"""What the routes need of a model, as a Protocol."""

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True)
class Scored:
    """A score, 0 to 1, and the row of features as the model saw it."""

    score: float
    row: tuple[float, ...]


class Scorer(Protocol):
    """A fraud model that is being served."""

    async def score(self, row: tuple[float, ...]) -> Scored:
        """Score a row of the model's features, in the model's order."""
