"""Every metric, log event and span of ml, declared once; `record` turns one fact into its signals."""

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from typing import Final

from services.ml.domain import OUTCOMES, Prediction
from telemetry.logs import get_logger
from telemetry.metrics import Gauge, Metrics
from telemetry.traces import Span, span

# A tree model takes a tenth of a millisecond; 0.05 is what fds waits for an answer.
DURATION_BUCKETS: Final = (0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0)
# 0.5 and 0.9 are the edges of the outcomes.
SCORE_BUCKETS: Final = tuple(tenths / 10 for tenths in range(1, 11))
UNKNOWN_VERSION: Final = "unknown"

COMPLETED: Final = "ML prediction completed"
SERVING: Final = "ML model loaded"


class Signals:
    """The service's metrics and log events; one per process, for one `version` of the model.

    `clock` is what every slice's signals take; nothing here depends on time.
    """

    def __init__(
        self, metrics: Metrics, *, clock: Callable[[], float], version: str = UNKNOWN_VERSION
    ) -> None:
        self._metrics = metrics
        self._log = get_logger("ml")
        self.predictions = metrics.counter(
            "ml_predictions_total", "Payments scored, by model and what the score amounts to",
            ("model_version", "outcome"),
        )  # fmt: skip
        self.duration = metrics.histogram(
            "ml_prediction_duration_seconds",
            "Time from the features to the score, in seconds",
            buckets=DURATION_BUCKETS,
        )
        self.scores = metrics.histogram(
            "ml_prediction_score", "Probabilities of fraud, 0 to 1", buckets=SCORE_BUCKETS
        )
        self.model = metrics.gauge(
            "ml_model_info", "1 for the model that is served", ("version",), across_workers="latest"
        )
        self.samples = metrics.gauge(
            "ml_feature_drift_samples", "Payments in the window that ml_feature_drift looks at"
        )
        # Made with its first value: a metric without samples would look as if there were no drift.
        self._drift: Gauge | None = None
        self._drifting: set[str] = set()
        self.predictions.preset(*((version, outcome) for outcome in OUTCOMES))
        self.duration.preset(())
        self.scores.preset(())
        self.samples.preset(())
        self.model.set(1, version)

    def record(self, event: Prediction) -> None:
        """A payment was scored; called inside its span, for the exemplars."""
        self.predictions.add(1, event.model_version, event.outcome)
        self.duration.observe(event.elapsed_seconds)
        self.scores.observe(event.score)
        self._log.info(
            COMPLETED,
            transaction_id=event.transaction_id,
            score=round(event.score, 4),
            outcome=event.outcome,
            model_version=event.model_version,
            elapsed_ms=round(event.elapsed_seconds * 1000, 3),
        )

    def predicting(self, version: str, transaction_id: str | None) -> AbstractContextManager[Span]:
        """Span a prediction; the caller sets score and outcome."""
        return span("ml.predict", model_version=version, transaction_id=transaction_id)

    def drifted(self, samples: int, indices: Mapping[str, float]) -> None:
        """Set the drift of each feature; a feature without a value is not exposed."""
        self.samples.set(samples)
        if self._drift is None and indices:
            self._drift = self._metrics.gauge(
                "ml_feature_drift",
                "Population stability index of the last payments against training (0.1 some, 0.25 a lot)",
                ("feature",),
                across_workers="latest",
            )
        if self._drift is not None:
            for name in self._drifting - indices.keys():
                self._drift.remove(name)
            for name, index in indices.items():
                self._drift.set(index, name)
            self._drifting = set(indices)

    def serving(self, version: str, features: int, trees: int) -> None:
        """The model was loaded."""
        self._log.info(SERVING, model_version=version, features=features, trees=trees)
