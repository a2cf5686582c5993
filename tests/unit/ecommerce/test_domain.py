"""The pure rules: prices add up, verdicts become outcomes, orders go one way."""

import json

from hypothesis import given
from hypothesis import strategies as st

from services.ecommerce import seed
from services.ecommerce.domain import (
    DECISIONS,
    MOST_KRW,
    MOST_LINES,
    MOST_OF_ONE,
    NEXT_STATUS,
    ORDER_STATUSES,
    RISK_LEVELS,
    Line,
    Verdict,
    decide,
    fingerprint,
    first_order_status,
    merged,
    pieces,
    reviewed,
    total,
)

LINES = st.lists(
    st.builds(Line, st.text(), st.text(), st.integers(1, 99), st.integers(1, 2_000_000)), max_size=50
)
VERDICTS = st.builds(Verdict, st.sampled_from(DECISIONS), st.sampled_from(RISK_LEVELS), st.floats(0, 100))
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


@given(LINES)
def test_amounts_and_pieces_add_up(lines: list[Line]) -> None:
    """A cart costs what its lines cost, and no cart is above what fds evaluates."""
    assert total(lines) == sum(line.quantity * line.unit_price for line in lines)
    assert pieces(lines) == sum(line.quantity for line in lines)
    assert total(lines) <= MOST_LINES * MOST_OF_ONE * 2_000_000 <= MOST_KRW


@given(VERDICTS, st.integers(1, MOST_KRW), st.integers(0, MOST_KRW))
def test_a_verdict_decides_alone(verdict: Verdict, amount: int, small: int) -> None:
    """Approve completes, block fails, the others wait, whatever the amount."""
    outcome = decide(verdict, amount=amount, small_amount=small)
    wanted = {"approve": "completed", "auth": "pending", "hold": "pending", "block": "failed"}
    assert outcome.status == wanted[verdict.decision]
    assert (first_order_status(outcome) == "cancelled") == (verdict.decision == "block")


@given(st.integers(1, MOST_KRW), st.integers(0, MOST_KRW))
def test_without_a_verdict_the_amount_decides(amount: int, small: int) -> None:
    """Small ones are taken, large ones wait, none is declined."""
    outcome = decide(None, amount=amount, small_amount=small)
    assert outcome.status == ("completed" if amount <= small else "pending")
    assert outcome.reason in ("small_amount", "fds_unavailable")


def test_a_reviewer_completes_or_ends_a_payment() -> None:
    """Nothing stays pending after a review."""
    assert reviewed("legitimate").status == "completed"
    assert reviewed("fraud").status == "failed"


def test_every_order_ends() -> None:
    """Along the steps each status is met once; delivered and cancelled have no next."""
    for status in ORDER_STATUSES:
        seen = [status]
        while seen[-1] in NEXT_STATUS:
            seen.append(NEXT_STATUS[seen[-1]])
        assert len(seen) == len(set(seen))
        assert seen[-1] in ("delivered", "cancelled")


@given(st.dictionaries(st.text(), JSON, max_size=6))
def test_a_fingerprint_does_not_depend_on_the_order_of_keys(value: dict[str, object]) -> None:
    """Nor on how often it is taken."""
    backwards = dict(reversed(list(value.items())))
    assert fingerprint(value) == fingerprint(backwards) == fingerprint(json.loads(json.dumps(value)))


@given(JSON, JSON)
def test_different_values_have_different_fingerprints(one: object, other: object) -> None:
    """As far as JSON tells them apart."""
    same = json.dumps(one, sort_keys=True) == json.dumps(other, sort_keys=True)
    assert (fingerprint(one) == fingerprint(other)) == same


@given(st.lists(st.tuples(st.sampled_from("abc"), st.integers(1, 9))))
def test_the_same_product_twice_is_one_line(wanted: list[tuple[str, int]]) -> None:
    """With all of its pieces."""
    assert sum(merged(wanted).values()) == sum(quantity for _, quantity in wanted)
    assert set(merged(wanted)) == {product for product, _ in wanted}


def test_the_seed_decides_what_a_shop_begins_with() -> None:
    """Sixty products with ids of their own, fifty users with addresses of nobody."""
    assert seed.products(7) == seed.products(7) != seed.products(8)
    assert seed.users(7) == seed.users(7) != seed.users(8)
    products, users = seed.products(7), seed.users(7)
    assert (len({one.id for one in products}), len({one.name for one in products})) == (60, 60)
    assert len({row["email"] for row in users}) == 50
    assert all(str(row["email"]).endswith("@shop.example") for row in users)
    assert all(0 < one.price <= 2_000_000 for one in products)
