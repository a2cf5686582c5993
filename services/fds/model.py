"""What the ML engine asks of a transaction: the features, and the model that was trained on them."""

import math
from typing import Final

from fraudmodel import trees
from fraudmodel.trees import Model
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


def load(text: str) -> Model:
    """The model in `text`, as train.py writes it. Raises ValueError when it was made for other features."""
    model = trees.load(text)
    if model.features != FEATURES:
        raise ValueError("model.json was trained on other features: run `python -m services.fds.train`")
    return model
