"""What the faults of ecommerce do to requests: the asked share, evenly, and never health or metrics."""

import asyncio
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from faults import Dice
from services.ecommerce.faults import FAULTS, FaultyRequests, InjectedFailureError
from tests.unit.ecommerce.fakes import FakeSwitch


class Passage:
    """An application behind the middleware, and how long each request was held up, in seconds."""

    def __init__(self, faults: Mapping[str, Mapping[str, float]]) -> None:
        self.reached, self.held = 0, [0.0]
        self.middleware = FaultyRequests(self._app, dice=Dice(FakeSwitch(dict(faults))), sleep=self._sleep)

    async def _app(self, scope: Any, receive: Any, send: Any) -> None:
        self.reached += 1

    async def _sleep(self, seconds: float) -> None:
        self.held[-1] += seconds

    def ask(self, path: str, times: int = 1, kind: str = "http") -> list[float]:
        """Send the same request so often; the seconds that each was held up."""
        self.held = []
        for _ in range(times):
            self.held.append(0.0)
            asyncio.run(self.middleware({"type": kind, "path": path}, None, None))
        return self.held


def test_api_slow_slows_the_asked_share_evenly() -> None:
    """One of any five at a rate of a fifth, each by what was asked for, and all are answered."""
    passage = Passage({"api_slow": {"milliseconds": 400, "rate": 0.2}})
    held = passage.ask("/api/v1/products", 50)
    assert set(held) == {0.0, 0.4}
    assert all(held[at : at + 5].count(0.4) == 1 for at in range(45))
    assert passage.reached == 50


@pytest.mark.parametrize("path", ["/health/live", "/health/ready", "/metrics", "/faults/api_slow", "/docs"])
def test_only_the_api_is_broken(path: str) -> None:
    """A slow or failing health check would restart the service, and a slow switch would not let it heal."""
    passage = Passage({"api_slow": {"milliseconds": 400, "rate": 1.0}, "error_rate": {"rate": 1.0}})
    assert passage.ask(path) == [0.0]
    assert passage.ask("/api/v1/products", kind="lifespan") == [0.0]
    assert passage.reached == 2
    with pytest.raises(InjectedFailureError):
        passage.ask("/api/v1/products")
    assert passage.held == [0.4]


def test_error_rate_and_api_slow_do_not_disturb_each_other() -> None:
    """Each meets its own rate: an objective of latency can burn beside one of errors."""

    def failures() -> Iterator[bool]:
        for _ in range(40):
            try:
                passage.ask("/api/v1/products")
                yield False
            except InjectedFailureError:
                yield True

    passage = Passage({"api_slow": {"milliseconds": 400, "rate": 0.5}, "error_rate": {"rate": 0.25}})
    assert sum(failures()) == 10


def test_api_slow_by_default_breaks_the_objective_of_200_ms() -> None:
    """What the drills of the burn rates rest on."""
    slow = next(fault for fault in FAULTS if fault.name == "api_slow")
    assert float(slow.checked({})["milliseconds"]) > 200
