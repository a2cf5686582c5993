"""What the kill tests hold against a death: every failing request of those that were not killed."""

import pytest

from tests.integration.resilience.killing import Death
from tests.integration.resilience.load import Answer
from tests.integration.resilience.search import Found, Row, faults_of


def found(component: str, *statuses: int) -> Found:
    """A death with answers of ecommerce; everything else is there."""
    answers = [Answer("ecommerce", f"r{number}", 10.0, 0.1, status) for number, status in enumerate(statuses)]
    death = Death(component, 10.0, 12.0, 8.0, 14.0, answers)
    row = Row(component, len(answers), 0, 0, (0, 0), (0, 0), (0, 0), 0, 0.1, 2.0, 0.0)
    return Found(death, [], [], [], [], [], row)


@pytest.mark.parametrize(
    ("component", "statuses", "faults"),
    [
        ("collector", (200, 200, 200), 0),
        ("collector", (200, 503, 200), 1),
        ("collector", (503, 200, 503), 2),
        ("collector", (200, 500, 200), 1),
        ("collector", (200, 0, 503), 2),
        ("postgres", (503, 503, 503), 0),
        ("postgres", (503, 500, 503), 1),
        ("ecommerce", (500, 0, 503), 0),
    ],
)
def test_requests_that_fail(component: str, statuses: tuple[int, ...], faults: int) -> None:
    """Of those that were not killed: none may fail; a 503 is allowed where a store was killed."""
    assert len(list(faults_of(found(component, *statuses), {}))) == faults
