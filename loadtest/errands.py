"""What seldom happens by itself, in turn: in the gentle background none of it is to be waited for long."""

from collections.abc import Sequence

from loadtest import purchases
from loadtest.request import Script
from loadtest.shop_requests import Errand, Shopper, mistyped, newcomer, pay


def registration(shopper: Shopper) -> Script:
    """A newcomer registers."""
    yield newcomer(shopper)


def failed_login(shopper: Shopper) -> Script:
    """Somebody mistypes the password."""
    yield mistyped(shopper)


def blocked_theft(shopper: Shopper) -> Script:
    """A thief whom the threat feed knows is declined."""
    if shopper.prices:
        yield from pay(shopper, purchases.known_thief(shopper.choose, shopper.prices), "fraud", {})


def confirmed_gift(shopper: Shopper) -> Script:
    """A customer's payment is pending until the code is sent."""
    if shopper.prices:
        yield from pay(shopper, purchases.gift_abroad(shopper.choose, shopper.prices), "legitimate", {})


def held_theft(shopper: Shopper) -> Script:
    """A thief's payment is pending until a reviewer has seen it."""
    if shopper.prices:
        yield from pay(shopper, purchases.held_thief(shopper.choose, shopper.prices), "fraud", {})


def small_purchase(shopper: Shopper) -> Script:
    """A guest buys next to nothing."""
    if shopper.prices:
        yield from pay(shopper, purchases.trifle(shopper.choose, shopper.prices), "legitimate", {})


SHOP: Sequence[Errand] = (
    registration,
    blocked_theft,
    small_purchase,
    failed_login,
    confirmed_gift,
    held_theft,
)
