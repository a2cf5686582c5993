"""Seeded payments for fds: mostly legitimate, with known fraud patterns, and what each turned out to be."""

import random
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Literal

from loadtest.request import Request

EVALUATE = "/api/v1/fds/evaluate"
FEEDBACK = "/api/v1/fds/feedback"
FRAUD_SHARE = 0.17  # with the bursts a fifth: precision and recall have their 50 cases within minutes
UNUSUAL_SHARE = 0.08  # of the legitimate ones: they are asked to confirm; precision stays above 0.9
INVALID_SHARE = 0.03
RETRIED_SHARE = 0.02
LABELLED_SHARE = 0.85
BURST = 6  # payments with one card: above the service's limits for a card and a user within a minute
KOREA_AHEAD = timedelta(hours=9)  # Korea is ahead of UTC by this

Label = Literal["fraud", "legitimate"]
Body = dict[str, object]
Clock = Callable[[], datetime]
Share = Callable[[], float]


@dataclass(frozen=True)
class Case:
    """A payment with the label that will be given, None where nobody will ever say; `truth` is known to us.

    Invalid requests have neither.
    """

    request: Request
    label: Label | None
    truth: Label | None = None

    @property
    def transaction_id(self) -> str:
        """Of the payment."""
        return str(self.request.body["transaction_id"]) if isinstance(self.request.body, dict) else ""

    def feedback(self) -> Request | None:
        """The request that labels the payment, if it is ever labelled."""
        if self.label is None or not isinstance(self.request.body, dict):
            return None
        body = {"transaction_id": self.request.body["transaction_id"], "label": self.label}
        return Request(FEEDBACK, body, name="fds feedback")


def _now() -> datetime:
    return datetime.now(UTC)


def _usual_share() -> float:
    return FRAUD_SHARE


def _nobody() -> float:
    return 0.0


def background_stream(
    seed: int,
    user: int = 0,
    *,
    run: str = "",
    now: Clock = _now,
    fraud: Share = _usual_share,
    caught: Share = _nobody,
) -> Iterator[Case]:
    """Cases without end for one simulated user, a few of them invalid or retried.

    `run` makes transaction ids differ from those of an earlier run, which the service would answer from
    its books; everything else is the same for the same arguments. `fraud` is asked before each payment; so
    is `caught`, the share of the good payments that look like fraud.
    """
    choose = random.Random(f"fds-extra-{seed}-{user}")
    for case in _payments(seed, user, run=run, now=now, fraud_share=fraud, caught=caught):
        drawn = choose.random()
        if drawn < INVALID_SHARE:
            yield Case(_invalid(choose), None)
        labelled = choose.random() < LABELLED_SHARE
        yield case if labelled else replace(case, label=None)
        if drawn > 1 - RETRIED_SHARE:
            yield replace(case, label=None)


def drill_stream(seed: int) -> Iterator[Request]:
    """Valid payments without end; same seed, same payments."""
    return (case.request for case in _payments(seed, 0, run="drill", now=_now, fraud_share=_usual_share))


def cases(seed: int, *, fraud_share: float) -> Iterator[Case]:
    """Valid payments without end with what each turned out to be; same arguments, same payments."""
    return _payments(seed, 0, run="drill", now=_now, fraud_share=lambda: fraud_share)


def _payments(
    seed: int, user: int, *, run: str, now: Clock, fraud_share: Share, caught: Share = _nobody
) -> Iterator[Case]:
    choose = random.Random(f"fds-{seed}-{user}")
    patterns = tuple(FRAUD.values())
    number = 0
    while True:
        fraud = choose.random() < fraud_share()
        ordinary = _unusual if choose.random() < UNUSUAL_SHARE else legitimate
        make = choose.choice(patterns) if fraud else ordinary
        suspicious = 0.0 if fraud else caught()
        if suspicious and choose.random() < suspicious:
            make = choose.choice(LOOKALIKES)
        first = make(choose)
        # Card testing comes in bursts of one card, and a quarter as often, so that its share stays.
        burst = BURST if make is _card_testing and choose.random() < 0.25 else 1
        for _ in range(burst):
            number += 1
            body = {"transaction_id": f"t-{run}-{seed}-{user}-{number}", **first}
            body["timestamp"] = _moment(choose, now(), night=0.3 if fraud else 0.04)
            if burst > 1:
                body["amount"] = float(choose.randrange(100, 3_000))
            truth: Label = "fraud" if fraud else "legitimate"
            yield Case(Request(EVALUATE, body, name="fds evaluate"), truth, truth)


def _moment(choose: random.Random, now: datetime, *, night: float) -> str:
    """A time of the last 24 hours, spread over the day as payments are, not always the present hour."""
    hour = choose.uniform(1, 6) if choose.random() < night else min(23.9, max(0.0, choose.gauss(15, 4)))
    midnight = (now + KOREA_AHEAD).replace(hour=0, minute=0, second=0, microsecond=0) - KOREA_AHEAD
    moment = midnight + timedelta(hours=hour)
    return (moment if moment <= now else moment - timedelta(days=1)).isoformat(timespec="milliseconds")


def _person(choose: random.Random, *, device: float = 0.96) -> Body:
    number = choose.randrange(5_000)
    body: Body = {
        "user_id": f"user-{number}",
        "card_id": f"card-{number}",
        "ip": f"10.{choose.randrange(1, 250)}.{choose.randrange(250)}.{choose.randrange(1, 250)}",
        "email_domain": choose.choice(("mail.example", "post.example", "web.example")),
        "billing_country": "KR",
        "currency": "KRW",
    }
    if choose.random() < device:
        body["device_id"] = f"device-{number}"
    return body


def legitimate(choose: random.Random) -> Body:
    """An ordinary payment of an ordinary customer."""
    new = choose.random() < 0.08
    return {
        **_person(choose),
        "amount": float(round(min(3_000_000.0, max(1_000.0, choose.lognormvariate(10.8, 1.0))))),
        "payment_method": choose.choice(("credit_card", "debit_card", "wallet", "bank_transfer")),
        "country": "KR" if choose.random() < 0.97 else choose.choice(("JP", "US", "VN")),
        "shipping_country": "KR" if choose.random() < 0.97 else choose.choice(("US", "JP", "CN")),
        "items_count": min(30, 1 + int(choose.expovariate(0.5))),
        "account_age_days": choose.randrange(7) if new else 7 + int(choose.expovariate(1 / 500)) % 3_600,
    }


def _unusual(choose: random.Random) -> Body:
    """A good customer who spends far more than usual, now and then on a gift abroad."""
    return {
        **legitimate(choose),
        **_person(choose, device=1.0),
        "amount": float(choose.randrange(500_000, 3_000_000)),
        "country": "KR",
        "shipping_country": "KR" if choose.random() < 0.8 else choose.choice(("JP", "US")),
        "items_count": 1 + choose.randrange(10),
        "account_age_days": 60 + choose.randrange(440),
    }


def _account_takeover(choose: random.Random) -> Body:
    return {
        **_person(choose, device=0.6),
        "amount": float(choose.randrange(500_000, 6_000_000)),
        "payment_method": choose.choice(("credit_card", "debit_card", "wallet")),
        "country": choose.choice(("RU", "US", "VN", "T1", "XX")),
        "shipping_country": choose.choice(("US", "CN", "RU", "KR")),
        "items_count": 1 + choose.randrange(4),
        "account_age_days": 100 + choose.randrange(2_000),
    }


def _card_testing(choose: random.Random) -> Body:
    return {
        **_person(choose, device=0.3),
        "amount": float(choose.randrange(100, 3_000)),
        "payment_method": choose.choice(("credit_card", "debit_card")),
        "country": choose.choice(("T1", "XX", "A1", "US")),
        "shipping_country": "KR",
        "items_count": 1,
        "account_age_days": choose.randrange(5),
    }


def _reshipping(choose: random.Random) -> Body:
    return {
        **_person(choose, device=0.85),
        "amount": float(choose.randrange(400_000, 4_000_000)),
        "payment_method": choose.choice(("credit_card", "debit_card")),
        "country": choose.choice(("US", "CN", "KR")),
        "shipping_country": choose.choice(("US", "CN", "NG", "RU")),
        "items_count": 5 + choose.randrange(25),
        "account_age_days": 1 + choose.randrange(60),
    }


def _new_account(choose: random.Random) -> Body:
    return {
        **_person(choose, device=0.7),
        "amount": float(choose.randrange(700_000, 7_000_000)),
        "payment_method": choose.choice(("credit_card", "debit_card")),
        "country": choose.choice(("US", "T1", "VN", "KR")),
        "shipping_country": choose.choice(("KR", "KR", "US")),
        "items_count": 1 + choose.randrange(3),
        "account_age_days": choose.randrange(3),
    }


def _known_threat(choose: random.Random) -> Body:
    """A payment with one of the entries that the service's threat feed always holds."""
    entry = choose.choice(
        (
            {"ip": "203.0.113.66"},
            {"device_id": "device-stolen-0001"},
            {"email_domain": "throwaway.example"},
        )
    )
    return {**legitimate(choose), **entry}


FRAUD: Mapping[str, Callable[[random.Random], Body]] = {
    "account_takeover": _account_takeover,
    "card_testing": _card_testing,
    "reshipping": _reshipping,
    "new_account": _new_account,
    "known_threat": _known_threat,
    "account_takeover_quiet": legitimate,  # a thief who behaves: nothing but the label tells
}

LOOKALIKES = (_account_takeover, _reshipping, _new_account)
"""What good customers can look like: on a journey, with presents for many, new and in a hurry."""

_VALID: Body = {"transaction_id": "invalid-1", "user_id": "user-1", "amount": 10_000.0}
_INVALID: tuple[tuple[str, object, int], ...] = (
    (EVALUATE, {**_VALID, "amount": -5.0}, 422),
    (EVALUATE, {**_VALID, "currency": "USD"}, 422),
    (EVALUATE, {**_VALID, "ip": "not an address"}, 422),
    (EVALUATE, {"amount": 10_000.0}, 422),
    (FEEDBACK, {"transaction_id": "never-evaluated", "label": "fraud"}, 404),
    (FEEDBACK, {"transaction_id": "never-evaluated", "label": "maybe"}, 422),
)


def _invalid(choose: random.Random) -> Request:
    path, body, status = choose.choice(_INVALID)
    return Request(path, body, name="fds invalid", expected=frozenset({status}))
