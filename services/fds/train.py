"""Makes fraudmodel/model.json: generated payments with known frauds, gradient boosting, an export."""

import hashlib
import json
import math
import random
from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from fraudmodel.trees import SHIPPED, Model
from services.fds import model as runtime
from services.fds.domain import EngineRun, Transaction, assess_probability, conclude
from services.fds.rules import assess

FRAUD_SHARE: Final = 0.2
"""Far above a shop's real share, so that the trees see enough of each pattern; see fraudmodel/MODEL.md."""
MISLABELLED: Final = 0.005
TREES: Final = 90
ROWS: Final = 16_000
BINS: Final = 8
"""Bins of a feature's training distribution: enough to see a shift, few enough for windows of hundreds."""


@dataclass(frozen=True)
class Case:
    """A generated payment, which pattern made it, and its label (1 fraud)."""

    transaction: Transaction
    pattern: str
    label: int


def generate(count: int, seed: int) -> list[Case]:
    """`count` payments, the same for the same seed, one in five fraudulent, a few labelled wrongly."""
    source = random.Random(seed)
    cases = []
    for number in range(count):
        pattern = source.choice(tuple(_FRAUD)) if source.random() < FRAUD_SHARE else "legitimate"
        make = _FRAUD.get(pattern, _legitimate)
        label = int(pattern in _FRAUD) ^ int(source.random() < MISLABELLED)
        cases.append(Case(make(source, f"generated-{number}"), pattern, label))
    return cases


def _payment(source: random.Random, name: str, *, night: float, device: float, **values: Any) -> Transaction:
    hour = source.uniform(1, 6) if source.random() < night else min(23.9, max(0.0, source.gauss(15, 5)))
    when = datetime(2026, 3, 1, tzinfo=UTC) + timedelta(days=source.randrange(200), hours=(hour - 9) % 24)
    known = source.random() < device
    return Transaction(
        name, f"user-{source.randrange(5000)}", occurred_at=when, billing_country="KR",
        device_id=f"device-{source.randrange(8000)}" if known else None, **values,
    )  # fmt: skip


def _legitimate(source: random.Random, name: str) -> Transaction:
    new = source.random() < 0.1
    return _payment(
        source, name, night=0.04, device=0.96,
        amount=round(min(8_000_000.0, max(1_000.0, source.lognormvariate(math.log(48_000), 1.15)))),
        payment_method=_method(source, card=0.6, transfer=0.15),
        country="KR" if source.random() < 0.96 else source.choice(("JP", "US", "VN")),
        shipping_country="KR" if source.random() < 0.97 else source.choice(("US", "JP", "CN")),
        items_count=min(30, 1 + int(source.expovariate(0.5))),
        account_age_days=source.randrange(7) if new else min(3650, int(source.expovariate(1 / 500))),
    )  # fmt: skip


def _account_takeover(source: random.Random, name: str) -> Transaction:
    return _payment(
        source, name, night=0.4, device=0.6,
        amount=round(source.uniform(500_000, 5_000_000)),
        payment_method=_method(source, card=0.7, transfer=0.05),
        country=source.choice(("RU", "US", "VN", "T1", "XX")) if source.random() < 0.9 else "KR",
        shipping_country=source.choice(("US", "CN", "RU")) if source.random() < 0.6 else "KR",
        items_count=1 + source.randrange(4),
        account_age_days=100 + source.randrange(2000),
    )  # fmt: skip


def _card_testing(source: random.Random, name: str) -> Transaction:
    return _payment(
        source, name, night=0.3, device=0.3,
        amount=round(source.uniform(100, 3_000)),
        payment_method=_method(source, card=1.0, transfer=0.0),
        country=source.choice(("T1", "XX", "A1", "US")) if source.random() < 0.75 else "KR",
        shipping_country="KR",
        items_count=1,
        account_age_days=source.randrange(5),
    )  # fmt: skip


def _reshipping(source: random.Random, name: str) -> Transaction:
    return _payment(
        source, name, night=0.1, device=0.85,
        amount=round(source.uniform(400_000, 4_000_000)),
        payment_method=_method(source, card=0.9, transfer=0.0),
        country=source.choice(("US", "CN")) if source.random() < 0.4 else "KR",
        shipping_country=source.choice(("US", "CN", "NG", "RU")) if source.random() < 0.96 else "KR",
        items_count=5 + source.randrange(25),
        account_age_days=1 + source.randrange(60),
    )  # fmt: skip


def _new_account_burst(source: random.Random, name: str) -> Transaction:
    return _payment(
        source, name, night=0.4, device=0.7,
        amount=round(source.uniform(700_000, 6_000_000)),
        payment_method=_method(source, card=0.8, transfer=0.0),
        country=source.choice(("US", "T1", "VN")) if source.random() < 0.4 else "KR",
        shipping_country="KR" if source.random() < 0.8 else "US",
        items_count=1 + source.randrange(3),
        account_age_days=source.randrange(3),
    )  # fmt: skip


def _method(source: random.Random, *, card: float, transfer: float) -> str:
    drawn = source.random()
    if drawn < card:
        return source.choice(("credit_card", "debit_card"))
    return "bank_transfer" if drawn < card + transfer else "wallet"


_FRAUD: Final[dict[str, Callable[[random.Random, str], Transaction]]] = {
    "account_takeover": _account_takeover,
    "card_testing": _card_testing,
    "reshipping": _reshipping,
    "new_account_burst": _new_account_burst,
}


def fit(cases: Sequence[Case], *, trees: int = TREES) -> Any:
    """A fitted scikit-learn classifier (a development dependency, so imported here)."""
    from sklearn.ensemble import GradientBoostingClassifier  # noqa: PLC0415 - not in the service image

    classifier = GradientBoostingClassifier(
        n_estimators=trees,
        max_depth=3,
        learning_rate=0.15,
        subsample=0.8,
        min_samples_leaf=20,
        random_state=7,
    )
    rows = [runtime.features(case.transaction) for case in cases]
    return classifier.fit(rows, [case.label for case in cases])


def export(classifier: Any) -> dict[str, Any]:
    """The fitted trees as the document that services.fds.model.load reads, without metrics and reference."""
    prior = float(classifier.init_.class_prior_[1])
    trees = []
    for (regressor,) in classifier.estimators_:
        tree = regressor.tree_
        leaf = tree.children_left < 0
        trees.append([
            [-1 if end else int(index) for end, index in zip(leaf, tree.feature, strict=True)],
            [0.0 if end else float(value) for end, value in zip(leaf, tree.threshold, strict=True)],
            [int(node) for node in tree.children_left],
            [int(node) for node in tree.children_right],
            [float(value) if end else 0.0 for end, value in zip(leaf, tree.value[:, 0, 0], strict=True)],
        ])  # fmt: skip
    digest = hashlib.sha256(json.dumps(trees).encode()).hexdigest()[:8]
    return {
        "version": f"gbt-{digest}",
        "features": list(runtime.FEATURES),
        "base": math.log(prior / (1 - prior)),
        "rate": float(classifier.learning_rate),
        "metrics": {},
        "reference": {},
        "trees": trees,
    }


def reference(rows: Sequence[Sequence[float]]) -> dict[str, tuple[list[float], list[float]]]:
    """Per feature the upper edges of its bins, but for the last, and the share of `rows` in each bin.

    Edges are quantiles, so that no bin is empty; a feature of two values gets a bin for each.
    """
    found = {}
    for name, column in zip(runtime.FEATURES, zip(*rows, strict=True), strict=True):
        values = sorted(column)
        cuts = {round(values[len(values) * step // BINS], 4) for step in range(1, BINS)}
        if set(values) <= {0.0, 1.0}:
            cuts = {0.5}
        edges = sorted(cuts - {values[-1]})
        counts = Counter(bisect_left(edges, value) for value in values)
        shares = [round(counts[index] / len(values), 5) for index in range(len(edges) + 1)]
        found[name] = (edges, shares)
    return found


def area_under_curve(scores: Sequence[float], labels: Sequence[int]) -> float:
    """The chance that a fraud scores above a legitimate payment (ROC AUC), ties counting half."""
    ranked = sorted(zip(scores, labels, strict=True))
    rank_sum, position = 0.0, 0
    while position < len(ranked):
        end = position
        while end < len(ranked) and ranked[end][0] == ranked[position][0]:
            end += 1
        rank_sum += sum(label for _, label in ranked[position:end]) * (position + 1 + end) / 2
        position = end
    positive = sum(labels)
    return (rank_sum - positive * (positive + 1) / 2) / (positive * (len(labels) - positive))


def measure(model: Model, cases: Sequence[Case]) -> dict[str, float]:
    """AUC of the model, and precision and recall of the whole decision without velocity and CTI."""
    scores = [model.probability(runtime.features(case.transaction)) for case in cases]
    labels = [case.label for case in cases]
    stopped = [_stops(case.transaction, score) for case, score in zip(cases, scores, strict=True)]
    caught = sum(label for stop, label in zip(stopped, labels, strict=True) if stop)
    return {
        "auc": round(area_under_curve(scores, labels), 4),
        "precision": round(caught / max(1, sum(stopped)), 4),
        "recall": round(caught / sum(labels), 4),
        "held_out": len(cases),
    }


def _stops(transaction: Transaction, probability: float) -> bool:
    runs = (
        EngineRun("rule", 0.0, assess(transaction, None)),
        EngineRun("ml", 0.0, assess_probability(probability)),
        EngineRun("cti", 0.0, assess_probability(0.0)),
    )
    return conclude(runs).decision in ("hold", "block")


def main(seed: int = 7) -> None:
    """Train, measure on held-out payments of another seed, and write model.json."""
    cases = generate(ROWS, seed)
    document = export(fit(cases))
    document["reference"] = reference([runtime.features(case.transaction) for case in cases])
    model = runtime.load(json.dumps(document))
    document["metrics"] = measure(model, generate(6_000, seed + 1))
    text = json.dumps(document, separators=(",", ":")) + "\n"
    SHIPPED.write_text(text, encoding="utf-8")
    print(f"model.json: {model.version}, {len(text)} bytes, {document['metrics']}")


if __name__ == "__main__":
    main()
