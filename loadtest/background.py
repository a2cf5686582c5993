"""Gentle, seeded background traffic for whatever of the services has a URL: a Locust file.

locust -f loadtest/background.py --headless --users 8 --spawn-rate 2 --run-time 12h
"""

import itertools
import json
import logging
import os
import sys
import time
from typing import Any, ClassVar

from locust import constant_throughput, events, task
from locust.env import Environment
from locust.exception import StopUser

from loadtest import kinds
from loadtest.fds_requests import FEEDBACK, FRAUD_SHARE
from loadtest.request import Request
from loadtest.review_requests import Ledger
from loadtest.shop_requests import BACKGROUND_ACCOUNTS
from loadtest.targets import RefusedTrafficError, Targets
from loadtest.users import PlainUser

LONGEST_SECONDS = 24 * 3600
MOST_USERS = 50  # at these rates some 50 requests a second: all that is left of "gentle"
# Requests a second of one user. Eight users, two of each kind but one operator and one reviewer: about 1
# judgment, 1 evaluation, 1 label, 1 request to the shop, and one in two seconds for the rest: 5 in all.
EACH_PER_SECOND = 0.6
SELDOM_PER_SECOND = 0.3

_log = logging.getLogger("loadtest")


class _QuietUser(PlainUser):
    """Follows its kind's script at an even, low rate."""

    abstract = True
    kind: ClassVar[kinds.Kind]
    numbers: ClassVar["itertools.count[int]"]
    wait_time = constant_throughput(EACH_PER_SECOND)
    began = format(int(time.time()), "x")
    ledger = Ledger()  # one for all: the reviewer looks up what the payers noted

    def on_start(self) -> None:
        """Begin this user's own script."""
        now = kinds.Circumstances(
            _seed(),
            next(self.numbers),
            self.began,
            lambda: FRAUD_SHARE,
            self.ledger,
            BACKGROUND_ACCOUNTS,
            errands=True,
        )
        self._script = self.kind.script(now)
        self._request: Request = next(self._script)

    @task
    def step(self) -> None:
        """One request of the script, and the label of a payment right after it."""
        self._send()
        if self._request.path == FEEDBACK:
            self._send()

    def _send(self) -> None:
        answer, _, _ = self.exchange(self._request)
        self._request = self._script.send(answer)


class JudgmentUser(_QuietUser):
    """Asks for judgments."""

    kind, numbers = kinds.JUDGE, itertools.count()


class FdsUser(_QuietUser):
    """Has payments evaluated and says later what they were."""

    kind, numbers = kinds.PAYER, itertools.count()


class ShopperUser(_QuietUser):
    """Visits the shop."""

    kind, numbers = kinds.SHOPPER, itertools.count()


class WorkflowUser(_QuietUser):
    """Starts workflows and looks at them."""

    kind, numbers = kinds.OPERATOR, itertools.count()
    fixed_count = 1
    wait_time = constant_throughput(SELDOM_PER_SECOND)


class ReviewerUser(_QuietUser):
    """Reviews the payments that fds holds."""

    kind, numbers = kinds.REVIEWER, itertools.count()
    fixed_count = 1
    wait_time = constant_throughput(SELDOM_PER_SECOND)


@events.init.add_listener  # type: ignore[untyped-decorator]  # locust ships no types
def check(environment: Environment, **_: Any) -> None:
    """Before anything is sent: refuse foreign targets, bound users and time, leave out who has no target."""
    options = environment.parsed_options
    try:
        targets = Targets.from_environment(os.environ)
        if options is not None and (options.num_users or 1) > MOST_USERS:
            raise RefusedTrafficError(f"{options.num_users} users are not gentle; use at most {MOST_USERS}")
    except RefusedTrafficError as error:
        print(error, file=sys.stderr)
        sys.exit(2)
    if options is not None:
        options.run_time = min(options.run_time or LONGEST_SECONDS, LONGEST_SECONDS)
        options.host = None  # each class has its own, checked
    classes = [one for one in environment.user_classes if issubclass(one, _QuietUser)]
    for one in classes:
        one.target = getattr(targets, one.kind.service) or ""
    environment.user_classes[:] = [one for one in classes if one.target]


@events.test_stop.add_listener  # type: ignore[untyped-decorator]  # see above
def summarise(environment: Environment, **_: Any) -> None:
    """One line of JSON for the log instead of a table."""
    total = environment.stats.total
    line = {
        "message": "Background traffic ended",
        "requests": total.num_requests,
        "failures": total.num_failures,
        "requests_per_second": round(total.total_rps, 2),
    }
    print(json.dumps(line), flush=True)


def _seed() -> int:
    try:
        return int(os.environ.get("SEED") or 7)
    except ValueError:
        _log.error("SEED is not a number")
        raise StopUser from None
