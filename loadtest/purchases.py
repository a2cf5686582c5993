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
# fds asks for a confirmation of a gift abroad between 1 and 2 million, and holds a foreigner's dear goods for
# another country from 0.9 to 1.4 million, whatever the hour.
GIFT_KRW, HELD_KRW = 1_200_000, 1_000_000
KNOWN_ADDRESS = "203.0.113.66"


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


def trifle(choose: random.Random, prices: Mapping[str, int]) -> Buying:
    """A guest buys the cheapest thing: the shop takes that without asking anybody, should it have to."""
    bought = guest(choose, prices)
    cheapest = min(prices, key=lambda product: (prices[product], product))
    return Buying({**bought.body, "items": [{"product_id": cheapest, "quantity": 1}]}, bought.address)


def gift_abroad(choose: random.Random, prices: Mapping[str, int]) -> Buying:
    """A good customer whom fds asks to confirm: dear goods that go to another country."""
    bought = guest(choose, prices)
    sent = {"payment_method": "bank_transfer", "country": "KR", "shipping_country": "US"}
    return _dear(choose, bought, prices, sent, worth=GIFT_KRW)


def held_thief(choose: random.Random, prices: Mapping[str, int]) -> Buying:
    """A thief with whom fds cannot make up its mind: dear goods, from and to another country."""
    bought = thief(choose, prices)
    sent = {"payment_method": "credit_card", "country": "US", "shipping_country": "US"}
    return _dear(choose, bought, prices, sent, worth=HELD_KRW)


def known_thief(choose: random.Random, prices: Mapping[str, int]) -> Buying:
    """A thief at an address that the threat feed of fds always holds: blocked."""
    return Buying(thief(choose, prices).body, KNOWN_ADDRESS)


def _dear(
    choose: random.Random,
    bought: Buying,
    prices: Mapping[str, int],
    sent: Mapping[str, object],
    *,
    worth: int,
) -> Buying:
    known = {"billing_country": "KR", "device_id": f"device-dear-{choose.randrange(100_000)}"}
    return Buying({**bought.body, **sent, **known, "items": [_worth(prices, float(worth))]}, bought.address)


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
