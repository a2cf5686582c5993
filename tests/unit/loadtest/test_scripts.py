"""Scripts of simulated users: the same for the same seed, led on by the answers, true to their shares."""

import itertools
from collections import Counter
from collections.abc import Callable

import pytest

from loadtest import kinds, review_requests, shop_requests, workflow_requests
from loadtest.request import Answer, Request, Script
from loadtest.review_requests import Ledger, guess
from services.admin.schemas import NewReview
from services.ecommerce.schemas import Purchase, Registration
from services.workflow.catalogue import TENANTS, WORKFLOWS
from services.workflow.documents import StartRequest
from services.workflow.domain import BadInputError
from services.workflow.inputs import normalise


def play(script: Script, count: int, answer: Callable[[Request], Answer]) -> list[Request]:
    """The first requests of a script whose requests are answered so."""
    request = next(script)
    played = []
    for _ in range(count):
        played.append(request)
        request = script.send(answer(request))
    return played


def workflow(request: Request) -> Answer:
    """Stands in for workflow: every valid start gets an id."""
    if "invalid" in request.name:
        return Answer(422)
    return Answer(202, {"instance_id": f"id-{request.path.count('o')}"})


def circumstances(user: int = 0, seed: int = 7, ledger: Ledger | None = None) -> kinds.Circumstances:
    """Of one user."""
    return kinds.Circumstances(seed, user, "r", lambda: 0.2, ledger or Ledger())


def test_same_seed_same_workflows() -> None:
    """A seed repeats a user's requests; another user and another seed make others."""
    one, again, other, third = (
        play(workflow_requests.script(seed, user), 50, workflow)
        for seed, user in ((7, 0), (7, 0), (7, 1), (8, 0))
    )
    assert one == again
    assert one != other
    assert one != third


def test_workflow_starts_are_what_workflow_takes() -> None:
    """Every start that is meant to be valid is, and every other one is refused as it says."""
    started = set()
    for request in play(workflow_requests.script(7), 600, workflow):
        if request.method == "GET":
            assert request.path.startswith(workflow_requests.INSTANCES)
            continue
        name = request.path.split("/")[4]
        if request.name == "workflow start":
            asked = StartRequest.model_validate(request.body)
            assert asked.tenant_id in TENANTS
            assert normalise(asked.input, WORKFLOWS[name])
            started.add(name)
        elif 422 in request.expected:
            with pytest.raises((BadInputError, ValueError)):
                normalise(StartRequest.model_validate(request.body).input, WORKFLOWS[name])
    assert started == set(WORKFLOWS)


def test_reviewer_says_what_the_payers_noted() -> None:
    """A case from the ledger gets its truth, whatever it looks like; a page is worked off in part."""
    ledger = Ledger()
    ledger.note("t-1", "fraud")
    cases = [{"transaction_id": f"t-{number}", "facts": {}} for number in range(1, 9)]
    played = play(review_requests.script(ledger), 6, lambda request: Answer(200, {"cases": cases}))
    verdicts = [NewReview.model_validate(one.body) for one in played if one.method == "POST"]
    assert [(one.transaction_id, one.verdict) for one in verdicts] == [
        ("t-1", "fraud"),
        *((f"t-{number}", "legitimate") for number in range(2, 6)),
    ]
    assert len({one.headers["X-Reviewer"] for one in played}) == 1


@pytest.mark.parametrize("body", [None, [], {"cases": None}, {"cases": [1, "x"]}, {"cases": []}])
def test_reviewer_without_cases_looks_at_the_figures(body: object) -> None:
    """An empty queue, or an answer that makes no sense, does not stop a reviewer."""
    played = play(review_requests.script(Ledger()), 4, lambda request: Answer(200, body))
    assert [one.name for one in played] == ["admin queue", "admin stats"] * 2


def test_reviewers_share_the_work() -> None:
    """Two reviewers of one run do not take the same case; one that could not be reviewed is taken again."""
    ledger = Ledger()
    page = Answer(200, {"cases": [{"transaction_id": f"t-{number}"} for number in range(7)]})
    first = play(review_requests.script(ledger, 0), 6, lambda _: page)
    second = play(review_requests.script(ledger, 1), 3, lambda _: page)
    taken = [dict(one.body)["transaction_id"] for one in first + second if isinstance(one.body, dict)]
    assert taken == [f"t-{number}" for number in range(7)]
    down = Ledger()
    again = play(review_requests.script(down), 4, lambda one: page if one.method == "GET" else Answer(503))
    assert len([one for one in again if one.method == "POST"]) == 3
    assert down.claim("t-0")


def test_another_reviewer_may_be_faster() -> None:
    """409 is an intended refusal; 500 is none."""
    played = play(
        review_requests.script(Ledger()), 2, lambda _: Answer(200, {"cases": [{"transaction_id": "t"}]})
    )
    assert played[1].outcome(Answer(409)) == "declined"
    assert played[1].outcome(Answer(201)) == "ok"
    assert played[1].outcome(Answer(500)) == "failed"


def test_ledger_forgets_the_oldest() -> None:
    """It does not grow without end."""
    ledger = Ledger(remembered=2)
    for number in range(3):
        ledger.note(f"t-{number}", "fraud")
    assert [ledger.truth(f"t-{number}") for number in range(3)] == [None, "fraud", "fraud"]


def test_payers_note_the_truth_and_label() -> None:
    """The ledger knows every payment before it is sent; the label that is given is the truth."""
    ledger = Ledger()
    labelled = 0
    for request in play(kinds.paying(circumstances(ledger=ledger)), 2000, lambda _: Answer(200)):
        if request.name == "fds feedback" and isinstance(request.body, dict):
            assert ledger.truth(str(request.body["transaction_id"])) == request.body["label"]
            labelled += 1
    assert labelled > 500


def test_refused_payments_are_not_labelled() -> None:
    """Without an evaluation there is nothing to label."""
    played = play(kinds.paying(circumstances()), 300, lambda _: Answer(503))
    assert not [one for one in played if one.name == "fds feedback"]


def test_fraud_share_is_asked_anew() -> None:
    """A wave of fraud begins while users are at work."""
    wave = [0.0]
    ledger = Ledger()
    now = kinds.Circumstances(7, 0, "r", lambda: wave[0], ledger)

    def share() -> float:
        played = itertools.islice(payments, 600)
        truths = [
            ledger.truth(str(one.body["transaction_id"])) for one in played if isinstance(one.body, dict)
        ]
        return truths.count("fraud") / len(truths)

    script = kinds.paying(now)
    payments = (one for one in _answered(script) if one.name == "fds evaluate")
    assert share() == 0
    wave[0] = 0.6
    assert share() > 0.5


def _answered(script: Script) -> "itertools.chain[Request]":
    def requests() -> "itertools.chain[Request]":
        request = next(script)
        while True:
            yield request
            request = script.send(Answer(503))

    return itertools.chain(requests())


@pytest.mark.parametrize(
    ("facts", "verdict"),
    [
        ({}, "legitimate"),
        ({"country": "KR", "billing_country": "KR", "amount": 900_000.0}, "legitimate"),
        ({"country": "KR", "billing_country": "KR", "amount": 2_500_000.0}, "fraud"),
        (
            {"country": "KR", "billing_country": "KR", "amount": 2_500_000.0, "account_age_days": 90},
            "legitimate",
        ),
        ({"country": "US", "billing_country": "KR"}, "fraud"),
        ({"country": "T1", "billing_country": "KR"}, "fraud"),
        ({"country": "US", "billing_country": "KR", "account_age_days": 2}, "fraud"),
        ({"country": "US", "billing_country": "KR", "account_age_days": 900}, "legitimate"),
        ({"shipping_country": "CN", "billing_country": "KR", "account_age_days": 9}, "fraud"),
    ],
)
def test_a_stranger_s_payment_is_guessed(facts: dict[str, object], verdict: str) -> None:
    """A reviewer judges by countries and by the age of the account, which a guest does not have."""
    assert guess(facts) == verdict
    assert guess(facts, ["account_new"]) == verdict
    assert guess(facts, ["account_new", "cti_device"]) == "fraud"


def test_who_has_just_registered_spends_no_fortune() -> None:
    """Of a dear cart the dearest is put back until it is usual; a demo user buys it."""

    class Dear(Shop):
        def __call__(self, request: Request) -> Answer:
            if request.name == "shop cart":
                amounts = {"p-001": 650_000, "p-002": 40_000, "p-003": 800_000}
                lines = [{"product_id": one, "amount": amount} for one, amount in amounts.items()]
                return Answer(200, {"items": lines, "amount": sum(amounts.values())})
            return super().__call__(request)

    def put_back(user: int) -> set[str]:
        """Between looking at the cart and the till, not when it is tidied up."""
        played, _ = visits(Dear(), user=user, fraud=0.0)
        after = (two for one, two in itertools.pairwise(played) if one.name == "shop cart")
        return {one.path.rpartition("/")[2] for one in after if one.body == {"quantity": 0}}

    assert "p-003" in put_back(99)
    assert "p-001" not in put_back(99)
    assert "p-003" not in put_back(0)


def test_parts_of_the_rate_make_one() -> None:
    """Who has no service is left out, the others take its part; a search loads the shop alone."""
    for services in (["fds"], ["fds", "judgment"], ["admin", "fds", "judgment", "workflow"]):
        parts = kinds.taking_part(kinds.KINDS, services, shop_only=False)
        assert sum(parts.values()) == pytest.approx(1)
        assert {kind.service for kind in parts} == set(services)
    shop = kinds.taking_part(kinds.KINDS, ["fds", "judgment"], shop_only=True)
    assert [kind.service for kind in shop] == ["fds"]
    assert kinds.taking_part(kinds.KINDS, ["inbox"], shop_only=False) == {}


class Shop:
    """Stands in for ecommerce: products, tokens, carts, and payments that end as they are told."""

    def __init__(self, code: int = 201, **answer: object) -> None:
        self.code = code
        self.answer = {"order_id": "o-1", "amount": 50_000, "items": 2, "status": "completed", **answer}
        self.cart: set[str] = set()

    def __call__(self, request: Request) -> Answer:
        """The answer to a request."""
        if request.name in {"shop browse", "shop search"}:
            first = 1 + sum(map(ord, request.path)) % 50
            products = [
                {"product_id": f"p-{first + number:03d}", "price": 1_000 * 3**number} for number in range(8)
            ]
            return Answer(200, {"products": products})
        if request.name in {"shop login", "shop register"}:
            return Answer(min(request.expected), {"token": "secret"})
        if request.name == "shop cart":
            return Answer(200, {"items": [{"product_id": one} for one in sorted(self.cart)]})
        if request.name == "shop checkout":
            Purchase.model_validate(request.body)
            return Answer(self.code, self.answer)
        return Answer(min(request.expected), {})


def visits(
    answer: Callable[[Request], Answer],
    *,
    count: int = 3000,
    user: int = 0,
    fraud: float = 0.2,
    seed: int = 7,
) -> tuple[list[Request], Ledger]:
    """The requests of one shopper, and what the ledger knows afterwards."""
    ledger = Ledger()
    now = kinds.Circumstances(seed, user, "r", lambda: fraud, ledger)
    return play(kinds.shopping(now), count, answer), ledger


def test_same_seed_same_visits() -> None:
    """A seed repeats a shopper; another user and another seed make other visits."""
    one, again, other, third = (
        visits(Shop(), count=200, user=user, seed=seed)[0] for user, seed in ((0, 7), (0, 7), (1, 7), (0, 8))
    )
    assert one == again
    assert one != other
    assert one != third


def test_visits_are_mostly_looking() -> None:
    """For each payment many pages: some one in ten requests is a check-out."""
    played, _ = visits(Shop())
    share = Counter(one.name for one in played)
    assert 0.07 < share["shop checkout"] / len(played) < 0.2
    assert share["shop browse"] + share["shop product"] + share["shop search"] > len(played) / 2
    assert {"shop login", "shop cart put", "shop cart", "shop order status", "shop orders"} <= set(share)
    assert share["shop login"] < 40, "a token is kept"


def test_every_payment_has_a_key_of_its_own() -> None:
    """A key comes twice only with the very same purchase."""
    keys: dict[str, object] = {}
    repeated = 0
    for one in visits(Shop())[0]:
        if one.name == "shop checkout":
            key = one.headers["Idempotency-Key"]
            repeated += key in keys
            assert keys.setdefault(key, one.body) == one.body
    assert repeated > 3


def test_fraud_is_known_by_construction() -> None:
    """Who steals sends no token, and the ledger knows each payment again by what a reviewer sees."""
    played, ledger = visits(Shop(), fraud=1.0)
    bodies = [one.body for one in played if one.name == "shop checkout" and isinstance(one.body, dict)]
    assert bodies
    for body in bodies:
        assert ledger.truth("?", {**body, "amount": 50_000.0, "items_count": 2}) == "fraud"
    assert not any("Authorization" in one.headers for one in played if one.name == "shop checkout")
    honest, known = visits(Shop(), fraud=0.0)
    bodies = [one.body for one in honest if one.name == "shop checkout" and isinstance(one.body, dict)]
    assert {known.truth("?", {**one, "amount": 50_000, "items_count": 2}) for one in bodies} == {"legitimate"}


def test_declined_payments_are_intended() -> None:
    """402 with the shop's own code is no failure; another 402, and 503, are."""
    checkout = next(one for one in visits(Shop())[0] if one.name == "shop checkout")
    assert checkout.outcome(Answer(402, {"error": {"code": "payment_declined"}})) == "declined"
    assert checkout.outcome(Answer(402)) == checkout.outcome(Answer(503)) == "failed"
    assert checkout.outcome(Answer(202)) == "ok"


def test_only_the_customer_confirms() -> None:
    """Asked for the code, a customer sends it, sometimes mistyped first; a thief guesses or gives up."""
    pending = {
        "status": "pending",
        "reason": "authentication",
        "confirm": {"path": "/api/v1/payments/x/confirm", "demo_code": "999999"},
    }
    honest = [one for one in visits(Shop(202, **pending), fraud=0.0)[0] if "confirm" in one.name]
    assert {str(one.body) for one in honest} == {"{'code': '999999'}", "{'code': '000000'}"}
    thieves = [one for one in visits(Shop(202, **pending), fraud=1.0)[0] if "confirm" in one.name]
    assert {str(one.body) for one in thieves} == {"{'code': '000000'}"}


def test_late_users_register_once() -> None:
    """Beyond the demo users each shopper has an account of its own, registered when first needed."""
    played, _ = visits(Shop(), user=len(shop_requests.LOAD_ACCOUNTS), count=2000)
    emails = [one.body["email"] for one in played if one.name == "shop register"]
    assert len(set(emails)) == len(emails)
    registered = [
        one for one in played if one.name == "shop register" and one.body["email"].startswith("new-")
    ]
    assert len(registered) == 1
    Registration.model_validate(registered[0].body)
    assert not set(shop_requests.LOAD_ACCOUNTS) & set(shop_requests.BACKGROUND_ACCOUNTS)


@pytest.mark.parametrize("status", [0, 401, 500, 503])
def test_a_shop_that_is_down_is_asked_again(status: int) -> None:
    """Without products and tokens a shopper goes on looking, and breaks nothing."""
    played, _ = visits(lambda request: Answer(status), count=300)
    assert "shop checkout" not in {one.name for one in played}
    assert sum(one.name == "shop browse" for one in played) > 50


def test_a_full_cart_is_tidied() -> None:
    """Abandoned carts do not grow for ever."""
    shop = Shop()
    shop.cart = {f"p-{number:03d}" for number in range(1, 9)}
    played, _ = visits(shop, count=600)
    emptied = [one.path for one in played if one.name == "shop cart put" and one.body == {"quantity": 0}]
    assert {path.rpartition("/")[2] for path in emptied} >= shop.cart
