"""The kinds of simulated users: whom each talks to, its share of the requests, and its script."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from loadtest import (
    errands,
    fds_requests,
    judgment_requests,
    review_requests,
    shop_requests,
    workflow_requests,
)
from loadtest.request import Script
from loadtest.review_requests import Ledger


@dataclass(frozen=True)
class Circumstances:
    """What a script depends on: same values, same requests (but for what the services answer).

    `run` makes ids differ from those of an earlier run; `fraud` gives the share of fraud at the moment;
    in `ledger` payers note what their payments are, and reviewers look it up; `accounts` are the demo users
    of the shop that nobody else uses at the same time. With `errands` users do, in turn, also what seldom
    happens by itself.
    """

    seed: int
    user: int
    run: str
    fraud: Callable[[], float]
    ledger: Ledger
    accounts: range = shop_requests.LOAD_ACCOUNTS
    errands: bool = False


@dataclass(frozen=True)
class Kind:
    """A kind of user.

    `share` is its part of the requests, in relation to the others that take part; `seconds` is how long a
    request may take before the rate suffers: as many users as leave in that time stand ready.
    """

    name: str
    service: str
    share: float
    seconds: float
    script: Callable[[Circumstances], Script]
    shop: bool = False

    def users(self, rate: float) -> int:
        """How many users carry `rate` requests a second of this kind."""
        return 2 + round(rate * self.seconds)


def judging(now: Circumstances) -> Script:
    """Asks for judgments."""
    for request in judgment_requests.background_stream(now.seed, now.user):  # noqa: UP028 - takes no answers
        yield request


def paying(now: Circumstances) -> Script:
    """Has payments evaluated and says later what they were."""
    for case in fds_requests.background_stream(now.seed, now.user, run=now.run, fraud=now.fraud):
        if case.truth is not None:
            now.ledger.note(case.transaction_id, case.truth)
        answer = yield case.request
        feedback = case.feedback()
        if answer.status == 200 and feedback is not None:
            told = yield feedback
            if told.status == 200:
                now.ledger.note_label(case.transaction_id)


def shopping(now: Circumstances) -> Script:
    """Visits the shop."""
    yield from shop_requests.script(
        now.seed,
        now.user,
        run=now.run,
        fraud=now.fraud,
        ledger=now.ledger,
        accounts=now.accounts,
        errands=errands.SHOP if now.errands else (),
    )


def running_workflows(now: Circumstances) -> Script:
    """Starts workflows and looks at them."""
    yield from workflow_requests.script(now.seed, now.user)


def reviewing(now: Circumstances) -> Script:
    """Reviews what is held."""
    yield from review_requests.script(now.ledger, now.user, slips=now.errands)


# A judgment by the simulated language model takes a second or two; everything else must be quick.
JUDGE = Kind("judge", "judgment", 20, 3.0, judging)
PAYER = Kind("payer", "fds", 15, 1.0, paying, shop=True)
OPERATOR = Kind("operator", "workflow", 10, 1.0, running_workflows)
REVIEWER = Kind("reviewer", "admin", 5, 1.0, reviewing)
SHOPPER = Kind("shopper", "ecommerce", 50, 1.5, shopping, shop=True)
KINDS: tuple[Kind, ...] = (SHOPPER, JUDGE, PAYER, OPERATOR, REVIEWER)


def taking_part(kinds: Iterable[Kind], services: Iterable[str], *, shop_only: bool) -> dict[Kind, float]:
    """Each kind whose service is there, with its part of the rate (the parts make 1).

    With `shop_only` one kind of the shop alone, so that CPU time can be counted per order.
    """
    known = set(services)
    chosen = [kind for kind in kinds if kind.service in known and (kind.shop or not shop_only)]
    if shop_only:
        chosen = chosen[:1]
    total = sum(kind.share for kind in chosen)
    return {kind: kind.share / total for kind in chosen}
