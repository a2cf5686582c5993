"""Routes of ml: parse, score, record, respond."""

from collections.abc import Callable

from fastapi import APIRouter

from fraudmodel.trees import Model
from services.ml.domain import Prediction
from services.ml.drift import DriftWindow
from services.ml.ports import Scorer
from services.ml.schemas import Answer, Card, Question
from services.ml.signals import Signals


class Service:
    """What the routes share: the model and who asks it, the drift window and the signals."""

    def __init__(
        self,
        model: Model,
        scorer: Scorer,
        window: DriftWindow,
        signals: Signals,
        *,
        clock: Callable[[], float],
    ) -> None:
        self.model, self._scorer, self._window, self._signals = model, scorer, window, signals
        self._clock = clock

    async def score(self, question: Question) -> Answer:
        """Score a payment; takes it into the drift window as the model saw it. Raises ClientError."""
        row = question.row(self.model.features)
        version = self.model.version
        with self._signals.predicting(version, question.transaction_id) as span:
            started = self._clock()
            scored = await self._scorer.score(row)
            made = Prediction(scored.score, version, self._clock() - started, question.transaction_id)
            span.set("score", made.score)
            span.set("outcome", made.outcome)
            self._window.add(scored.row)
            self._signals.record(made)
        return Answer(
            score=made.score, model_version=version, elapsed_ms=round(made.elapsed_seconds * 1000, 3)
        )

    def measure_drift(self) -> None:
        """Bring the drift gauges up to date; called before each exposition."""
        self._signals.drifted(self._window.samples(), self._window.indices())

    def card(self) -> Card:
        """The model card."""
        model = self.model
        return Card(
            model_version=model.version,
            kind="gradient boosted trees",
            trees=len(model.trees),
            features=list(model.features),
            metrics=dict(model.metrics),
            training_distribution={
                name: {"edges": list(one.edges), "shares": list(one.shares)}
                for name, one in model.reference.items()
            },
            intended_use="a score to rank payments by, beside rules and threat intelligence",
            limits="trained on generated payments of which one in five is fraud: not a frequency of fraud",
        )


def routes(service: Service) -> APIRouter:
    """Everything below /api/v1/ml."""
    router = APIRouter(prefix="/api/v1/ml")

    @router.post("/score", summary="Score the features of a payment")
    async def score(question: Question) -> Answer:
        return await service.score(question)

    @router.get("/model", summary="The model card")
    async def model() -> Card:
        return service.card()

    return router
