"""Gentle, seeded background traffic for judgment and fds: a Locust file.

locust -f loadtest/background.py --headless --users 6 --spawn-rate 2 --run-time 12h
"""

import itertools
import json
import logging
import os
import sys
import time
from typing import Any

from locust import FastHttpUser, constant_throughput, events, task
from locust.env import Environment
from locust.exception import StopUser

from loadtest import fds_requests, judgment_requests
from loadtest.request import Request
from loadtest.targets import RefusedTrafficError, Targets

LONGEST_SECONDS = 24 * 3600
MOST_USERS = 50  # at these rates some 50 requests a second: all that is left of "gentle"
EACH_PER_SECOND = 0.6  # six users: about 2 judgments, 2 evaluations and 1.5 labels a second
TIMEOUT_SECONDS = 10.0

_log = logging.getLogger("loadtest")


class _QuietUser(FastHttpUser):
    """A user that keeps its connection, never follows elsewhere, and takes a failure as counted."""

    abstract = True
    host = "http://127.0.0.1"  # replaced by the checked target before the first user starts
    wait_time = constant_throughput(EACH_PER_SECOND)
    connection_timeout = TIMEOUT_SECONDS
    network_timeout = TIMEOUT_SECONDS
    max_redirects = 0
    max_retries = 0
    numbers = itertools.count()

    def send(self, request: Request) -> bool:
        """Whether the service took it (200); any expected status is a success in the statistics."""
        with self.client.post(
            request.path, json=request.body, name=request.name, catch_response=True
        ) as response:
            if response.status_code in request.expected:
                response.success()
            else:
                response.failure(f"HTTP {response.status_code}")  # few texts, or the statistics would grow
            return bool(response.status_code == 200)


class JudgmentUser(_QuietUser):
    """Asks for judgments."""

    numbers = itertools.count()

    def on_start(self) -> None:
        """Begin this user's own sequence."""
        self._requests = judgment_requests.background_stream(_seed(), next(self.numbers))

    @task
    def judge(self) -> None:
        """One request of the sequence."""
        self.send(next(self._requests))


class FdsUser(_QuietUser):
    """Has payments evaluated and says later what they were."""

    numbers = itertools.count()
    began = format(int(time.time()), "x")

    def on_start(self) -> None:
        """Begin this user's own sequence."""
        self._cases = fds_requests.background_stream(_seed(), next(self.numbers), run=self.began)

    @task
    def pay(self) -> None:
        """One payment of the sequence, and its label where there will be one."""
        case = next(self._cases)
        feedback = case.feedback()
        if self.send(case.request) and feedback is not None:
            self.send(feedback)


@events.init.add_listener  # type: ignore[untyped-decorator]  # locust ships no types
def check(environment: Environment, **_: Any) -> None:
    """Refuse foreign targets, and bound users and time, before anything is sent."""
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
    JudgmentUser.host, FdsUser.host = targets.judgment, targets.fds


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
