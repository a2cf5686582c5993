"""The rule engine's conditions."""

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.fds.domain import Velocity
from services.fds.rules import FACTORS, RULES, VELOCITY_RULES, assess
from tests.unit.fds.fakes import CALM, a_transaction

NIGHT = datetime(2026, 11, 20, 17, 30, tzinfo=UTC)  # half past two in Korea


def test_an_ordinary_payment_triggers_nothing() -> None:
    """No points without a reason."""
    assessment = assess(a_transaction(), CALM)
    assert (assessment.score, assessment.factors, assessment.degraded) == (0.0, (), ())


@pytest.mark.parametrize(
    ("values", "factor"),
    [
        ({"amount": 1_000_000.0}, "amount_high"),
        ({"amount": 5_000_000.0}, "amount_very_high"),
        ({"account_age_days": 6}, "account_new"),
        ({"account_age_days": 0, "amount": 500_000.0}, "account_new_amount_high"),
        ({"country": "US"}, "country_mismatch"),
        ({"shipping_country": "US"}, "shipping_mismatch"),
        ({"country": "T1"}, "country_anonymous"),
        ({"occurred_at": NIGHT, "amount": 300_000.0}, "night_amount_high"),
        ({"items_count": 20}, "items_many"),
        ({"device_id": None}, "device_unknown"),
    ],
)
def test_each_rule_has_a_payment_that_triggers_it(values: dict[str, Any], factor: str) -> None:
    """Every factor can be reached, at the edge of its condition."""
    assert factor in assess(a_transaction(**values), CALM).factors


@pytest.mark.parametrize(
    ("velocity", "factor"),
    [
        (Velocity(6, 1, 1, 0), "velocity_user"),
        (Velocity(1, 4, 1, 0), "velocity_card"),
        (Velocity(1, 1, 60, 0), "velocity_ip"),
        (Velocity(1, 1, 1, 20_000_000), "spend_user"),
    ],
)
def test_each_velocity_rule_has_its_limit(velocity: Velocity, factor: str) -> None:
    """One counter each."""
    assert assess(a_transaction(), velocity).factors == (factor,)


def test_unknown_velocity_is_no_reason_to_fail() -> None:
    """Without Redis the other rules go on, and the answer says so."""
    assessment = assess(a_transaction(country="US"), None)
    assert assessment.factors == ("country_mismatch",)
    assert assessment.degraded == ("velocity",)


@pytest.mark.parametrize(
    "missing", ["country", "billing_country", "shipping_country", "account_age_days", "ip"]
)
def test_what_is_unknown_is_not_held_against_the_payer(missing: str) -> None:
    """A caller that does not know a country makes no mismatch."""
    assert assess(a_transaction(**{missing: None}), CALM).score == 0.0


@given(
    st.floats(1, 1e10),
    st.floats(1, 1e10),
    st.sampled_from([None, 0, 3, 7, 400]),
    st.sampled_from(["KR", "US", "T1"]),
)
def test_a_larger_amount_never_lowers_the_score(
    one: float, other: float, age: int | None, country: str
) -> None:
    """Monotone in the amount, and never outside 0 to 100."""
    small, large = sorted((one, other))
    scores = [
        assess(a_transaction(amount=amount, account_age_days=age, country=country), CALM).score
        for amount in (small, large)
    ]
    assert 0 <= scores[0] <= scores[1] <= 100


def test_everything_at_once_is_100_and_no_more() -> None:
    """The sum is capped."""
    worst = a_transaction(
        amount=9e6, account_age_days=0, country="T1", shipping_country="US", occurred_at=NIGHT,
        items_count=99, device_id=None,
    )  # fmt: skip
    assert assess(worst, Velocity(99, 99, 99, 1e9)).score == 100.0
    assert set(assess(worst, Velocity(99, 99, 99, 1e9)).factors) == set(FACTORS)


def test_factors_are_unique() -> None:
    """A factor is a label value: two rules must not share one."""
    assert len(set(FACTORS)) == len(RULES) + len(VELOCITY_RULES)
