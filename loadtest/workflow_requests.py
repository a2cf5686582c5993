"""Seeded instances of workflow: every tenant and workflow, started, and looked at while they run."""

import itertools
import random
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping

from loadtest.judgment_requests import REPEATED_SHARE, TENANTS, WORKFLOWS, Input
from loadtest.request import Request, Script

START = "/api/v1/workflows/{}/instances"
INSTANCES = "/api/v1/instances"
LOOKED_AT = 5  # starts back: by then the instance has come some way
INVALID_SHARE = 0.03
REMEMBERED = 6  # bodies of a workflow: recent ones, so that a repeat comes before judgment forgets


def _order(choose: random.Random) -> Input:
    return {**WORKFLOWS["credit-check"](choose), **WORKFLOWS["shipment-release"](choose)}


STARTS: Mapping[str, Callable[[random.Random], Input]] = {
    "order-to-cash": _order,
    "supplier-onboarding": WORKFLOWS["invoice-approval"],
    "defect-triage": WORKFLOWS["quality-inspection"],
}

_INVALID: tuple[tuple[str, object, int], ...] = (
    ("wish-granting", {"tenant_id": "acme"}, 404),
    ("order-to-cash", {"tenant_id": "umbrella"}, 404),
    ("order-to-cash", {"tenant_id": "acme", "input": {"score": "very good"}}, 422),
    ("defect-triage", {"tenant_id": "acme", "input": {"colour": "blue"}}, 422),
    ("defect-triage", ["not", "an", "object"], 422),
)


def drill_stream(seed: int) -> Iterator[Request]:
    """Starts without end, each workflow in its turn; same seed, same starts."""
    choose = random.Random(f"workflow-drill-{seed}")
    for workflow, body in _starts(choose, itertools.cycle(STARTS)):
        yield Request(START.format(workflow), body, name="workflow start", expected=frozenset({200, 202}))


def script(seed: int, user: int = 0) -> Script:
    """Requests without end for one user: starts, a look at an earlier instance, now and then a list."""
    choose = random.Random(f"workflow-{seed}-{user}")
    started: deque[str] = deque(maxlen=LOOKED_AT)
    for number, (workflow, body) in enumerate(_starts(choose, _rounds(choose)), start=1):
        if choose.random() < INVALID_SHARE:
            yield _invalid(choose)
        answer = yield Request(
            START.format(workflow), body, name="workflow start", expected=frozenset({200, 202})
        )
        if instance := answer.text("instance_id"):
            started.append(instance)
        if started and number % 2 == 0:
            yield Request(f"{INSTANCES}/{started[0]}", None, name="workflow instance", method="GET")
        if number % 10 == 0:
            path = f"{INSTANCES}?workflow_id={workflow}&limit=20"
            yield Request(path, None, name="workflow list", method="GET")


def _starts(choose: random.Random, workflows: Iterable[str]) -> Iterator[tuple[str, dict[str, object]]]:
    """A body for each of `workflows`, often one of the last: judgment answers from its cache then."""
    recent: dict[str, deque[dict[str, object]]] = {name: deque(maxlen=REMEMBERED) for name in STARTS}
    for workflow in workflows:
        if recent[workflow] and choose.random() < REPEATED_SHARE:
            yield workflow, choose.choice(recent[workflow])
            continue
        body: dict[str, object] = {
            "tenant_id": choose.choice(TENANTS),
            "input": STARTS[workflow](choose),
        }
        recent[workflow].append(body)
        yield workflow, body


def _rounds(choose: random.Random) -> Iterator[str]:
    """Each round meets every workflow once, in another order: none is long away."""
    while True:
        yield from choose.sample(tuple(STARTS), len(STARTS))


def _invalid(choose: random.Random) -> Request:
    workflow, body, status = choose.choice(_INVALID)
    return Request(START.format(workflow), body, name="workflow invalid", expected=frozenset({status}))
