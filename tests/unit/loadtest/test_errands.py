"""What the background does in turn: soon, as the services take it, and in no other traffic."""

from collections import Counter
from collections.abc import Mapping

from loadtest import errands, kinds, review_requests
from loadtest.request import Answer, Request, Script
from loadtest.review_requests import Ledger
from services.admin.schemas import NewReview
from services.ecommerce.schemas import Login, Purchase, Registration

PRICES = {"p-001": 4_000, "p-002": 90_000, "p-003": 900_000}
RARE = {"shop register", "shop login wrong", "shop confirm"}


def play(script: Script, count: int) -> list[Request]:
    """The first requests of a script whose requests are answered as a shop and a reviewer's desk would."""
    request = next(script)
    played = []
    for _ in range(count):
        played.append(request)
        request = script.send(answer(request))
    return played


def answer(request: Request) -> Answer:
    """Products with prices, a pending payment for dear goods, and yes to everything else."""
    if "/products" in request.path:
        return Answer(
            200, {"products": [{"product_id": name, "price": price} for name, price in PRICES.items()]}
        )
    if request.name == "shop checkout" and worth(request.body) >= 1_000_000:
        confirm = {"path": "/api/v1/payments/1/confirm", "demo_code": "000007"}
        return Answer(202, {"reason": "authentication", "confirm": confirm, "order_id": "o"})
    return Answer(200, {"token": "t"})


def worth(body: object) -> int:
    """KRW of a guest's purchase."""
    items = body.get("items", ()) if isinstance(body, Mapping) else ()
    return sum(PRICES[one["product_id"]] * one["quantity"] for one in items)


def circumstances(*, user: int = 0, rare: bool = True) -> kinds.Circumstances:
    """Of one shopper, without fraud of its own."""
    return kinds.Circumstances(7, user, "r", lambda: 0.0, Ledger(), errands=rare)


def test_two_shoppers_soon_do_everything() -> None:
    """Within forty requests each, some half a minute, all that is rare has come, and not at the same time."""
    played = [play(kinds.shopping(circumstances(user=user)), 40) for user in (0, 1)]
    names = Counter(request.name for one in played for request in one)
    assert names.keys() >= RARE
    bought = [request for one in played for request in one if request.name == "shop checkout"]
    addresses = {request.headers["X-Forwarded-For"] for request in bought}
    assert "203.0.113.66" in addresses
    values = {worth(request.body) for request in bought}
    assert 4_000 in values
    assert max(values) >= 900_000
    first = [next(request.name for request in one if request.name in RARE) for one in played]
    assert first == ["shop register", "shop login wrong"]


def test_errands_are_what_the_shop_takes() -> None:
    """The service's own models read every body."""
    read = {"shop register": Registration, "shop login wrong": Login, "shop checkout": Purchase}
    seen = set()
    for request in play(kinds.shopping(circumstances()), 300):
        model = read.get(request.name)
        if model is not None:
            assert model.model_validate(request.body)
            seen.add(request.name)
    assert seen == set(read)


def test_without_prices_nothing_is_bought() -> None:
    """A shop whose catalogue is away is not sent purchases of nothing."""
    script = kinds.shopping(circumstances())
    request = next(script)
    for _ in range(100):
        assert request.name != "shop checkout"
        request = script.send(Answer(503))


def test_load_has_no_errands() -> None:
    """Measured traffic keeps its proportions: a wrong password is as rare as it was."""
    names = Counter(request.name for request in play(kinds.shopping(circumstances(rare=False)), 300))
    assert names["shop login wrong"] <= 2
    assert len(errands.SHOP) == 6


def test_a_reviewer_who_slips_is_told_so() -> None:
    """By turns a payment that fds does not know, and the opposite of what it knows."""
    ledger = Ledger()
    ledger.note("t-1", "fraud")
    ledger.note_label("t-1")
    played = play(review_requests.script(ledger, slips=True), 12)
    slips = [NewReview.model_validate(one.body) for one in played if one.method == "POST"]
    assert [one.verdict for one in slips] == ["fraud", "legitimate", "fraud", "legitimate"]
    assert [one.transaction_id.partition("-")[0] for one in slips] == ["mistyped", "t", "mistyped", "t"]
    assert len({one.transaction_id for one in slips}) == 3


def test_a_reviewer_contradicts_only_what_was_labelled() -> None:
    """Nothing is known yet: the slip is on an unknown payment."""
    ledger = Ledger()
    ledger.note("t-1", "fraud")
    assert ledger.contradiction() is None
    played = play(review_requests.script(ledger, slips=True), 9)
    slips = [one.body for one in played if one.method == "POST"]
    assert all(isinstance(one, dict) and one["transaction_id"].startswith("mistyped-") for one in slips)
