"""What a prediction is, and what its score amounts to."""

from dataclasses import dataclass
from typing import Final, Literal

Outcome = Literal["legitimate", "suspicious", "fraud"]

OUTCOMES: Final[tuple[Outcome, ...]] = ("legitimate", "suspicious", "fraud")
# More likely fraud than not; and the score from which fds holds a payment by the model alone.
_SUSPICIOUS, _FRAUD = 0.5, 0.9


@dataclass(frozen=True)
class Prediction:
    """The fact that a payment was scored. `score` is the probability of fraud, 0 to 1."""

    score: float
    model_version: str
    elapsed_seconds: float
    transaction_id: str | None = None

    @property
    def outcome(self) -> Outcome:
        """What the score amounts to."""
        return outcome_of(self.score)


def outcome_of(score: float) -> Outcome:
    """What a score of 0 to 1 amounts to."""
    if score >= _FRAUD:
        return "fraud"
    return "suspicious" if score >= _SUSPICIOUS else "legitimate"
