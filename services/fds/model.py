"""The ML engine's model: features of a transaction and boosted trees evaluated in plain Python."""

import json
import math
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from services.fds.domain import Transaction
from services.fds.rules import ANONYMOUS_COUNTRIES, KOREA, differ

FEATURES: Final = (
    "log_amount",
    "log_amount_per_item",
    "items_count",
    "account_age_days",
    "hour_in_korea",
    "country_mismatch",
    "shipping_mismatch",
    "country_anonymous",
    "device_unknown",
    "paid_by_card",
    "paid_by_transfer",
)
CARD_METHODS: Final = frozenset({"card", "credit_card", "debit_card"})
TRANSFER_METHODS: Final = frozenset({"bank_transfer", "virtual_account"})
UNKNOWN_AGE_DAYS: Final = 365
"""An account of unknown age counts as an ordinary one."""

_FLOAT = struct.Struct("f")


def features(transaction: Transaction) -> tuple[float, ...]:
    """The values of FEATURES, in that order."""
    amount, items = transaction.amount, max(1, transaction.items_count)
    age = transaction.account_age_days
    local = transaction.occurred_at.astimezone(KOREA)
    return (
        math.log1p(amount),
        math.log1p(amount / items),
        float(min(items, 100)),
        float(min(UNKNOWN_AGE_DAYS if age is None else age, 3650)),
        local.hour + local.minute / 60,
        float(differ(transaction.country, transaction.billing_country)),
        float(differ(transaction.shipping_country, transaction.billing_country)),
        float(transaction.country in ANONYMOUS_COUNTRIES),
        float(transaction.device_id is None),
        float(transaction.payment_method in CARD_METHODS),
        float(transaction.payment_method in TRANSFER_METHODS),
    )


@dataclass(frozen=True)
class Tree:
    """One regression tree as parallel lists; node 0 is the root, a leaf has feature -1."""

    feature: tuple[int, ...]
    threshold: tuple[float, ...]
    left: tuple[int, ...]
    right: tuple[int, ...]
    value: tuple[float, ...]

    def at(self, row: Sequence[float]) -> float:
        """The value of the leaf that `row` falls into."""
        node = 0
        while (index := self.feature[node]) >= 0:
            node = self.left[node] if row[index] <= self.threshold[node] else self.right[node]
        return self.value[node]


@dataclass(frozen=True)
class Model:
    """Boosted trees: probability = logistic(base + rate x sum of the trees)."""

    version: str
    base: float
    rate: float
    trees: tuple[Tree, ...]
    metrics: Mapping[str, float]

    def probability(self, row: Sequence[float]) -> float:
        """The probability of fraud, 0 to 1, for a row of FEATURES.

        Values are rounded to single precision first, as scikit-learn does before it compares them.
        """
        single = [_FLOAT.unpack(_FLOAT.pack(value))[0] for value in row]
        logit = self.base + self.rate * sum(tree.at(single) for tree in self.trees)
        if logit >= 0:
            return 1.0 / (1.0 + math.exp(-logit))
        exponential = math.exp(logit)
        return exponential / (1.0 + exponential)


def load(text: str) -> Model:
    """The model in `text`, as train.py writes it. Raises ValueError when it was made for other features."""
    document: dict[str, Any] = json.loads(text)
    if tuple(document["features"]) != FEATURES:
        raise ValueError("model.json was trained on other features: run `python -m services.fds.train`")
    trees = tuple(Tree(*(tuple(column) for column in tree)) for tree in document["trees"])
    return Model(document["version"], document["base"], document["rate"], trees, document["metrics"])
