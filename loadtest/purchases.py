"""What is bought in the shop, by whom and from where: customers, guests, and the known patterns of fraud."""

import random
from collections.abc import Mapping
from dataclasses import dataclass

from loadtest import fds_requests

Body = dict[str, object]

CIRCUMSTANCES = ("country", "shipping_country", "billing_country", "device_id", "card_id")
METHODS = ("credit_card", "credit_card", "debit_card", "mobile_wallet", "bank_transfer")
CARDS = ("credit_card", "debit_card")
MOST_PIECES = 30
DEAR_KRW = 700_000  # above this customers buy seldom


@dataclass(frozen=True)
class Buying:
    """A purchase as the shop takes it, and the network address that it comes from."""

    body: Body
    address: str


def customer(choose: random.Random, name: str) -> Buying:
    """A customer with an account pays for the cart: own card, own device, mostly at home."""
    payment = fds_requests.legitimate(choose)
    own = {"card_id": f"card-{name}-{choose.randrange(2)}", "device_id": f"device-{name}"}
    body = {**_circumstances(payment), "payment_method": choose.choice(METHODS), **own}
    return Buying(body, str(payment["ip"]))


def guest(choose: random.Random, prices: Mapping[str, int]) -> Buying:
    """A customer without an account buys one to three things; some price must be known."""
    payment = fds_requests.legitimate(choose)
    number = str(payment["user_id"]).removeprefix("user-")
    body = {
        **_circumstances(payment),
        "payment_method": choose.choice(METHODS),
        "email": f"guest-{number}@{payment['email_domain']}",
        "items": _basket(choose, prices),
    }
    return Buying(body, str(payment["ip"]))


def thief(choose: random.Random, prices: Mapping[str, int]) -> Buying:
    """One of the patterns of fraud, with goods worth about what the pattern takes."""
    payment = choose.choice(tuple(fds_requests.FRAUD.values()))(choose)
    wanted = payment["amount"]
    body = {
        **_circumstances(payment),
        "payment_method": choose.choice(CARDS),
        "email": f"thief-{choose.randrange(100_000)}@{payment['email_domain']}",
        "items": [_worth(prices, wanted if isinstance(wanted, float) else 0.0)],
    }
    return Buying(body, str(payment["ip"]))


def _basket(choose: random.Random, prices: Mapping[str, int]) -> list[Body]:
    usual = sorted(prices, key=lambda product: (prices[product], product))
    usual = [product for product in usual if prices[product] < DEAR_KRW] or usual[:1]
    wanted = choose.sample(usual, min(len(usual), choose.randrange(1, 4)))
    return [{"product_id": product, "quantity": choose.choice((1, 1, 1, 2))} for product in wanted]


def _worth(prices: Mapping[str, int], amount: float) -> Body:
    """The product, in the quantity, that comes nearest to an amount in KRW."""
    offers = (
        (abs(price * quantity - amount), product, quantity)
        for product, price in sorted(prices.items())
        for quantity in (max(1, min(MOST_PIECES, round(amount / price))),)
    )
    _, product, quantity = min(offers)
    return {"product_id": product, "quantity": quantity}


def _circumstances(payment: Body) -> Body:
    return {name: payment[name] for name in CIRCUMSTANCES if name in payment}
