"""Services, their figures and the sentence on top, from Prometheus's answers."""

from pathlib import Path

import pytest

from console.overview.systems import Service, of_answers, owners, summary
from firedrill.clients.prometheus import Answer, Series

ROOT = Path(__file__).resolve().parents[4]
FDS, SHOP, LOKI = ("shopfds", "fds"), ("shopfds", "ecommerce"), ("platform", "loki")


def answer(**values: float) -> Answer:
    """A vector; names are those of instances."""
    systems = {"fds": "shopfds", "ecommerce": "shopfds", "loki": "platform"}
    return Answer(
        "vector",
        tuple(
            Series({"system": systems[name], "instance": name}, ((1.0, value),))
            for name, value in values.items()
        ),
    )


def budgets(**values: float) -> Answer:
    """What is left, by objective."""
    return Answer(
        "vector",
        tuple(Series({"slo": slo.replace("_", "-")}, ((1.0, value),)) for slo, value in values.items()),
    )


def test_services_come_before_the_stack_with_their_worst_budget() -> None:
    """Errors are a share of the requests; a component counts none."""
    found = of_answers(
        answer(fds=1, ecommerce=0, loki=1),
        answer(fds=4.0, ecommerce=2.0),
        answer(ecommerce=0.5),
        answer(fds=0.03, ecommerce=float("nan")),
        budgets(api_latency=0.9, error_rate=-0.2, fds_latency=float("nan")),
        objectives=owners(ROOT / "services"),
    )
    assert [(one.system, one.name) for one in found] == [SHOP, FDS, LOKI]
    shop, fds, loki = found
    assert (shop.up, shop.rate, shop.errors, shop.slowest, shop.budget) == (False, 2.0, 0.25, None, -0.2)
    assert (fds.errors, fds.slowest, fds.budget) == (0.0, 0.03, None)
    assert loki.rate is None
    assert loki.errors is None


@pytest.mark.parametrize(
    ("down", "firing", "faults", "words", "mood"),
    [
        (False, 0, 0, "All quiet: all 1 targets answer, nothing fires, no fault is set", "good"),
        (False, 0, 1, "1 fault set", "warn"),
        (True, 2, 0, "2 alerts firing; fds not answering", "bad"),
    ],
)
def test_sentence(down: bool, firing: int, faults: int, words: str, mood: str) -> None:
    """What is wrong comes first; a fault alone is no alarm."""
    assert summary([Service("shopfds", "fds", not down)], firing, faults) == (words, mood)
