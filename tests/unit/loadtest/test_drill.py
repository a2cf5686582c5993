"""A drill's traffic: an even rate that slow answers do not bend, bounded, and told in one line."""

import asyncio
import itertools
import json
import time
from collections.abc import Callable

import httpx
import pytest

from loadtest.drill import IN_FLIGHT, run
from loadtest.drill_streams import STREAMS
from loadtest.targets import RefusedTrafficError

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    """The drill's traffic runs on asyncio."""
    return "asyncio"


class Service(httpx.AsyncBaseTransport):
    """A service that notes when requests come and answers as it is told."""

    def __init__(self, answer: Callable[[int], int] = lambda number: 200, *, seconds: float = 0.0) -> None:
        self.answer, self.seconds = answer, seconds
        self.times: list[float] = []
        self.bodies: list[bytes] = []
        self.open = self.most_open = 0

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Answer after the set time; status 0 stands for a broken connection."""
        self.times.append(time.monotonic())
        self.bodies.append(request.content)
        number = len(self.times)
        self.open += 1
        self.most_open = max(self.most_open, self.open)
        try:
            await asyncio.sleep(self.seconds)
        finally:
            self.open -= 1
        status = self.answer(number)
        if status == 0:
            raise httpx.ConnectError("refused")
        return httpx.Response(status)


async def test_rate_is_even_and_answers_do_not_bend_it() -> None:
    """Forty requests a second for one second are forty, also when each answer takes half a second."""
    service = Service(seconds=0.5)
    summary = await run("fds", rate=40, seconds=1, seed=1, transport=service)
    assert summary.sent == 40
    assert summary.statuses == {"200": 40}
    offsets = [when - service.times[0] for when in service.times]
    lateness = [offset - number / 40 for number, offset in enumerate(offsets)]
    assert sorted(lateness)[len(lateness) // 2] < 0.05
    told = json.loads(summary.as_json())
    assert told["achieved_rate"] == pytest.approx(40, rel=0.05)
    assert told["asked_rate"] == 40


async def test_failures_are_counted_by_kind() -> None:
    """Statuses and broken connections are told apart, and none stops the traffic."""
    service = Service(lambda number: (200, 500, 0)[number % 3])
    summary = await run("judgment", rate=60, seconds=0.5, seed=1, transport=service)
    assert summary.statuses == {"200": 10, "500": 10}
    assert summary.errors == {"ConnectError": 10}


async def test_a_hanging_service_piles_nothing_up() -> None:
    """With no answer at all only so many requests wait; the others are counted as skipped."""
    service = Service(seconds=0.9)
    summary = await run("fds", rate=150, seconds=0.8, seed=1, transport=service)
    assert service.most_open == IN_FLIGHT
    assert summary.sent == IN_FLIGHT
    assert summary.skipped == 120 - IN_FLIGHT


async def test_stop_ends_it_at_once() -> None:
    """When told to stop it cancels what waits and reports what was done until then."""
    stop = asyncio.Event()
    asyncio.get_running_loop().call_later(0.2, stop.set)
    began = time.monotonic()
    summary = await run("fds", rate=20, seconds=60, seed=1, stop=stop, transport=Service(seconds=30))
    assert time.monotonic() - began < 2
    assert summary.stopped_early
    assert 0 < summary.sent < 10


async def test_same_seed_same_requests() -> None:
    """A seed repeats the traffic; another makes other requests, which no cache knows."""
    services = [Service() for _ in range(3)]
    for service, seed in zip(services, (1, 1, 2), strict=True):
        await run("judgment", rate=100, seconds=0.2, seed=seed, transport=service)
    assert services[0].bodies == services[1].bodies
    assert services[0].bodies != services[2].bodies


async def test_checkouts_are_never_repeated() -> None:
    """Each guest pays once: no two requests share their idempotency key, with one seed or with two."""
    keys = [
        request.headers["Idempotency-Key"]
        for seed in (1, 2)
        for request in itertools.islice(STREAMS["ecommerce-checkout"](seed), 20)
    ]
    assert len(set(keys)) == 40


async def test_unknown_target_is_refused() -> None:
    """Only the services that have traffic can be targets."""
    with pytest.raises(RefusedTrafficError, match="fds, fds-labelled, judgment"):
        await run("grafana", rate=1, seconds=1)
