"""What a drill can send, by name: the service before the first dash, and which of its requests."""

import itertools
import random
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace

from loadtest import fds_requests, judgment_requests, purchases, shop_requests, workflow_requests
from loadtest.request import Request

LABELLED_FRAUD = 0.5  # so that many are stopped: each of them moves the precision
LABEL_AFTER = 20  # requests later: by then the payment has been evaluated

Stream = Callable[[int], Iterator[Request]]


def service_of(stream: str) -> str:
    """The service that a stream goes to."""
    return stream.partition("-")[0]


def asking_models(seed: int) -> Iterator[Request]:
    """Judgments by a language model past the cache: one call for each, and no miss."""
    for request in judgment_requests.fresh_stream(seed, policy="llm"):
        assert isinstance(request.body, dict)
        yield replace(request, body={**request.body, "use_cache": False})


def labelled_payments(seed: int) -> Iterator[Request]:
    """Payments, half of them fraud, and after each some earlier one's label."""
    waiting: deque[Request] = deque()
    for case in fds_requests.cases(seed, fraud_share=LABELLED_FRAUD):
        yield case.request
        if feedback := case.feedback():
            waiting.append(feedback)
        if len(waiting) > LABEL_AFTER:
            yield waiting.popleft()


def browsing(seed: int) -> Iterator[Request]:
    """Reads of the catalogue: no check-out, so that fds sees nothing of it."""
    choose = random.Random(f"browse-{seed}")
    while True:
        category = choose.choice(shop_requests.CATEGORIES)
        path = choose.choice((f"/products?category={category}", f"/products/p-{choose.randrange(1, 30):03d}"))
        yield Request(shop_requests.API + path, None, name="shop browse", method="GET")


def checkouts(seed: int) -> Iterator[Request]:
    """Guests who pay at once: each check-out asks fds and the database."""
    choose = random.Random(f"checkout-{seed}")
    # What guests choose by; the shop knows its own prices.
    prices = {f"p-{number:03d}": number for number in range(1, 30)}
    for number in itertools.count():
        buying = purchases.guest(choose, prices)
        headers = {"Idempotency-Key": f"drill-{seed}-{number}", "X-Forwarded-For": buying.address}
        path, paid = shop_requests.API + "/checkout", frozenset({201, 202})
        yield Request(
            path, buying.body, "shop checkout", paid, headers=headers, declines=shop_requests.declined
        )


STREAMS: Mapping[str, Stream] = {
    "judgment": judgment_requests.drill_stream,
    "judgment-llm": asking_models,
    "fds": fds_requests.drill_stream,
    "fds-labelled": labelled_payments,
    "workflow": workflow_requests.drill_stream,
    "ecommerce": browsing,
    "ecommerce-checkout": checkouts,
}
