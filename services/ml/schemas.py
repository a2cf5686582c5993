"""What callers may send: the features of a payment."""

from collections.abc import Sequence
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from telemetry.errors import ClientError

MOST_FEATURES = 64
_LARGEST = 1e12

Value = Annotated[float, Field(ge=-_LARGEST, le=_LARGEST, allow_inf_nan=False)]


class Question(BaseModel):
    """A payment to score, by the names that the model card lists; further keys are ignored."""

    model_config = ConfigDict(strict=True, extra="ignore")

    features: Annotated[dict[str, Value], Field(min_length=1, max_length=MOST_FEATURES)]
    transaction_id: Annotated[str | None, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._:\-]{0,63}$")] = None

    def row(self, names: Sequence[str]) -> tuple[float, ...]:
        """The values in the model's order. Raises ClientError (422) when one is missing or unknown."""
        missing = [name for name in names if name not in self.features]
        unknown = len(self.features) - (len(names) - len(missing))
        if missing or unknown:
            told = f"missing: {', '.join(missing) or 'none'}; unknown to this model: {unknown}"
            raise ClientError(422, "other_features", f"features must be those of the model card; {told}")
        return tuple(float(self.features[name]) for name in names)


class Answer(BaseModel):
    """A score."""

    score: Annotated[float, Field(ge=0, le=1, description="probability of fraud")]
    model_version: str
    elapsed_ms: float


class Card(BaseModel):
    """What is served: how it was made, what it wants, how good it was, how its features were distributed."""

    model_version: str
    kind: str
    trees: int
    features: list[str]
    metrics: dict[str, float]
    training_distribution: dict[str, dict[str, list[float]]]
    intended_use: str
    limits: str
