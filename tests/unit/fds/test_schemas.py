"""What callers may send, and what they get told when they may not."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from services.fds.schemas import Feedback, Payment
from tests.unit.fds.fakes import NOON

LEAST: dict[str, Any] = {"transaction_id": "t-1", "user_id": "u", "amount": 1000}


def parsed(**values: Any) -> Payment:
    """A payment from JSON, as the route reads it."""
    return Payment.model_validate_json(json.dumps({**LEAST, **values}))


def test_three_values_are_enough() -> None:
    """The rest has defaults that speak for nobody and against nobody."""
    transaction = parsed().transaction(NOON)
    assert (transaction.amount, transaction.occurred_at, transaction.country) == (1000.0, NOON, None)


def test_everything_arrives_in_the_domain() -> None:
    """Names, types and time zones."""
    transaction = parsed(
        ip_address="2001:DB8::1", country="KR", device_id="d", card_id="c", email_domain="Mail.Example",
        shipping_country="US", billing_country="KR", items_count=3, account_age_days=9,
        payment_method="wallet", currency="KRW", timestamp="2026-11-21T12:00:00+09:00",
    ).transaction(NOON.replace(year=2020))  # fmt: skip
    assert transaction.ip == "2001:db8::1"
    assert transaction.email_domain == "mail.example"
    assert transaction.occurred_at == NOON
    assert (transaction.items_count, transaction.account_age_days, transaction.card_id) == (3, 9, "c")


@pytest.mark.parametrize(
    "values",
    [
        {"amount": 0}, {"amount": -5}, {"amount": "100"}, {"amount": True}, {"amount": None},
        {"amount": 1e11}, {"amount": float("nan")}, {"amount": float("inf")}, {"amount": 10**400},
        {"amount": [1]},
        {"transaction_id": ""}, {"transaction_id": "a b"}, {"transaction_id": "a\x00"}, {"transaction_id": 7},
        {"transaction_id": "x" * 65}, {"transaction_id": "a\n"}, {"user_id": "\x00"}, {"user_id": "u" * 129},
        {"user_id": ""}, {"ip": "999.1.1.1"}, {"ip": "localhost"}, {"ip": "1.2.3.4\n"}, {"ip": 5},
        {"country": "Korea"}, {"country": "kr"}, {"country": "K\x00"}, {"currency": "USD"},
        {"payment_method": "Card!"}, {"items_count": 0}, {"items_count": 10**9}, {"items_count": 1.5},
        {"account_age_days": -1}, {"timestamp": "yesterday"}, {"timestamp": "9999-12-31T23:59:59Z"},
        {"timestamp": "0001-01-01T00:00:00+14:00"}, {"timestamp": "2026-01-01T00:00:00"},
        {"timestamp": 1e300}, {"device_id": "\x7f"}, {"email_domain": "x" * 300},
    ],
)  # fmt: skip
def test_nonsense_is_refused(values: dict[str, Any]) -> None:
    """With a ValidationError, which the route turns into 422; nothing else may come out."""
    with pytest.raises(ValidationError):
        parsed(**values)


@pytest.mark.parametrize(
    "body",
    [b"", b"null", b"[]", b'"x"', b"{", b"\xff\xfe", b'{"transaction_id": "\\ud800"}', b"[" * 5000,
     b"1" * 5000,
     b'{"transaction_id":"t","user_id":"\\udfff","amount":1}'],
)  # fmt: skip
def test_bodies_that_are_no_payment_are_refused(body: bytes) -> None:
    """Broken JSON, lone surrogates, nesting without end."""
    with pytest.raises(ValidationError):
        Payment.model_validate_json(body)


@given(st.binary(max_size=200) | st.recursive(
    st.none() | st.booleans() | st.floats() | st.text(), lambda inner: st.dictionaries(
        st.sampled_from(sorted(Payment.model_fields)), inner, max_size=6), max_leaves=8,
).map(lambda value: json.dumps(value).encode()))  # fmt: skip
def test_whatever_is_sent_is_read_or_refused(body: bytes) -> None:
    """No other exception, and what is read can be kept as JSON."""
    try:
        payment = Payment.model_validate_json(body)
    except ValidationError:
        return
    json.dumps(payment.model_dump(mode="json"), allow_nan=False).encode()


def test_the_same_payment_has_the_same_fingerprint_however_written() -> None:
    """Order and spaces do not matter, values do, and a moved clock makes another payment."""
    other = Payment.model_validate_json('{ "amount": 1000.0, "user_id":"u", "transaction_id": "t-1" }')
    assert other.fingerprint() == parsed().fingerprint()
    assert parsed(amount=1001).fingerprint() != parsed().fingerprint()


def test_feedback_takes_two_labels() -> None:
    """And nothing else."""
    assert Feedback.model_validate_json('{"transaction_id":"t","label":"fraud"}').label == "fraud"
    with pytest.raises(ValidationError):
        Feedback.model_validate_json('{"transaction_id":"t","label":"maybe"}')
