"""Locust users that follow a script, at the times that a gate gives, or at their own pace."""

import itertools
import json
import time
from collections.abc import Callable
from typing import Any, ClassVar

from locust import FastHttpUser, task
from locust.env import Environment

from loadtest.arrivals import Gate
from loadtest.kinds import Circumstances, Kind
from loadtest.request import Answer, Outcome, Request
from loadtest.tally import Tally

TIMEOUT_SECONDS = 10.0


class PlainUser(FastHttpUser):
    """A user that keeps its connection and never follows elsewhere; `target` is the checked base URL."""

    abstract = True
    target: ClassVar[str] = "http://127.0.0.1"
    host = target  # Locust asks for one, and its page can set another: load goes to `target` all the same
    connection_timeout = TIMEOUT_SECONDS
    network_timeout = TIMEOUT_SECONDS
    refusals: ClassVar[frozenset[int]] = frozenset()
    """Statuses that are provoked and no failures."""
    max_redirects = 0
    max_retries = 0

    def __init__(self, environment: Environment) -> None:
        super().__init__(environment)
        self.client.base_url = self.target

    def exchange(self, request: Request) -> tuple[Answer, Outcome, str]:
        """Send; the answer, what it means, and what failed, in few texts, or the tables would grow."""
        with self.client.request(
            request.method,
            request.path,
            json=request.body,
            headers=dict(request.headers),
            name=request.name,
            catch_response=True,
        ) as response:
            answer = Answer(response.status_code, _parsed(response.content))
            outcome = request.outcome(answer)
            if outcome == "failed" and answer.status in self.refusals:
                outcome = "declined"
            failure = ""
            if outcome == "failed":
                error = getattr(response, "error", None)
                failure = f"HTTP {answer.status}" if answer.status else type(error).__name__
                response.failure(failure)
            else:
                response.success()
        return answer, outcome, failure


class Flow:
    """What the users of one kind share: the gate, the numbers of the users, and the counts of the run."""

    def __init__(
        self, kind: Kind, gate: Gate, tally: Tally, circumstances: Callable[[int], Circumstances]
    ) -> None:
        self.kind, self.gate, self.tally = kind, gate, tally
        self.numbers = itertools.count()
        self.circumstances = circumstances
        self.sent = self.busy = 0


class GatedUser(PlainUser):
    """Follows its kind's script; each request leaves when the gate says."""

    abstract = True
    flow: ClassVar[Flow]

    def on_start(self) -> None:
        """Begin this user's own script; the first task sends nothing, so that the first request waits too."""
        number = next(self.flow.numbers)
        self._script = self.flow.kind.script(self.flow.circumstances(number))
        self._request: Request | None = None

    def wait_time(self) -> float:
        """Seconds until this user's next request is due."""
        return self.flow.gate.wait()

    @task
    def step(self) -> None:
        """One request of the script."""
        if self._request is None:
            self._request = next(self._script)
            return
        flow, began = self.flow, time.perf_counter()
        flow.sent += 1
        flow.busy += 1
        try:
            answer, outcome, failure = self.exchange(self._request)
        finally:
            flow.busy -= 1
        took = (time.perf_counter() - began) * 1000
        flow.tally.add(self._request.name, outcome, took, failure=failure)
        self._request = self._script.send(answer)


def user_class(flow: Flow, target: str, refusals: frozenset[int] = frozenset()) -> type[GatedUser]:
    """The Locust class of a flow's users, named after the kind; see PlainUser.refusals."""
    own = {"abstract": False, "target": target, "host": target, "flow": flow, "refusals": refusals}
    return type(f"{flow.kind.name.capitalize()}User", (GatedUser,), own)


def _parsed(content: Any) -> object:
    try:
        return json.loads(content) if content else None
    except ValueError:
        return None
