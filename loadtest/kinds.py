"""The kinds of simulated users: whom each talks to, its share of the requests, and its script."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

from loadtest import fds_requests, judgment_requests
from loadtest.request import Script


@dataclass(frozen=True)
class Circumstances:
    """What a script depends on: same values, same requests (but for what the services answer).

    `run` makes ids differ from those of an earlier run; `fraud` gives the share of fraud at the moment.
    """

    seed: int
    user: int
    run: str
    fraud: Callable[[], float]


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
    for request in judgment_requests.background_stream(now.seed, now.user):
        if request.expected == judgment_requests.ACCEPTED:
            yield replace(request, expected=frozenset({200}), declines=judgment_requests.model_failed)
        else:
            yield request


def paying(now: Circumstances) -> Script:
    """Has payments evaluated and says later what they were."""
    for case in fds_requests.background_stream(now.seed, now.user, run=now.run, fraud=now.fraud):
        answer = yield case.request
        feedback = case.feedback()
        if answer.status == 200 and feedback is not None:
            yield feedback


# A judgment by the simulated language model takes a second or two; everything else must be quick.
KINDS: tuple[Kind, ...] = (
    Kind("judge", "judgment", 20, 3.0, judging),
    Kind("payer", "fds", 15, 1.0, paying, shop=True),
)


def taking_part(kinds: Iterable[Kind], services: Iterable[str], *, shop_only: bool) -> dict[Kind, float]:
    """Each kind whose service is there, with its part of the rate (the parts make 1).

    With `shop_only` only the shop's, so that CPU time can be counted per order.
    """
    known = set(services)
    chosen = [kind for kind in kinds if kind.service in known and (kind.shop or not shop_only)]
    total = sum(kind.share for kind in chosen)
    return {kind: kind.share / total for kind in chosen}
