"""A reviewer's work: takes the longest waiting cases and says what they are."""

import itertools
import time
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from typing import Any, Literal

from loadtest.request import Request, Script

Verdict = Literal["fraud", "legitimate"]

REVIEWERS = ("reviewer-kim", "reviewer-lee", "reviewer-park", "reviewer-choi")
QUEUE = "/api/v1/admin/queue?limit=10"
REVIEWS = "/api/v1/admin/reviews"
STATS = "/api/v1/admin/stats"
AT_ONCE = 5  # of a page: others work on the same queue, and a page grows old
REMEMBERED = 20_000
HIDING = frozenset({"A1", "A2", "T1", "XX"})  # what geolocation gives for proxies and unknown places
OLD_DAYS = 60
MOST_OF_GUESTS_KRW = 1_500_000  # their carts hold less
THREAT = "cti_"  # the factors of the threat feed
LIKENESS = ("items_count", "payment_method", "country", "shipping_country", "billing_country")


class Ledger:
    """What payments really are, noted by who made them, and who reviews which; the oldest are forgotten."""

    def __init__(self, remembered: int = REMEMBERED) -> None:
        self._truth: OrderedDict[str, Verdict] = OrderedDict()
        self._claimed: OrderedDict[str, None] = OrderedDict()
        self._remembered = remembered
        self._labelled = ""

    def note(self, transaction_id: str, truth: Verdict) -> None:
        """Remember the truth about a payment."""
        self._truth[transaction_id] = truth
        _forget(self._truth, self._remembered)

    def note_label(self, transaction_id: str) -> None:
        """Remember that fds was told the truth about a payment; the latest one is enough."""
        self._labelled = transaction_id

    def contradiction(self) -> tuple[str, Verdict] | None:
        """A payment that fds knows the truth about, with the opposite; None while there is none."""
        truth = self._truth.get(self._labelled)
        return None if truth is None else (self._labelled, "legitimate" if truth == "fraud" else "fraud")

    def claim(self, transaction_id: str) -> bool:
        """Whether a case is the caller's to review; False if another reviewer has claimed it."""
        if transaction_id in self._claimed:
            return False
        self._claimed[transaction_id] = None
        _forget(self._claimed, self._remembered)
        return True

    def release(self, transaction_id: str) -> None:
        """Give a claimed case back: it could not be reviewed."""
        self._claimed.pop(transaction_id, None)

    def note_facts(self, facts: Mapping[str, object], truth: Verdict) -> None:
        """The same for a payment whose id at fds only the shop knows."""
        self.note(_likeness(facts), truth)

    def truth(self, transaction_id: str, facts: Mapping[str, object] | None = None) -> Verdict | None:
        """What the payment is, None if somebody else made it."""
        return self._truth.get(transaction_id) or self._truth.get(_likeness(facts or {}))


def _forget(kept: OrderedDict[str, Any], most: int) -> None:
    while len(kept) > most:
        kept.popitem(last=False)


def _likeness(facts: Mapping[str, object]) -> str:
    """A payment by what is seen of it: two that are alike in all of this are rare enough."""
    amount = facts.get("amount")
    known = float(amount) if isinstance(amount, int | float) else None
    return repr((known, *(facts.get(name) for name in LIKENESS)))


def script(ledger: Ledger, user: int = 0, *, slips: bool = False) -> Script:
    """Requests without end for one reviewer: a page of the queue, then verdicts; figures if none wait.

    With `slips` each page ends with a mistake: by turns on a payment that fds does not know, and against
    what fds knows.
    """
    headers = {"X-Reviewer": REVIEWERS[user % len(REVIEWERS)]}
    for number in itertools.count(1):
        if slips and number > 1:
            yield _slip(ledger, number, headers)
        page = yield Request(QUEUE, None, name="admin queue", method="GET", headers=headers)
        mine = [case for case in page.lines("cases") if ledger.claim(str(case.get("transaction_id")))]
        for case in mine[AT_ONCE:]:
            ledger.release(str(case.get("transaction_id")))
        for case in mine[:AT_ONCE]:
            transaction = str(case.get("transaction_id"))
            facts = case.get("facts")
            seen = facts if isinstance(facts, dict) else {}
            verdict = ledger.truth(transaction, seen) or guess(seen, _factors(case))
            answer = yield _review(transaction, verdict, "seen with the customer's bank", headers)
            if answer.status not in {200, 201, 409}:
                ledger.release(transaction)
        if not mine:
            yield Request(STATS, None, name="admin stats", method="GET", headers=headers)


def _review(transaction: str, verdict: Verdict, note: str, headers: Mapping[str, str]) -> Request:
    return Request(
        REVIEWS,
        {"transaction_id": transaction, "verdict": verdict, "note": note},
        name="admin review",
        expected=frozenset({200, 201, 409}),  # 409: a reviewer of another run was faster
        headers=headers,
    )


def _slip(ledger: Ledger, number: int, headers: Mapping[str, str]) -> Request:
    known = ledger.contradiction() if number % 2 else None
    transaction, verdict = known or (f"mistyped-{time.time_ns()}", "fraud")
    return _review(transaction, verdict, "a slip of the reviewer's", headers)


def guess(facts: Mapping[str, object], factors: Sequence[object] = ()) -> Verdict:
    """What a payment of somebody else probably is, by what a reviewer sees of it.

    `factors` is what spoke against it in fds. Who buys as a guest is as unknown as a new customer.
    """
    country, shipping, billing = (facts.get(f"{name}country") for name in ("", "shipping_", "billing_"))
    age, amount = facts.get("account_age_days"), facts.get("amount")
    if any(str(one).startswith(THREAT) for one in factors):
        return "fraud"
    guest = age is None
    unknown = guest or (isinstance(age, int) and age < OLD_DAYS)
    foreign = country is not None and country != billing
    sent_away = shipping is not None and shipping != billing
    dear = guest and isinstance(amount, int | float) and amount >= MOST_OF_GUESTS_KRW
    odd = foreign or sent_away or dear if unknown else foreign and sent_away
    return "fraud" if country in HIDING or odd else "legitimate"


def _factors(case: Mapping[str, object]) -> Sequence[object]:
    found = case.get("factors")
    return found if isinstance(found, list) else ()
