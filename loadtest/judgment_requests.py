"""Seeded requests to judgment: every tenant, workflow and policy, most of them asked before."""

import itertools
import random
from collections import deque
from collections.abc import Callable, Iterator, Mapping

from loadtest.request import Answer, Request

PATH = "/api/v1/judgment/execute"
TENANTS = ("acme", "globex", "initech")  # not "probe": `firedrill verify` alone writes its series
POLICIES = ("rule", "llm", "hybrid")
REPEATED_SHARE = 0.7  # the cache hit rate that follows is well above the 30% that an alert watches
INVALID_SHARE = 0.03
REMEMBERED = 20  # questions: recent ones, so that a repeat comes before the cache forgets

Input = dict[str, float | str | bool]


def model_failed(answer: Answer) -> bool:
    """Whether the simulated language model failed, as it does now and then; a dead database is no excuse."""
    return answer.status == 503 and "language model" in answer.text("error", "message")


def background_stream(seed: int, user: int = 0) -> Iterator[Request]:
    """Requests without end for one simulated user, a few of them invalid; same arguments, same requests."""
    choose = random.Random(f"judgment-invalid-{seed}-{user}")
    for request in drill_stream(seed, user):
        if choose.random() < INVALID_SHARE:
            yield _invalid(choose)
        yield request


def drill_stream(seed: int, user: int = 0) -> Iterator[Request]:
    """Valid requests without end; same arguments, same requests.

    Repeats are spread evenly: drawn by chance, a quiet minute's hit rate strays below the alert's limit.
    """
    choose = random.Random(f"judgment-{seed}-{user}")
    asked: deque[Request] = deque(maxlen=REMEMBERED)
    fresh = _fresh(choose)
    owed = choose.random()
    while True:
        owed = min(owed + REPEATED_SHARE, 2.0)
        if asked and owed >= 1:
            owed -= 1
            yield choose.choice(asked)
        else:
            request = next(fresh)
            asked.append(request)
            yield request


def fresh_stream(seed: int, *, policy: str) -> Iterator[Request]:
    """Valid requests of one policy without end, none of them asked before."""
    return _fresh(random.Random(f"judgment-{policy}-{seed}"), policies=(policy,))


def _fresh(choose: random.Random, *, policies: tuple[str, ...] = POLICIES) -> Iterator[Request]:
    """New questions; each round meets every tenant, workflow and policy once, in another order."""
    combinations = list(itertools.product(TENANTS, WORKFLOWS, policies))
    while True:
        choose.shuffle(combinations)
        for tenant, workflow, policy in combinations:
            body = {
                "tenant_id": tenant,
                "workflow_id": workflow,
                "policy": policy,
                "input": WORKFLOWS[workflow](choose),
            }
            yield Request(PATH, body, name=f"judgment {policy}", declines=model_failed)


def _invoice(choose: random.Random) -> Input:
    return {
        "amount": round(choose.lognormvariate(7.8, 1.2), 2),
        "supplier_risk": round(choose.betavariate(1.5, 4), 3),
        "has_purchase_order": choose.random() < 0.8,
        "category": choose.choice(("materials", "services", "travel", "other")),
    }


def _quality(choose: random.Random) -> Input:
    return {
        "defect_rate": round(min(1.0, choose.expovariate(60)), 4),
        "temperature": round(choose.gauss(74, 9), 1),
        "vibration": round(abs(choose.gauss(2.8, 1.4)), 2),
        "line": f"line-{choose.randrange(1, 5)}",
    }


def _credit(choose: random.Random) -> Input:
    return {
        "score": float(round(min(850, max(300, choose.gauss(670, 90))))),
        "debt_ratio": round(choose.betavariate(2, 5), 3),
        "requested": float(round(choose.lognormvariate(9.5, 0.8))),
        "employment": choose.choice(("permanent", "permanent", "temporary", "self-employed", "none")),
    }


def _shipment(choose: random.Random) -> Input:
    return {
        "value": round(choose.lognormvariate(8.5, 1.1), 2),
        "weight": round(choose.lognormvariate(5, 1.2), 1),
        "destination": choose.choice(("DE", "FR", "NL", "PL", "US", "KR", "BR")),
        "papers_complete": choose.random() < 0.9,
    }


WORKFLOWS: Mapping[str, Callable[[random.Random], Input]] = {
    "invoice-approval": _invoice,
    "quality-inspection": _quality,
    "credit-check": _credit,
    "shipment-release": _shipment,
}

_VALID = {"tenant_id": "acme", "workflow_id": "credit-check", "policy": "rule", "input": {"score": 700.0}}
_INVALID: tuple[tuple[object, int], ...] = (
    ({**_VALID, "tenant_id": "umbrella"}, 404),
    ({**_VALID, "workflow_id": "wish-granting"}, 404),
    ({**_VALID, "policy": "guess"}, 422),
    ({**_VALID, "input": {"score": "very good"}}, 422),
    ({"tenant_id": "acme"}, 422),
    (["not", "an", "object"], 422),
)


def _invalid(choose: random.Random) -> Request:
    body, status = choose.choice(_INVALID)
    return Request(PATH, body, name="judgment invalid", expected=frozenset({status}))
