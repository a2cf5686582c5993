"""How good the decisions were: labels against decisions, over sliding windows of labelled cases."""

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, Literal

from services.fds.domain import Decision

Label = Literal["fraud", "legitimate"]
Outcome = Literal["true_positive", "false_positive", "true_negative", "false_negative"]

OUTCOMES: Final[tuple[Outcome, ...]] = (
    "true_positive", "false_positive", "true_negative", "false_negative",
)  # fmt: skip
WINDOW: Final = 200
MINIMUM: Final = 50
"""Fewer cases than this say too little: the measure is then absent, so that no alert looks at chance."""


@dataclass(frozen=True)
class Labelled:
    """The fact that a decision was labelled for the first time."""

    transaction_id: str
    decision: Decision
    label: Label

    @property
    def outcome(self) -> Outcome:
        """Positive is a decision that stops the payment: hold or block."""
        return outcome_of(self.decision, self.label)


@dataclass(frozen=True)
class Measures:
    """Each 0 to 1, or None while there are too few cases."""

    precision: float | None
    recall: float | None
    f1: float | None


def outcome_of(decision: Decision, label: Label) -> Outcome:
    """What a label says of a decision."""
    if decision in ("hold", "block"):
        return "true_positive" if label == "fraud" else "false_positive"
    return "false_negative" if label == "fraud" else "true_negative"


class QualityWindow:
    """Precision and recall, each over the last 200 cases that could change it."""

    def __init__(self) -> None:
        self._stopped: deque[bool] = deque(maxlen=WINDOW)  # TP or FP: was it fraud?
        self._fraud: deque[bool] = deque(maxlen=WINDOW)  # TP or FN: was it stopped?

    def add(self, outcome: Outcome) -> Measures:
        """Take in the newest case; gives the measures after it."""
        if outcome in ("true_positive", "false_positive"):
            self._stopped.append(outcome == "true_positive")
        if outcome in ("true_positive", "false_negative"):
            self._fraud.append(outcome == "true_positive")
        return self.measures()

    def restore(self, stopped: Iterable[Outcome], fraud: Iterable[Outcome]) -> Measures:
        """Start again from kept cases, oldest first: `stopped` are TP and FP, `fraud` are TP and FN."""
        self._stopped = deque((outcome == "true_positive" for outcome in stopped), maxlen=WINDOW)
        self._fraud = deque((outcome == "true_positive" for outcome in fraud), maxlen=WINDOW)
        return self.measures()

    def measures(self) -> Measures:
        """Precision, recall and F1 now."""
        precision, recall = _share(self._stopped), _share(self._fraud)
        if precision is None or recall is None:
            return Measures(precision, recall, None)
        total = precision + recall
        return Measures(precision, recall, 2 * precision * recall / total if total else 0.0)


def _share(cases: deque[bool]) -> float | None:
    return sum(cases) / len(cases) if len(cases) >= MINIMUM else None
