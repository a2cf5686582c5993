"""Seeded visits to the shop: looking around, carts, payments of customers and thieves, orders."""

import itertools
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from loadtest import purchases
from loadtest.request import Answer, Request, Script
from loadtest.review_requests import Ledger, Verdict

API = "/api/v1"
CATEGORIES = ("books", "clothing", "electronics", "garden", "kitchen", "toys")
WORDS = ("kettle", "atlas", "lantern", "robot", "coat", "oak", "blue", "folding", "camera", "puzzle")
PASSWORD = "firedrill-demo"  # of every demo user; they own nothing
DEMO_USERS = 50
BACKGROUND_ACCOUNTS = range(41, DEMO_USERS + 1)
LOAD_ACCOUNTS = range(1, 41)  # two scripts with one account would share a cart
BUYS = 0.5  # of the visits end at the till
AS_GUEST = 0.4
ABANDONS_CART = 0.35  # of the visits of somebody with an account that do not buy
RETRIES = 0.04
MISTYPES = 0.04
LOGS_IN_AGAIN = 0.05
NEWCOMERS = 0.1  # of the visits bring somebody who registers and only looks around
CROWDED = 4  # lines in the cart: more is tidied up, or an abandoned cart would grow for ever


def declined(answer: Answer) -> bool:
    """Whether the shop declined the payment, as it should now and then."""
    return answer.status == 402 and answer.text("error", "code") == "payment_declined"


@dataclass
class Shopper:
    """What a script remembers of its user; `number` is the user's, `account` a demo user's or None."""

    choose: random.Random
    name: str
    account: int | None
    fraud: Callable[[], float]
    ledger: Ledger
    token: str = ""
    registrations: int = 0
    prices: dict[str, int] = field(default_factory=dict)
    cart: set[str] = field(default_factory=set)
    payments: "itertools.count[int]" = field(default_factory=lambda: itertools.count(1))
    newcomers: "itertools.count[int]" = field(default_factory=lambda: itertools.count(1))

    def headers(self) -> dict[str, str]:
        """Who asks."""
        return {"Authorization": f"Bearer {self.token}"} if self.token else {}

    def saw(self, answer: Answer) -> None:
        """Remember prices from a list of products."""
        found = answer.value("products")
        for product in found if isinstance(found, list) else []:
            if isinstance(product, dict) and isinstance(product.get("price"), int):
                self.prices[str(product.get("product_id"))] = product["price"]


Errand = Callable[[Shopper], Script]


def script(
    seed: int,
    user: int,
    *,
    run: str,
    fraud: Callable[[], float],
    ledger: Ledger,
    accounts: range,
    errands: Sequence[Errand] = (),
) -> Script:
    """Requests without end for one user; the same for the same arguments and answers.

    The first users have demo users' accounts, all others register one of their own. Each visit ends with the
    next of the errands, users beginning at different ones; newcomers then come by errands alone.
    """
    shopper = Shopper(
        random.Random(f"shop-{seed}-{user}"),
        f"{run}-{seed}-{user}",
        accounts[user] if user < len(accounts) else None,
        fraud,
        ledger,
    )
    for number in itertools.count(user * (len(errands) // 2)):
        yield from _look_around(shopper)
        if errands:
            yield from errands[number % len(errands)](shopper)
        elif shopper.choose.random() < NEWCOMERS:
            yield newcomer(shopper)
        if shopper.choose.random() < BUYS:
            if shopper.choose.random() < shopper.fraud():
                yield from _steal(shopper)
            elif shopper.choose.random() < AS_GUEST:
                yield from _buy_as_guest(shopper)
            else:
                yield from _buy_with_account(shopper)
        elif shopper.choose.random() < ABANDONS_CART:
            yield from _enter(shopper)
            yield from _fill_cart(shopper)


def _look_around(shopper: Shopper) -> Script:
    choose = shopper.choose
    category = choose.choice(CATEGORIES)
    shopper.saw((yield _get(f"/products?category={category}", "shop browse")))
    if choose.random() < 0.4:
        shopper.saw((yield _get(f"/products/search?q={choose.choice(WORDS)}", "shop search")))
    for _ in range(choose.randrange(1, 4)):
        yield _get(f"/products/{_product(shopper)}", "shop product")
    if choose.random() < 0.02:
        path = f"/products/p-{choose.randrange(900, 999)}"
        yield Request(API + path, None, "shop invalid", frozenset({404}), "GET")


def _enter(shopper: Shopper) -> Script:
    """Log in, or register for the first time; the cart is as it was left."""
    if shopper.token and shopper.choose.random() >= LOGS_IN_AGAIN:
        return
    if shopper.account is None and not shopper.registrations:
        yield from _register(shopper)
        return
    body = {"email": _email(shopper), "password": PASSWORD}
    if shopper.choose.random() < MISTYPES:
        yield mistyped(shopper)
    answer = yield Request(f"{API}/users/login", body, "shop login")
    shopper.token = answer.text("token")
    if shopper.token:
        answer = yield _get("/cart", "shop cart", shopper)
        shopper.cart = {str(line.get("product_id")) for line in answer.lines("items")}


def mistyped(shopper: Shopper) -> Request:
    """Somebody does not get in."""
    body = {"email": _email(shopper), "password": "firedrill-dmeo"}
    return Request(f"{API}/users/login", body, "shop login wrong", frozenset({401}))


def newcomer(shopper: Shopper) -> Request:
    """Somebody registers and only looks around."""
    return _registration(f"newcomer-{shopper.name}-{next(shopper.newcomers)}@mail.example")


def _register(shopper: Shopper) -> Script:
    shopper.registrations += 1
    answer = yield _registration(_email(shopper))
    shopper.token = answer.text("token")
    if not shopper.token:
        shopper.registrations -= 1


def _registration(email: str) -> Request:
    body = {"email": email, "password": PASSWORD, "name": "New customer"}
    return Request(f"{API}/users/register", body, "shop register", frozenset({201}))


def _fill_cart(shopper: Shopper) -> Script:
    if not shopper.token:
        return
    if len(shopper.cart) >= CROWDED:
        for product in sorted(shopper.cart):
            yield _put(shopper, product, 0)
        shopper.cart.clear()
    for _ in range(shopper.choose.randrange(1, 3)):
        product = _product(shopper)
        answer = yield _put(shopper, product, shopper.choose.choice((1, 1, 1, 2)))
        if answer.status == 200:
            shopper.cart.add(product)


def _buy_with_account(shopper: Shopper) -> Script:
    yield from _enter(shopper)
    yield from _fill_cart(shopper)
    if not shopper.cart or not shopper.token:
        return
    answer = yield _get("/cart", "shop cart", shopper)
    if shopper.account is None:
        yield from _put_away_dear(shopper, answer)
        if not shopper.cart:
            return
    buying = purchases.customer(shopper.choose, shopper.name)
    yield from pay(shopper, buying, "legitimate", shopper.headers())
    shopper.cart.clear()
    if shopper.choose.random() < 0.3:
        yield _get("/orders", "shop orders", shopper)


def _put_away_dear(shopper: Shopper, answer: Answer) -> Script:
    """Who has only just registered does not spend a fortune: of dear carts the dearest is put back."""
    worth = {str(line.get("product_id")): line.get("amount") for line in answer.lines("items")}
    left = {product: amount for product, amount in worth.items() if isinstance(amount, int)}
    for product in sorted(left, key=lambda one: (-left[one], one)):
        if sum(left.values()) <= purchases.DEAR_KRW:
            return
        del left[product]
        shopper.cart.discard(product)
        yield _put(shopper, product, 0)


def _buy_as_guest(shopper: Shopper) -> Script:
    if shopper.prices:
        yield from pay(shopper, purchases.guest(shopper.choose, shopper.prices), "legitimate", {})


def _steal(shopper: Shopper) -> Script:
    if shopper.prices:
        yield from pay(shopper, purchases.thief(shopper.choose, shopper.prices), "fraud", {})


def pay(shopper: Shopper, buying: purchases.Buying, truth: Verdict, headers: dict[str, str]) -> Script:
    """Check out and follow the payment; now and then the answer is lost and the same is sent again."""
    choose = shopper.choose
    sent = {
        **headers,
        "Idempotency-Key": f"{shopper.name}-{next(shopper.payments)}",
        "X-Forwarded-For": buying.address,
    }
    paid = frozenset({201, 202})
    request = Request(f"{API}/checkout", buying.body, "shop checkout", paid, headers=sent, declines=declined)
    answer = yield request
    if choose.random() < RETRIES:
        answer = yield request
    _note(shopper.ledger, buying.body, answer, truth)
    if answer.text("reason") == "authentication":
        yield from _confirm(choose, answer, truth)
    if order := answer.text("order_id"):
        yield _get(f"/orders/{order}/status", "shop order status")


def _confirm(choose: random.Random, answer: Answer, truth: Verdict) -> Script:
    """The customer has the code; a thief gives up, or guesses once."""
    path, code = answer.text("confirm", "path"), answer.text("confirm", "demo_code")
    if not path or not code.isdigit():
        return
    wrong = {"code": f"{(int(code) + 1) % 1_000_000:06d}"}
    if (truth == "fraud" and choose.random() < 0.5) or (truth == "legitimate" and choose.random() < MISTYPES):
        yield Request(path, wrong, "shop confirm wrong", frozenset({403}))
    if truth == "legitimate":
        yield Request(path, {"code": code}, "shop confirm")


def _note(ledger: Ledger, body: purchases.Body, answer: Answer, truth: Verdict) -> None:
    """What a reviewer will see of the payment, and what it really is."""
    amount, items = answer.value("amount"), answer.value("items")
    if isinstance(amount, int) and isinstance(items, int):
        ledger.note_facts({**body, "amount": amount, "items_count": items}, truth)


def _product(shopper: Shopper) -> str:
    return shopper.choose.choice(sorted(shopper.prices)) if shopper.prices else "p-001"


def _email(shopper: Shopper) -> str:
    if shopper.account is None:
        return f"new-{shopper.name}@mail.example"
    return f"shopper-{shopper.account:02d}@shop.example"


def _get(path: str, name: str, shopper: Shopper | None = None) -> Request:
    return Request(API + path, None, name, method="GET", headers=shopper.headers() if shopper else {})


def _put(shopper: Shopper, product: str, quantity: int) -> Request:
    path, body = f"{API}/cart/items/{product}", {"quantity": quantity}
    return Request(path, body, "shop cart put", method="PUT", headers=shopper.headers())
