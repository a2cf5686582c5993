"""Seeded requests to fds: mostly legitimate payments, some fraud patterns, labelled afterwards."""

import random
from collections.abc import Iterator

from loadtest.requests import Request


def drill_stream(seed: int) -> Iterator[Request]:
    """Valid requests without end, the same for the same seed."""
    choose = random.Random(f"fds-drill-{seed}")
    number = 0
    while True:
        number += 1
        body = {
            "transaction_id": f"drill-{seed}-{number}",
            "user_id": f"user-{choose.randrange(500)}",
            "amount": round(choose.uniform(1000, 90000)),
        }
        yield Request("/api/v1/fds/evaluate", body)
